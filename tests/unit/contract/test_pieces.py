"""Long answers in pieces are what the same answers are at once."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.pieces import cut_list, decode_long_answer
from app.contract.tasks import ListTasks, SampleProgress, TasksProgress
from app.contract.wire import Reply, UnreadableMessage, decode_answer, refusal
from app.domain.errors import LoginRefused, OperationalError
from tests.gui.tasks.rows import task

START = len(b'{"answer":[')

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(alphabet='a"\\,[]{}备\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='b"\\}'), inner, max_size=3),
)


def reply_with(answer: object) -> bytes:
    return msgspec.json.encode(Reply(answer=msgspec.Raw(msgspec.json.encode(answer))))


@given(items=st.lists(VALUES, max_size=12), piece_bytes=st.integers(0, 30))
def test_the_pieces_together_are_the_list(items: list[object], piece_bytes: int) -> None:
    pieces = list(cut_list(reply_with(items), START, piece_bytes))
    assert [item for piece in pieces for item in msgspec.json.decode(b"[" + piece + b"]")] == items
    assert all(len(piece) >= piece_bytes for piece in pieces[:-1])


def test_a_long_list_is_read_as_it_is() -> None:
    rows = tuple(task(f"t{number}") for number in range(300))
    reply = reply_with(rows)
    assert len(list(cut_list(reply, START, 32 * 1024))) > 3
    assert decode_long_answer(ListTasks(), reply) == rows == decode_answer(ListTasks(), reply)


def test_an_answer_that_is_no_list_and_an_error_are_read_as_they_are() -> None:
    nothing = TasksProgress(tasks=(), read_bytes_per_s=0.0)
    assert decode_long_answer(SampleProgress(), reply_with(nothing)) == nothing
    with pytest.raises(OperationalError, match="vc-1"):
        decode_long_answer(ListTasks(), refusal(LoginRefused(address="vc-1", user="backup")))


@pytest.mark.parametrize(
    "reply",
    [
        b'{"answer":[{"a":1},{"b":',
        b'{"answer":[1,2]',
        b'{"answer":[1,2],"error":nul',
        b'{"answer":[1],"error":null}}',
        b'{"answer":["abc',
        b'{"answer":[}',
        b'{"answer":[1,2],"error":null}',  # no tasks
    ],
)
def test_what_is_no_list_of_tasks_is_refused(reply: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        decode_long_answer(ListTasks(), reply)
