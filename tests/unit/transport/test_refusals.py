"""A request that the host refuses, in every form in which hosts say it: never data, never a write that counts."""

import struct
import threading
import time
from collections.abc import Callable

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.transport.errors import ReadNotPermitted, WriteNotPermitted
from tests.support.fakes import RecordingTaskLog
from tests.unit.transport.opening import options, read_bytes, reading, writing
from tests.unit.transport.scripted import MAGIC, Peer, ScriptedHost, SeenRead, address, pattern

TEXT = "DiskLib error 16392: Failed to lock the file"
GARBAGE = b"\xde\xad" * 2048

Refuse = Callable[[Peer, int, bytes], None]
"""Answers a request with the code 0x0b, given the ordinary answer that would have come."""


def in_the_frame(peer: Peer, op: int, _answer: bytes) -> None:
    peer.frame(1, op, struct.pack("<2I", 0x0B, 0) + TEXT.encode())


def behind_the_frame(peer: Peer, op: int, answer: bytes) -> None:
    kind, payload = struct.unpack_from("<I", answer)[0], answer[4:]
    peer.frame(1, op, struct.pack("<Q2I", 0x0B, 0, len(TEXT)), TEXT.encode())
    peer.frame(kind, op, struct.pack("<Q", 0x0B) + payload[8:])


def in_the_status(peer: Peer, op: int, answer: bytes) -> None:
    kind, payload = struct.unpack_from("<I", answer)[0], answer[4:]
    peer.frame(kind, op, struct.pack("<Q", 0x0B) + payload[8:])


FORMS = [in_the_frame, behind_the_frame, in_the_status]
with_text = pytest.mark.parametrize("refuse", FORMS[:2], ids=lambda form: form.__name__)
every_form = pytest.mark.parametrize("refuse", FORMS, ids=lambda form: form.__name__)


def answered_open(size: int = 60) -> bytes:
    return struct.pack("<I2Q2I4xQ4I", 4, 0, 77, 2, 0x1E, 8 << 20, 512, 1, 255, 63).ljust(4 + size, b"\0")


def answered_read(read: SeenRead, extra_bytes: int = 0) -> bytes:
    return struct.pack("<I3Q5I", 7, 0, 1, read.offset, read.length, 0, read.length, extra_bytes, 0)


def answered_write(length: int) -> bytes:
    return struct.pack("<I3Q5I", 7, 0, 0, 0, length, 0, length, 0, 0)


def honest(peer: Peer) -> None:
    peer.become_disk()
    serve_reads(peer)


def serve_reads(peer: Peer) -> None:
    """Answer reads until the client closes the disk."""
    while True:
        kind, op, payload = peer.request()
        if kind != 7:
            return
        offset, length = struct.unpack_from("<2Q", payload, 16)
        peer.fragment(SeenRead(op, offset, length), 0, pattern(length))


def take_write(peer: Peer) -> tuple[int, int]:
    """Receive a write of one fragment; return its id and its length."""
    op, payload = peer.expect(7)
    length: int = struct.unpack("<3Q5I", payload)[6]
    peer.receive(length)
    return op, length


def wait_for_closings(peer: Peer) -> None:
    """See the client end its session in order."""
    op, _ = peer.expect(5)
    peer.frame(5, op, bytes(8))
    op, _ = peer.expect(3)
    peer.frame(3, op, bytes(4))
    assert peer.receive(264) == struct.pack("<I", 4) + bytes(260)


# ---- reading -------------------------------------------------------------------------------------------------


@every_form
def test_a_refused_read_is_read_again_in_a_new_session(refuse: Refuse) -> None:
    closed = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        refuse(peer, read.op, answered_read(read))
        wait_for_closings(peer)
        closed.append(True)

    log = RecordingTaskLog()
    with ScriptedHost(script, honest) as host, reading(host, address(), log=log) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)
        assert len(host.connections) == 2
    assert closed == [True]
    assert "0x0b" in log.text()


def test_bytes_that_came_with_a_failed_status_are_no_data() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        in_the_status(peer, read.op, answered_read(read, len(GARBAGE)))
        peer.send(GARBAGE)
        peer.wait_for_end()

    with ScriptedHost(script, honest) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, len(GARBAGE)) == pattern(len(GARBAGE))


@every_form
def test_what_came_before_a_refusal_is_kept(refuse: Refuse) -> None:
    asked = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.fragment(read, 0, pattern(read.length)[:1024])
        refuse(peer, read.op, answered_read(read))
        peer.wait_for_end()

    def rest(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        asked.append((read.offset, read.length))
        peer.fragment(read, 0, pattern(4096)[1024:])
        peer.wait_for_end()

    with ScriptedHost(script, rest) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)
    assert asked == [(1024, 3072)]


@with_text
def test_a_read_that_is_always_refused_fails_with_the_words_of_the_host(refuse: Refuse) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        refuse(peer, read.op, answered_read(read))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        reading(host, address(), tuned=options(attempts=2)) as reader,
        pytest.raises(DiskAccessFailed, match="0x0b") as caught,
    ):
        read_bytes(reader, 0, 4096)
    assert TEXT in str(caught.value.details)


# ---- writing -------------------------------------------------------------------------------------------------


