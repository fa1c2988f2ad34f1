"""The asyncio door: what is withdrawn, what an engine out of order may do to it, and long answers."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from app.contract.asyncclient import AsyncDoor
from app.contract.asynclink import IDLE_PINGS, OPEN_AT_ONCE
from app.contract.errors import EngineAway
from app.contract.frames import MAX_OPEN_REQUESTS, Frame, Kind, encode_frame, receive_frame, send_frame
from app.contract.platforms import ListPlatforms, ListVms
from app.contract.tasks import CancelTask, ListTasks
from app.core.cancel import CancelToken, stop_wish
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, TaskId
from app.engine.door.caller import WORKERS
from app.engine.door.server import DoorServer
from app.workers.loop import asyncio_in_qt, run_here
from tests.gui.tasks.rows import task
from tests.support.fake_engine import fake_engine
from tests.support.scripted_door import ScriptedDoor

Run = Callable[[Coroutine[Any, Any, None]], None]
PATIENCE_S = 20.0


@pytest.fixture(params=["asyncio", "asyncio in Qt"])
def run(request: pytest.FixtureRequest, qapp: QApplication) -> Run:
    """Return what runs a coroutine on each kind of loop."""
    if request.param == "asyncio":
        return lambda work: asyncio.run(work)

    def run_in_qt(work: Coroutine[Any, Any, None]) -> None:
        with asyncio_in_qt(qapp):
            run_here(work)

    return run_in_qt


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_true():
            await asyncio.sleep(0.01)


def vms(number: int) -> ListVms:
    return ListVms(platform=PlatformId(f"p{number}"))


# --- withdrawing -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_a_request_that_waits_here_is_never_sent_once_it_is_withdrawn(
    run: Run, tmp_path: Path, scripted: ScriptedDoor
) -> None:
    go_on = threading.Event()
    scripted.answer(CancelTask, lambda _: go_on.wait(PATIENCE_S) and None)

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            commands = [CancelTask(task=TaskId(f"t{number}")) for number in range(OPEN_AT_ONCE + 5)]
            answers = [door.request(command) for command in commands]
            await asyncio.sleep(0.05)
            for answer in answers[OPEN_AT_ONCE:]:
                answer.cancel()
            go_on.set()
            await asyncio.gather(*answers[:OPEN_AT_ONCE])
            assert sorted(map(repr, scripted.executed)) == sorted(map(repr, commands[:OPEN_AT_ONCE]))

    run(work())


@pytest.mark.usefixtures("server")
def test_queries_that_are_withdrawn_are_stopped_and_hold_nobody_up(
    run: Run, tmp_path: Path, scripted: ScriptedDoor
) -> None:
    """As many as the engine carries out at once hang; the next one would wait for them."""
    go_on, wishes, stopped = threading.Event(), list[CancelToken](), list[bool]()

    def hang(_: object) -> tuple[()]:
        wish = stop_wish()
        assert wish is not None
        wishes.append(wish)
        assert go_on.wait(PATIENCE_S)
        stopped.append(wish.is_cancelled)
        return ()

    scripted.answer(ListVms, hang)
    scripted.answer(ListPlatforms, ())

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            hanging = [door.request(vms(number)) for number in range(WORKERS + 3)]
            await until(lambda: len(scripted.asked) == WORKERS)
            for answer in reversed(hanging):  # first those that wait in the engine: they are not begun any more
                answer.cancel()
            async with asyncio.timeout(PATIENCE_S):
                assert await door.ask(ListPlatforms()) == ()
            assert scripted.asked[WORKERS:] == [ListPlatforms()]
            # The first that is withdrawn makes room for the answer; the others follow it.
            await until(lambda: all(wish.is_cancelled for wish in wishes))
            go_on.set()
            await until(lambda: len(stopped) == WORKERS)
            assert stopped == [True] * WORKERS
            assert await asyncio.gather(*[door.ask(ListPlatforms()) for _ in range(3 * MAX_OPEN_REQUESTS)])

    run(work())


@pytest.mark.usefixtures("server")
def test_a_command_is_carried_out_whether_its_answer_is_wanted_or_not(
    run: Run, tmp_path: Path, scripted: ScriptedDoor
) -> None:
    go_on, wishes = threading.Event(), list[object]()

    def slow(_: object) -> None:
        wishes.append(stop_wish())
        assert go_on.wait(PATIENCE_S)
        wishes.append("done")

    scripted.answer(CancelTask, slow)

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            answer = door.request(CancelTask(task=TaskId("t1")))
            await until(lambda: scripted.executed)
            answer.cancel()
            await asyncio.sleep(0.05)
            go_on.set()
            await until(lambda: len(wishes) == 2)
            assert wishes == [None, "done"]

    run(work())


# --- long answers ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_a_long_answer_comes_whole_and_holds_no_short_one_up(
    run: Run, tmp_path: Path, scripted: ScriptedDoor
) -> None:
    rows = tuple(task(f"t{number}") for number in range(8000))
    scripted.answer(ListTasks, rows)
    scripted.answer(ListPlatforms, ())

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            long = door.request(ListTasks())
            assert await door.ask(ListPlatforms()) == ()
            assert await long == rows

    run(work())


# --- engines out of order --------------------------------------------------------------------------------------

HEADER_OF_TOO_MUCH = (2**32 - 1).to_bytes(4, "big") + b"\x06" + bytes(8)


def half_a_frame(connection: socket.socket) -> None:
    connection.sendall(encode_frame(Frame(Kind.EVENT, b"x" * 100))[:50])
    while connection.recv(4096):
        pass


def one_byte_now_and_then(connection: socket.socket) -> None:
    for byte in encode_frame(Frame(Kind.EVENT, b"x" * 1000)):
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.02)


def one_thing(data: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return behave


def silence(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize(
    "behave",
    [
        half_a_frame,
        one_byte_now_and_then,
        one_thing(HEADER_OF_TOO_MUCH),
        one_thing(b"\x00\x00\x00\x00\x63" + bytes(8)),
        one_thing(encode_frame(Frame(Kind.HELLO))),
        one_thing(encode_frame(Frame(Kind.EVENT, b"no event"))),
        silence,
        lambda _connection: None,
    ],
    ids=["half", "drops", "too long", "unknown", "out of turn", "no event", "silence", "gone"],
)
def test_an_engine_out_of_order_is_away_and_is_tried_again(
    run: Run, tmp_path: Path, behave: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.contract.asynclink.FRAME_DEADLINE_S", 0.5)
    heard: list[type] = []

    async def work() -> None:
        async with AsyncDoor(tmp_path, ping_s=0.05, silence_s=0.3) as door:
            door.subscribe(lambda event: heard.append(type(event)))
            await until(lambda: EngineLost in heard)
            with pytest.raises(EngineAway):
                await door.ask(ListPlatforms())
            await until(lambda: EngineFound in heard)
            assert heard[0] is EngineLost

    with fake_engine(tmp_path, behave):
        run(work())


def test_an_engine_of_which_nothing_is_asked_is_seldom_pinged(run: Run, tmp_path: Path) -> None:
    """And a request that it does not answer shows as soon as ever that it hangs."""
    pings: list[float] = []
    heard: list[type] = []

    def behave(connection: socket.socket) -> None:
        while (frame := receive_frame(connection, most_bytes=4096)).kind is not Kind.REQUEST:
            if frame.kind is Kind.PING:
                pings.append(time.monotonic())
                send_frame(connection, Frame(Kind.PONG))
        silence(connection)

    async def work() -> None:
        async with AsyncDoor(tmp_path, ping_s=0.1, silence_s=0.25) as door:
            door.subscribe(lambda event: heard.append(type(event)))
            await door.wait_until_connected(PATIENCE_S)
            await asyncio.sleep(2.0)
            seldom = 2.0 / (0.1 * (IDLE_PINGS + 1)) + 2
            assert 1 <= len(pings) <= seldom
            assert EngineLost not in heard
            with pytest.raises(EngineAway):
                await door.ask(ListPlatforms())
            assert EngineLost in heard

    with fake_engine(tmp_path, behave):
        run(work())


def test_answers_that_nobody_asked_for_change_nothing(run: Run, tmp_path: Path) -> None:
    def behave(connection: socket.socket) -> None:
        send_frame(connection, Frame(Kind.REPLY, b"[]", 77))
        request = receive_frame(connection, most_bytes=4096)
        for reply in (b'{"answer":[],"error":null}', b"twice"):
            send_frame(connection, Frame(Kind.REPLY, reply, request.number))
        silence(connection)

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            assert await door.ask(ListPlatforms()) == ()

    with fake_engine(tmp_path, behave):
        run(work())


def test_closing_under_an_engine_that_hangs_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """No task, no socket and no warning is left; the guards of all tests look for them."""

    async def work() -> None:
        async with AsyncDoor(tmp_path) as door:
            await door.wait_until_connected(PATIENCE_S)
            answers = [door.request(vms(number)) for number in range(OPEN_AT_ONCE + 3)]
            door.close()
            await door.wait_closed()
            for error in await asyncio.gather(*answers, return_exceptions=True):
                assert isinstance(error, OperationalError)
            assert len(asyncio.all_tasks()) == 1

    with fake_engine(tmp_path, silence):
        run(work())


def test_closing_while_it_connects_leaves_nothing(run: Run, tmp_path: Path, scripted: ScriptedDoor) -> None:
    async def work() -> None:
        for turns in range(12):
            door = AsyncDoor(tmp_path)
            for _ in range(turns):
                await asyncio.sleep(0)
            door.close()
            await door.wait_closed()
            assert len(asyncio.all_tasks()) == 1

    with DoorServer.open(scripted, tmp_path):
        run(work())
