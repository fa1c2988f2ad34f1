"""What strangers and misbehaving callers can do to an engine: nothing."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from app.contract import frames
from app.contract.endpoint import read_endpoint
from app.contract.frames import MAX_OPEN_REQUESTS, Ended, Frame, Kind, encode_frame, receive_frame, send_frame
from app.contract.handshake import UntrustedPeer, greet
from app.contract.platforms import ListPlatforms
from app.contract.tasks import SampleProgress
from app.contract.wire import encode_request
from app.domain.engine_events import NotificationRaised
from app.engine.door import caller, server
from app.engine.door.server import DoorServer
from tests.support.logguard import LogGuard
from tests.support.scripted_door import ScriptedDoor
from tests.support.waiting import wait_until
from tests.unit.engine.door.conftest import Client, Connect

Knock = Callable[[], socket.socket]


@pytest.fixture
def knock(server: DoorServer, tmp_path: Path) -> Knock:
    """Connect without a handshake."""
    return lambda: read_endpoint(tmp_path).connect(10)


@pytest.fixture
def enter(server: DoorServer, knock: Knock) -> Knock:
    """Connect as a caller that knows the secret."""

    def entered() -> socket.socket:
        connection = knock()
        greet(connection, server.endpoint.secret)
        return connection

    return entered


def is_cut_off(connection: socket.socket) -> bool:
    """Tell whether the engine ends a connection, whatever it still sends before."""
    connection.settimeout(10)
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


def served(connection: socket.socket) -> socket.socket:
    """Return a connection once the engine answers it."""
    send_frame(connection, Frame(Kind.PING))
    assert receive_frame(connection, most_bytes=1 << 16).kind is Kind.PONG
    return connection


def wait_for(heard: list[object], count: int) -> None:
    wait_until(lambda: len(heard) >= count, what="the event at the caller that reads")


def assert_serves(client: Client, scripted: ScriptedDoor) -> None:
    scripted.answer(ListPlatforms, ())
    assert client.ask(ListPlatforms()) == ()


@pytest.mark.allows_log("a caller was not let in")
def test_who_does_not_know_the_secret_stays_outside(knock: Knock, client: Client, scripted: ScriptedDoor) -> None:
    with knock() as connection, pytest.raises(UntrustedPeer, match="secret"):
        greet(connection, b"x" * 32)
    with knock() as connection:
        send_frame(connection, Frame(Kind.REQUEST, encode_request(ListPlatforms()), 1))
        assert is_cut_off(connection)
    assert scripted.asked == []
    assert_serves(client, scripted)


@pytest.mark.allows_log("a caller was not let in")
@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">IBQ", 2**32 - 1, Kind.HELLO, 0),
        struct.pack(">IBQ", 5, 77, 0) + b"hello",
        encode_frame(Frame(Kind.HELLO, b"{}")),
        encode_frame(Frame(Kind.HELLO, b'{"protocol": 1, "version": "x", "nonce": ""}')),
    ],
)
def test_garbage_instead_of_a_handshake_ends_the_call(
    knock: Knock, client: Client, scripted: ScriptedDoor, sent: bytes
) -> None:
    with knock() as connection:
        connection.sendall(sent)
        assert is_cut_off(connection)
    assert_serves(client, scripted)


def test_a_proof_is_worth_nothing_a_second_time(
    server: DoorServer, knock: Knock, log_guard: LogGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_guard.expect("a caller was not let in: the caller does not know the secret")
    sent: list[Frame] = []

    def recorded(connection: socket.socket, frame: Frame) -> None:
        sent.append(frame)
        send_frame(connection, frame)

    with monkeypatch.context() as patch, knock() as connection:
        patch.setattr("app.contract.handshake.send_frame", recorded)
        greet(connection, server.endpoint.secret)
    hello, proof = (next(frame for frame in sent if frame.kind is kind) for kind in (Kind.HELLO, Kind.PROOF))
    with knock() as connection:
        send_frame(connection, hello)
        assert receive_frame(connection, most_bytes=4096).kind is Kind.CHALLENGE
        send_frame(connection, proof)
        assert is_cut_off(connection)


@pytest.mark.allows_log("a caller was turned away", "a caller was not let in")
def test_silent_peers_lose_their_places(
    tmp_path: Path, scripted: ScriptedDoor, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)
    monkeypatch.setattr(server, "MAX_CALLERS", 4)
    with DoorServer.open(scripted, tmp_path):
        crowd = [read_endpoint(tmp_path).connect(10) for _ in range(8)]
        try:
            with connect(tmp_path) as client:
                client.wait_until_connected(20)
                assert_serves(client, scripted)
        finally:
            for connection in crowd:
                connection.close()


def test_peers_that_have_proven_nothing_keep_no_caller_out(
    tmp_path: Path, scripted: ScriptedDoor, connect: Connect
) -> None:
    with DoorServer.open(scripted, tmp_path):
        crowd: list[socket.socket] = []

        def another() -> bool:
            with suppress(BlockingIOError):  # so many wait to be taken in
                crowd.append(read_endpoint(tmp_path).connect(10))
            return len(crowd) == server.MAX_CALLERS + server.MAX_STRANGERS

        try:
            wait_until(another, what="a crowd at the door")
            with connect(tmp_path) as client:
                client.wait_until_connected(20)
                assert_serves(client, scripted)
            # The first ones had to give way; the last ones are still within their time.
            assert is_cut_off(crowd[0])
        finally:
            for connection in crowd:
                connection.close()


@pytest.mark.allows_log("a caller was not let in")
def test_a_handshake_byte_by_byte_ends(
    tmp_path: Path, scripted: ScriptedDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.5)
    with DoorServer.open(scripted, tmp_path), read_endpoint(tmp_path).connect(10) as connection:
        begun = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - begun < 10:
                connection.sendall(b"\0")
                time.sleep(0.1)
        assert time.monotonic() - begun < 5
        assert is_cut_off(connection)


@pytest.mark.allows_log("a caller was turned away")
def test_callers_beyond_the_limit_are_turned_away_until_one_goes(
    enter: Knock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CALLERS", 2)
    # Welcomed is not let in yet: the third must not be quicker than the second.
    there = [served(enter()), served(enter())]
    with enter() as third:
        assert is_cut_off(third)
    there.pop().close()

    def is_let_in() -> bool:
        with suppress(Ended, OSError), enter() as connection:
            served(connection)
            return True
        return False

    wait_until(is_let_in, what="the place of the one that went")
    there.pop().close()


@pytest.mark.parametrize(
    "sent",
    [
        encode_frame(Frame(Kind.WELCOME, b"{}")),
        struct.pack(">IBQ", frames.MAX_REQUEST_BYTES + 1, Kind.REQUEST, 1),
        b"\x00\x00\x00\x01\xff" + bytes(9),
    ],
)
def test_a_caller_that_breaks_the_rules_is_cut_off(
    enter: Knock, client: Client, scripted: ScriptedDoor, sent: bytes
) -> None:
    with enter() as connection:
        connection.sendall(sent)
        assert is_cut_off(connection)
    assert_serves(client, scripted)


def test_a_request_that_cannot_be_read_gets_an_error(enter: Knock) -> None:
    with enter() as connection:
        for number, payload in enumerate([b"", b"{}", b'{"type": "Nonsense"}', b"\xff" * 100]):
            send_frame(connection, Frame(Kind.REQUEST, payload, number))
            reply = receive_frame(connection, most_bytes=4096)
            assert (reply.kind, reply.number) == (Kind.REPLY, number)
            assert msgspec.json.decode(reply.payload)["error"]["code"] == "engine.fault"


def test_more_requests_at_once_than_allowed_end_the_call(
    enter: Knock, client: Client, scripted: ScriptedDoor
) -> None:
    held = threading.Event()
    scripted.answer(SampleProgress, lambda _: held.wait(20) and {})
    with enter() as connection:
        for number in range(MAX_OPEN_REQUESTS + 1):
            send_frame(connection, Frame(Kind.REQUEST, encode_request(SampleProgress()), number))
        cut_off = is_cut_off(connection)
        held.set()
        assert cut_off
    assert_serves(client, scripted)


def test_a_caller_that_does_not_read_its_events_is_cut_off_and_delays_no_one(
    enter: Knock, client: Client, scripted: ScriptedDoor, log_guard: LogGuard
) -> None:
    log_guard.expect("does not read what it is sent")
    heard: list[object] = []
    client.subscribe(heard.append)
    event = NotificationRaised(at=datetime(2026, 3, 1, tzinfo=UTC), title="t", text="x" * 100_000)
    with enter() as connection:
        send_frame(connection, Frame(Kind.SUBSCRIBE, b"", 1))
        assert receive_frame(connection, most_bytes=4096).kind is Kind.REPLY
        for count in range(1, 151):
            scripted.publish(event)
            wait_for(heard, count)
        assert is_cut_off(connection)
    assert len(heard) == 150


def test_a_flood_of_pings_does_not_fill_the_memory(
    enter: Knock, client: Client, scripted: ScriptedDoor, monkeypatch: pytest.MonkeyPatch, log_guard: LogGuard
) -> None:
    log_guard.allow("does not read what it is sent")
    monkeypatch.setitem(caller.MAX_WAITING_BYTES, False, 64 * 1024)
    ping = encode_frame(Frame(Kind.PING)) * 1000
    with enter() as connection:
        connection.settimeout(5)
        with suppress(OSError):
            for _ in range(2_000):
                connection.sendall(ping)
        assert is_cut_off(connection)
    assert_serves(client, scripted)


def test_an_engine_that_ends_says_so(enter: Knock, server: DoorServer) -> None:
    with enter() as connection:
        server.close()
        with pytest.raises((Ended, ConnectionError)):
            receive_frame(connection, most_bytes=4096)


def test_the_door_belongs_to_this_user_alone(server: DoorServer, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows: the folder's access list decides")
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert "secret=…" in repr(server.endpoint)
    assert str(server.endpoint.secret) not in repr(server.endpoint)