@with_text
def test_what_a_host_said_before_it_hung_up_is_its_reason(refuse: Refuse) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.become_disk()
        op, length = take_write(peer)
        refuse(peer, op, answered_write(length))
        peer.close()
        ended.set()

    with ScriptedHost(script) as host, writing(host, address(), tuned=options(attempts=1)) as writer:
        writer.write(0, bytes(512))
        assert ended.wait(10)
        with pytest.raises(DiskAccessFailed) as caught:
            writer.write(512, bytes(4 << 20))
    assert TEXT in str(caught.value.details)


@every_form
def test_a_refused_write_does_not_count_as_written(refuse: Refuse) -> None:
    taken = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        op, length = take_write(peer)
        refuse(peer, op, answered_write(length))
        wait_for_closings(peer)

    def honest_writer(peer: Peer) -> None:
        peer.become_disk()
        op, length = take_write(peer)
        taken.append(length)
        peer.frame(7, op, answered_write(length)[4:])
        wait_for_closings(peer)

    with ScriptedHost(script, honest_writer) as host, writing(host, address()) as writer:
        writer.write(0, pattern(4096))
        writer.flush()
    assert taken == [4096]


@every_form
def test_a_write_that_is_always_refused_is_an_error(refuse: Refuse) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        op, length = take_write(peer)
        refuse(peer, op, answered_write(length))
        peer.wait_for_end()

    with ScriptedHost(script) as host, writing(host, address(), tuned=options(attempts=2)) as writer:
        writer.write(0, pattern(4096))
        with pytest.raises(DiskAccessFailed, match="0x0b"):
            writer.flush()


# ---- opening -------------------------------------------------------------------------------------------------


def refusing_open(refuse: Refuse) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session()
        op, payload = peer.expect(4)
        peer.receive(struct.unpack_from("<I", payload)[0])
        refuse(peer, op, answered_open())
        op, _ = peer.expect(3)
        peer.frame(3, op, bytes(4))
        assert peer.receive(264) == struct.pack("<I", 4) + bytes(260)

    return script


@every_form
def test_a_refused_disk_is_not_open(refuse: Refuse) -> None:
    with (
        ScriptedHost(refusing_open(refuse)) as host,
        pytest.raises(ReadNotPermitted, match="0x0b") as caught,
        reading(host, address()),
    ):
        pass
    assert (TEXT in str(caught.value.details)) is (refuse is not in_the_status)


@every_form
def test_a_disk_that_may_not_be_written_says_so(refuse: Refuse) -> None:
    with (
        ScriptedHost(refusing_open(refuse)) as host,
        pytest.raises(WriteNotPermitted),
        writing(host, address()),
    ):
        pass


@pytest.mark.parametrize("size", [52, 60, 68])
def test_every_known_length_of_an_opened_disk_is_understood(size: int) -> None:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session()
        op, payload = peer.expect(4)
        peer.receive(struct.unpack_from("<I", payload)[0])
        peer.frame(4, op, answered_open(size)[4:])
        read = peer.read_request()
        peer.fragment(read, 0, pattern(read.length))
        peer.wait_for_end()

    with ScriptedHost(script) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)


# ---- other questions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("refuse", FORMS[:2], ids=lambda form: form.__name__)
def test_reading_goes_on_after_a_refused_question(refuse: Refuse) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        op, payload = peer.expect(13)
        refuse(peer, op, struct.pack("<I", 13) + payload)
        serve_reads(peer)

    log = RecordingTaskLog()
    with ScriptedHost(script, honest) as host, reading(host, address(), log=log) as reader:
        assert reader.allocated_extents() is None
        assert read_bytes(reader, 0, 4096) == pattern(4096)
    assert [kind.code for kind in log.kinds()] == ["transport.allocation_unknown"]


def test_a_text_without_end_is_not_waited_for() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.frame(1, read.op, struct.pack("<Q2I", 0x0B, 0, 0xFFFFFFFF))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        reading(host, address()) as reader,
        pytest.raises(DiskAccessFailed, match="follow the protocol"),
    ):
        read_bytes(reader, 0, 4096)


def test_a_refusal_that_nothing_follows_is_one_all_the_same() -> None:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session()
        op, payload = peer.expect(4)
        peer.receive(struct.unpack_from("<I", payload)[0])
        peer.frame(1, op, struct.pack("<Q2I", 0x0B, 0, len(TEXT)), TEXT.encode())
        peer.wait_for_end()

    with ScriptedHost(script) as host, pytest.raises(ReadNotPermitted, match="0x0b"), reading(host, address()):
        pass


def test_a_write_that_was_sent_in_part_is_not_filled_up_with_closing_words() -> None:
    """What would follow a torn write would be taken for the rest of its data."""
    stopped, rest = CancelToken(), bytearray()

    def script(peer: Peer) -> None:
        peer.become_disk()
        peer.expect(7)
        time.sleep(0.5)  # until the client cannot send any more
        stopped.cancel()
        time.sleep(0.5)  # until it has heard of that
        rest.extend(peer.receive_all())

    size = 8 << 20
    tuned = options(transfer_buffer_bytes=size)
    with (
        ScriptedHost(script) as host,
        writing(host, address(), tuned=tuned, cancel=stopped) as writer,
        pytest.raises(TaskCancelled),
    ):
        writer.write(0, bytes(size))
    assert rest
    for closing in (5, 3):
        assert struct.pack("<2I", MAGIC, closing) not in rest
