"""The way to an engine in another process: concurrent, reconnecting, and clear about what is unknown."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from app.contract import handshake
from app.contract.endpoint import ENDPOINT_FILE
from app.contract.errors import DoorUnsafe, EngineAway, EngineFault, EngineVersionDiffers
from app.contract.frames import Frame, receive_frame
from app.contract.platforms import ListPlatforms, ListVms
from app.contract.tasks import CancelTask, SampleProgress, TasksProgress
from app.domain.changes import Changed, Subject
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.errors import OperationalError
from app.domain.events import Event
from app.domain.ids import PlatformId, TaskId
from app.engine.door import caller
from app.engine.door.server import DoorServer
from app.engine.errors import TaskUnknown
from tests.support.logguard import LogGuard
from tests.support.refusals import refused
from tests.support.scripted_door import ScriptedDoor
from tests.support.waiting import wait_until
from tests.unit.engine.door.conftest import Client, Connect


def state_changed(number: int) -> Changed:
    return Changed(at=datetime(2026, 3, 1, tzinfo=UTC), subject=Subject.TASKS, keys=(f"t{number}",))


def test_answers_and_errors_come_out_as_they_are(scripted: ScriptedDoor, client: Client) -> None:
    scripted.answer(ListPlatforms, ())
    scripted.answer(CancelTask, TaskUnknown(task="t9"))
    assert client.ask(ListPlatforms()) == ()
    with refused(TaskUnknown, match="There is no task t9") as caught:
        client.execute(CancelTask(task=TaskId("t9")))
    assert caught.value.params == {"task": "t9"}
    assert scripted.executed == [CancelTask(task=TaskId("t9"))]


def test_a_slow_answer_holds_no_other_up(scripted: ScriptedDoor, client: Client) -> None:
    go_on = threading.Event()

    def slow(_: object) -> tuple[()]:
        assert go_on.wait(20)
        return ()

    scripted.answer(ListVms, slow)
    scripted.answer(ListPlatforms, ())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.ask, ListVms(platform=PlatformId("p")))
        try:
            wait_until(lambda: scripted.asked, what="the slow request's arrival")
            assert client.ask(ListPlatforms()) == ()
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result(20) == ()


def test_more_callers_at_once_than_an_engine_takes_all_get_their_answer(
    scripted: ScriptedDoor, client: Client
) -> None:
    nothing = TasksProgress(tasks=(), read_bytes_per_s=0.0)
    scripted.answer(SampleProgress, nothing)
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: client.ask(SampleProgress()), range(600)))
    assert answers == [nothing] * 600


def test_a_listener_hears_every_event_in_order_and_may_ask(scripted: ScriptedDoor, client: Client) -> None:
    scripted.answer(ListPlatforms, ())
    heard: list[Event] = []

    def listener(event: Event) -> None:
        assert client.ask(ListPlatforms()) == ()
        heard.append(event)

    unsubscribe = client.subscribe(listener)
    told = [state_changed(number) for number in range(200)]
    for event in told:
        scripted.publish(event)
    wait_until(lambda: len(heard) == 200, what="all events")
    assert heard == told
    unsubscribe()
    scripted.publish(state_changed(999))
    assert client.ask(ListPlatforms()) == ()
    assert len(heard) == 200


def test_a_bug_of_the_engine_ends_one_request_only(
    scripted: ScriptedDoor, client: Client, log_guard: LogGuard
) -> None:
    def buggy(_: object) -> None:
        raise ZeroDivisionError

    log_guard.expect("a request over the door failed")
    scripted.answer(ListVms, buggy)
    scripted.answer(ListPlatforms, ())
    with pytest.raises(EngineFault, match="ZeroDivisionError"):
        client.ask(ListVms(platform=PlatformId("p")))
    assert client.ask(ListPlatforms()) == ()


@pytest.mark.parametrize("use_tcp", [False, True])
def test_a_client_says_that_the_engine_is_lost_and_finds_the_next_one(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect, *, use_tcp: bool
) -> None:
    scripted.answer(ListPlatforms, ())
    heard: list[type[Event]] = []
    with connect(tmp_path, ping_s=0.1) as client:
        client.subscribe(lambda event: heard.append(type(event)))
        with pytest.raises(EngineAway) as away:
            client.ask(ListPlatforms())
        assert away.value.retryable
        wait_until(lambda: EngineLost in heard, what="the loss at the start")
        for round_number in (1, 2):

            def has_heard(kind: type[Event], times: int = round_number) -> bool:
                return heard.count(kind) == times

            with DoorServer.open(scripted, tmp_path, use_tcp=use_tcp):
                client.wait_until_connected(10)
                assert client.ask(ListPlatforms()) == ()
                assert client.engine_pid == os.getpid()
                wait_until(lambda: has_heard(EngineFound), what="the engine found")
                scripted.publish(state_changed(round_number))
                wait_until(lambda: has_heard(Changed), what="an event of the new one")
            wait_until(lambda: heard[-1] is EngineLost, what="the loss")
            assert client.engine_pid is None


def test_a_request_under_way_when_the_engine_goes_says_so(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect
) -> None:
    go_on = threading.Event()
    scripted.answer(ListVms, lambda _: go_on.wait(20) and ())
    with connect(tmp_path) as client, ThreadPoolExecutor(2) as pool:
        server = DoorServer.open(scripted, tmp_path)
        client.wait_until_connected(10)
        waiting = pool.submit(client.ask, ListVms(platform=PlatformId("p")))
        wait_until(lambda: scripted.asked, what="the request's arrival")
        closing = pool.submit(server.close)
        with pytest.raises(EngineAway, match="before it had answered"):
            waiting.result(20)
        go_on.set()
        closing.result(20)


def test_an_engine_that_is_silent_is_lost(
    tmp_path: Path, scripted: ScriptedDoor, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    is_frozen, goes_on = threading.Event(), threading.Event()

    def receive_and_stop(connection: socket.socket, *, most_bytes: int) -> Frame:
        frame = receive_frame(connection, most_bytes=most_bytes)
        if is_frozen.is_set():
            goes_on.wait(20)
        return frame

    monkeypatch.setattr(caller, "receive_frame", receive_and_stop)
    with DoorServer.open(scripted, tmp_path), connect(tmp_path, ping_s=0.05, silence_s=0.3) as client:
        client.wait_until_connected(10)
        heard: list[type[Event]] = []
        client.subscribe(lambda event: heard.append(type(event)))
        is_frozen.set()  # nothing is answered on the engine's side, but its sockets stay open
        try:
            wait_until(lambda: EngineLost in heard, what="the loss of a silent engine")
        finally:
            is_frozen.clear()
            goes_on.set()


@pytest.mark.allows_log(r"a caller was not let in: 0\.")
def test_another_version_is_distinguished_from_an_engine_that_is_away(
    tmp_path: Path, scripted: ScriptedDoor, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    of_the_future = partial(handshake.receive_caller, version="99.0")
    monkeypatch.setattr("app.engine.door.server.receive_caller", of_the_future)
    with DoorServer.open(scripted, tmp_path), connect(tmp_path) as client:
        with pytest.raises(EngineVersionDiffers, match=r"99\.0"):
            client.wait_until_connected(10)
        with pytest.raises(EngineVersionDiffers):
            client.ask(ListPlatforms())


def test_a_door_that_others_may_read_is_not_used(tmp_path: Path, server: DoorServer, connect: Connect) -> None:
    if os.name == "nt":
        pytest.skip("Windows: the folder's access list decides")
    (tmp_path / ENDPOINT_FILE).chmod(0o644)
    with connect(tmp_path) as client, pytest.raises(DoorUnsafe, match="other users"):
        client.wait_until_connected(10)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"format": 1, "pid": "x"}'])
def test_a_damaged_door_file_means_that_the_engine_is_away(
    tmp_path: Path, content: bytes, connect: Connect
) -> None:
    path = tmp_path / ENDPOINT_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with connect(tmp_path) as client, pytest.raises(EngineAway):
        client.wait_until_connected(0.3)


def test_closing_ends_waiting_callers(tmp_path: Path, scripted: ScriptedDoor, connect: Connect) -> None:
    client = connect(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.wait_until_connected, 30)
        client.close()
        with pytest.raises(OperationalError):
            waiting.result(20)
    client.close()


def test_the_next_engine_replaces_the_files_that_a_killed_one_left(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect
) -> None:
    scripted.answer(ListPlatforms, ())
    killed = DoorServer.open(scripted, tmp_path)
    left = (tmp_path / ENDPOINT_FILE).read_bytes()
    killed.close()
    (tmp_path / ENDPOINT_FILE).write_bytes(left)
    if os.name != "nt":  # a port leaves no file behind
        (tmp_path / "engine.sock").touch()
    with DoorServer.open(scripted, tmp_path), connect(tmp_path) as client:
        client.wait_until_connected(10)
        assert client.ask(ListPlatforms()) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_a_data_folder_with_a_long_path_has_a_door_too(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    scripted.answer(ListPlatforms, ())
    with DoorServer.open(scripted, folder) as server, connect(folder) as client:
        client.wait_until_connected(10)
        assert client.ask(ListPlatforms()) == ()
        elsewhere = server.endpoint.unix_path
    assert not elsewhere or not Path(elsewhere).parent.exists()


def test_cutting_callers_off_does_not_wait_for_what_they_asked(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect
) -> None:
    go_on = threading.Event()
    scripted.answer(ListVms, lambda _: go_on.wait(20) and ())
    with (
        connect(tmp_path) as client,
        ThreadPoolExecutor(1) as pool,
        DoorServer.open(scripted, tmp_path) as server,
    ):
        client.wait_until_connected(10)
        waiting = pool.submit(client.ask, ListVms(platform=PlatformId("p")))
        wait_until(lambda: scripted.asked, what="the request's arrival")
        server.cut_off()
        with pytest.raises(EngineAway):
            waiting.result(20)
        assert not go_on.is_set()
        go_on.set()
