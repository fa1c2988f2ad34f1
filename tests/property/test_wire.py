"""Everything that goes through the engine's door survives the way through JSON."""

import types
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NewType, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.errors import EngineError, ErrorRow
from app.contract.platforms import ListPlatforms, ListVms, RegisterPlatform
from app.contract.tasks import ListTasks, TaskDetails
from app.contract.wire import (
    Reply,
    UnreadableMessage,
    answer_type,
    decode_answer,
    decode_event,
    decode_request,
    encode_event,
    encode_request,
    event_kinds,
    reply_to,
    request_kinds,
)
from app.domain import changes, engine_events
from app.domain.changes import Subject
from app.domain.events import Announcement, Event
from app.domain.messages import LogLevel, Message, MessageKind
from app.engine.engine import Engine
from app.engine.errors import PlatformUnknown
from tests.support.engine_lab import EngineLab
from tests.support.refusals import refused

REQUESTS: tuple[type[Any], ...] = request_kinds()
EVENTS: tuple[type[Event], ...] = tuple(
    kind
    for module in (changes, engine_events)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in (Event, Announcement)
)

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_ATOMS: dict[object, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    time: st.times(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for any type that crosses the door; each is built once."""
    return _built(kind)


def _message_with(
    kinds: st.SearchStrategy[MessageKind], inner: st.SearchStrategy[Message]
) -> st.SearchStrategy[Message]:
    params = st.lists(st.tuples(_TEXT, st.one_of(_TEXT, inner)), max_size=2).map(tuple)
    return st.builds(Message, kinds, params)


@cache
def _built(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _ATOMS:
        return _ATOMS[kind]
    if kind is Message:  # holds messages in turn
        kinds = values_of(MessageKind)
        return st.recursive(st.builds(Message, kinds), lambda inner: _message_with(kinds, inner), max_leaves=4)
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of([values_of(argument) for argument in arguments])
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
        return st.tuples(*(values_of(argument) for argument in arguments))
    if origin is frozenset:
        return st.frozensets(values_of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        fields = {name: values_of(hint) for name, hint in get_type_hints(kind).items()}
        return st.builds(cast(Callable[..., Any], kind), **fields)
    raise AssertionError(f"no strategy for {kind}")


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_every_command_and_query_survives(kind: type[Any], data: st.DataObject) -> None:
    request = data.draw(values_of(kind))
    assert decode_request(encode_request(request)) == request
    hash(request)


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
@settings(max_examples=12)
@given(data=st.data())
def test_every_answer_survives(kind: type[Any], data: st.DataObject) -> None:
    request = data.draw(values_of(kind))
    answer = data.draw(values_of(answer_type(kind)))
    reply = msgspec.json.encode(Reply(answer=msgspec.Raw(msgspec.json.encode(answer))))
    assert decode_answer(request, reply) == answer


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_every_event_survives(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(values_of(kind))
    assert decode_event(encode_event(event)) == event


def test_every_event_that_is_declared_can_be_sent() -> None:
    assert set(event_kinds().values()) == set(EVENTS)
    assert {
        "Changed",
        "EngineFound",
        "EngineLost",
        "NotificationRaised",
        "ProgramEndAsked",
        "WindowRaiseAsked",
    } == set(event_kinds())


@given(data=st.data())
def test_every_error_survives(data: st.DataObject) -> None:
    row = data.draw(values_of(ErrorRow))
    reply = msgspec.json.encode(Reply(error=row))
    with pytest.raises(EngineError) as caught:
        decode_answer(ListPlatforms(), reply)
    assert caught.value.row == row
    assert caught.value.message == row.message


@given(st.binary(max_size=40))
def test_garbage_is_refused_as_such(garbage: bytes) -> None:
    for read in (decode_request, decode_event, lambda data: decode_answer(ListPlatforms(), data)):
        with pytest.raises(UnreadableMessage):
            read(garbage)


@given(data=st.data())
def test_a_password_never_shows(data: st.DataObject) -> None:
    command: RegisterPlatform = data.draw(values_of(RegisterPlatform))
    secret = RegisterPlatform(
        name=command.name, address=command.address, user=command.user, password="open sesame"
    )
    assert "sesame" not in repr(secret) + str(secret)


def test_levels_keep_their_numbers_on_the_wire() -> None:
    assert msgspec.json.encode(LogLevel.WARNING) == b"30"


def test_an_engine_is_served_through_bytes_alone(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        heard: list[bytes] = []
        announced: list[Event] = []
        lab.engine.subscribe(announced.append)
        lab.engine.subscribe(lambda event: heard.append(encode_event(event)))
        lab.backup(vm)

        def asked(engine: Engine, request: Any) -> Any:
            return decode_answer(request, reply_to(engine, decode_request(encode_request(request))))

        requests: list[Any] = [
            ListPlatforms(),
            ListVms(platform=lab.platform),
            ListTasks(),
            TaskDetails(task=lab.engine.ask(ListTasks())[0].id),
        ]
        for request in requests:
            assert asked(lab.engine, request) == lab.engine.ask(request)
        with refused(PlatformUnknown, match="not registered") as caught:
            asked(lab.engine, ListVms(platform="nobody"))  # type: ignore[arg-type]
        assert caught.value.params == {"platform": "nobody"}
        assert lab.hears(Subject.TASKS)
        assert heard
        assert [decode_event(data) for data in heard] == announced[: len(heard)]
