"""A connection that is ended frees every thread that waits for it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from app.core.connections import end_connection

LONG_S = 60.0
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as near,
    ):
        far, _ = listener.accept()
        with far:
            yield near, far


def receive(connection: socket.socket) -> bytes:
    return connection.recv(1)


def send_forever(connection: socket.socket) -> None:
    while True:
        connection.send(bytes(1 << 20))


@pytest.mark.parametrize("wait", [receive, send_forever])
@pytest.mark.parametrize("limit_s", [None, LONG_S], ids=["no limit", "a long limit"])
def test_a_thread_that_waits_is_freed(
    pair: Pair, wait: Callable[[socket.socket], object], limit_s: float | None
) -> None:
    near, _ = pair
    near.settimeout(limit_s)
    entered, ended = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        with suppress(OSError):
            wait(near)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait()
    assert not ended.wait(0.3), "it should wait for the other side"
    end_connection(near)
    assert ended.wait(LONG_S / 3)
    thread.join()


@pytest.mark.parametrize("limit_s", [None, LONG_S], ids=["no limit", "a long limit"])
def test_who_comes_later_does_not_wait(pair: Pair, limit_s: float | None) -> None:
    near, _ = pair
    near.settimeout(limit_s)
    end_connection(near)
    with suppress(BrokenPipeError, BlockingIOError):  # as Windows says it; a TimeoutError would come after waiting
        assert near.recv(1) == b""


def test_the_other_side_hears_of_it(pair: Pair) -> None:
    near, far = pair
    far.settimeout(LONG_S)
    end_connection(near)
    assert far.recv(1) == b""


def test_one_that_has_ended_or_is_closed_can_be_ended(pair: Pair) -> None:
    near, far = pair
    far.close()
    end_connection(near)
    end_connection(near)
    near.close()
    end_connection(near)
