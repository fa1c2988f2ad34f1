"""Web servers that answer wrongly, late or not at all."""

import threading
import time
from collections.abc import Callable

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.transport.errors import (
    FileNotReadable,
    ProtocolViolated,
)
from tests.support.fakes import RecordingTaskLog
from tests.unit.transport.opening import options, requests
from tests.unit.transport.scripted import CAPACITY as SCRIPTED_CAPACITY
from tests.unit.transport.scripted import Peer, address, pattern
from tests.unit.transport.scripted_web import answer, honest_probe, next_range, no_descriptor, reading, web


def whole_file(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")


def no_http(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"220 ready\r\n\r\n")
    peer.wait_for_end()


def endless_head(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\n")
    for _ in range(10_000):
        peer.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def chunked(peer: Peer) -> None:
    answer(peer, b"\0", more="Transfer-Encoding: chunked\r\n")


def packed(peer: Peer) -> None:
    answer(peer, b"\0", more="Content-Encoding: gzip\r\n")


def no_range(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n0")
    peer.wait_for_end()


def another_range(peer: Peer) -> None:
    answer(peer, b"\0", first=512)


def larger_range(peer: Peer) -> None:
    answer(peer, bytes(4096))


def two_lengths(peer: Peer) -> None:
    answer(peer, b"\0", more="Content-Length: 5\r\n")


def range_beyond_the_file(peer: Peer) -> None:
    answer(peer, b"\0", total=0)


def sent_elsewhere(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n")
    peer.wait_for_end()


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (whole_file, FileNotReadable),
        (sent_elsewhere, FileNotReadable),
        (no_http, ProtocolViolated),
        (endless_head, ProtocolViolated),
        (chunked, ProtocolViolated),
        (packed, ProtocolViolated),
        (no_range, ProtocolViolated),
        (another_range, ProtocolViolated),
        (larger_range, ProtocolViolated),
        (two_lengths, ProtocolViolated),
        (range_beyond_the_file, ProtocolViolated),
    ],
)
def test_a_wrong_answer_is_a_clear_error(lie: Callable[[Peer], None], error: type[Exception]) -> None:
    with web(no_descriptor, lie) as (_, files), pytest.raises(error), reading(files, address()):
        pass


def test_a_shorter_range_than_asked_is_a_clear_error() -> None:
    with (
        web(no_descriptor, honest_probe, lambda peer: answer(peer, bytes(512))) as (_, files),
        reading(files, address()) as reader,
        pytest.raises(ProtocolViolated, match="512 bytes of a file of"),
    ):
        next(reader.read_many(requests([Extent(0, 1024)])))


def test_a_body_that_ends_early_is_asked_for_from_there_on() -> None:
    asked: list[tuple[int, int]] = []

    def half(peer: Peer) -> None:
        first, last = next_range(peer)
        asked.append((first, last))
        head = f"HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{last}/{SCRIPTED_CAPACITY}\r\n"
        peer.send(
            f"{head}Content-Length: {last - first + 1}\r\n\r\n".encode() + pattern(4096)[first : first + 1000]
        )

    with (
        web(no_descriptor, honest_probe, half) as (_, files),
        reading(files, address(), tuned=options(attempts=9)) as reader,
    ):
        (request,) = reader.read_many(requests([Extent(0, 4096)]))
    assert bytes(request.buffer) == pattern(4096)
    assert asked == [(0, 4095), (1000, 4095), (2000, 4095), (3000, 4095), (4000, 4095)]


def test_a_busy_server_is_asked_again() -> None:
    def busy(peer: Peer) -> None:
        next_range(peer)
        peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        peer.wait_for_end()

    log = RecordingTaskLog()
    with web(no_descriptor, busy, honest_probe) as (_, files), reading(files, address(), log=log):
        pass
    assert "503" in log.text()


def test_a_silent_server_does_not_keep_a_task_from_being_stopped() -> None:
    cancel = CancelToken()
    reached = threading.Event()

    def silent(peer: Peer) -> None:
        next_range(peer)
        reached.set()
        peer.wait_for_end()

    def stop_when_silent() -> None:
        reached.wait(10)
        cancel.cancel()

    stopper = threading.Thread(target=stop_when_silent)
    stopper.start()
    with (
        web(no_descriptor, honest_probe, silent) as (_, files),
        pytest.raises(TaskCancelled),
        reading(files, address(), tuned=options(answer_timeout_s=30), cancel=cancel) as reader,
    ):
        next(reader.read_many(requests([Extent(0, 4096)])))
    stopper.join()


def head_drop_by_drop(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\nX: ")
    while True:
        time.sleep(0.05)
        peer.send(b"y")


def body_drop_by_drop(peer: Peer) -> None:
    first, last = next_range(peer)
    size = last - first + 1
    head = f"Content-Range: bytes {first}-{last}/{SCRIPTED_CAPACITY}\r\nContent-Length: {size}\r\n"
    peer.send(f"HTTP/1.1 206 Partial Content\r\n{head}\r\n".encode())
    while True:
        time.sleep(0.05)
        peer.send(b"\0")


@pytest.mark.parametrize("trickle", [head_drop_by_drop, body_drop_by_drop])
def test_an_answer_drop_by_drop_is_given_up(trickle: Callable[[Peer], None]) -> None:
    begun = time.monotonic()
    with (
        web(no_descriptor, honest_probe, trickle) as (_, files),
        pytest.raises(DiskAccessFailed),
        reading(files, address(), tuned=options(answer_timeout_s=0.5, attempts=1)) as reader,
    ):
        list(reader.read_many(requests([Extent(0, 4096)])))
    assert time.monotonic() - begun < 15
