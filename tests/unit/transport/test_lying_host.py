"""A host that breaks the protocol gives a clear error at once: no hang, no growth, no second try."""

import struct
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.transport.errors import ProtocolViolated
from app.transport.options import Compression
from tests.support.fakes import RecordingTaskLog
from tests.unit.transport.opening import options, read_bytes, reading, requests
from tests.unit.transport.scripted import BANNER, MAGIC, Peer, ScriptedHost, SeenRead, address, pattern

LENGTH = 128 * 1024
HALF = LENGTH // 2


def wrong_magic(peer: Peer, read: SeenRead) -> None:
    peer.send(struct.pack("<4I", 0xDEADBEEF, 7, 44, read.op) + bytes(44))


def endless_payload(peer: Peer, read: SeenRead) -> None:
    peer.send(struct.pack("<4I", MAGIC, 7, 0xFFFFFFFF, read.op))


def payload_of_another_size(peer: Peer, read: SeenRead) -> None:
    peer.frame(7, read.op, bytes(48))


def another_type(peer: Peer, read: SeenRead) -> None:
    peer.frame(13, read.op, bytes(44))


def another_request(peer: Peer, read: SeenRead) -> None:
    peer.fragment(SeenRead(read.op + 9, read.offset, read.length), 0, bytes(read.length))


def beyond_the_request(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, LENGTH - 512, bytes(1024))


def overflowing_fragment(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0xFFFFFE00, b"", plain=1024, extra=1024)


def fragment_twice(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, bytes(HALF))
    peer.fragment(read, 0, bytes(HALF))


def overlapping_fragments(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, HALF, bytes(HALF))
    peer.fragment(read, 0, bytes(HALF + 512))


def empty_fragment(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, b"")


def longer_than_it_says(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, b"", plain=LENGTH, extra=LENGTH + 512)


def another_offset(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, bytes(LENGTH), offset=read.offset + 512)


def another_total(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, bytes(LENGTH), total=LENGTH * 2)


def answer_to_a_write(peer: Peer, read: SeenRead) -> None:
    payload = struct.pack("<3Q5I", 0, 0, read.offset, LENGTH, 0, LENGTH, LENGTH, 0)
    peer.frame(7, read.op, payload, bytes(LENGTH))


def unknown_compression(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, bytes(512), plain=LENGTH, compression=4)


def compressed_larger_than_buffer(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, b"", plain=LENGTH, extra=0xFFFFFFFF, compression=1)


def zlib_bomb(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, zlib.compress(bytes(64 << 20)), plain=LENGTH, compression=1)


def zlib_too_short(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, zlib.compress(bytes(LENGTH - 1)), plain=LENGTH, compression=1)


def zlib_damaged(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, b"not zlib at all", plain=LENGTH, compression=1)


def fastlz_bomb(peer: Peer, read: SeenRead) -> None:
    peer.fragment(read, 0, b"\x20\x00" + b"\xff" * 1000 + b"\x00", plain=LENGTH, compression=2)


def skipz_outside(peer: Peer, read: SeenRead) -> None:
    runs = struct.pack("<4I", LENGTH, 0, LENGTH - 4, 8) + bytes(8)
    peer.fragment(read, 0, runs, plain=LENGTH, compression=3)


def short_error(peer: Peer, read: SeenRead) -> None:
    peer.frame(1, read.op, b"\x01")


LIES: list[Callable[[Peer, SeenRead], None]] = [
    wrong_magic,
    endless_payload,
    payload_of_another_size,
    another_type,
    another_request,
    beyond_the_request,
    overflowing_fragment,
    fragment_twice,
    overlapping_fragments,
    empty_fragment,
    longer_than_it_says,
    another_offset,
    another_total,
    answer_to_a_write,
    unknown_compression,
    compressed_larger_than_buffer,
    zlib_bomb,
    zlib_too_short,
    zlib_damaged,
    fastlz_bomb,
    skipz_outside,
    short_error,
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_in_an_answer_is_a_clear_error_without_a_second_try(lie: Callable[[Peer, SeenRead], None]) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        lie(peer, peer.read_request())
        peer.wait_for_end()

    tuned = options(transfer_buffer_bytes=2 * LENGTH)
    with ScriptedHost(script) as host, reading(host, address(), tuned=tuned) as reader:
        with pytest.raises(ProtocolViolated) as caught:
            read_bytes(reader, 1 << 20, LENGTH)
        assert not caught.value.retryable
        assert caught.value.params["detail"]
        assert len(host.connections) == 1


def test_a_lie_ends_only_the_request_that_met_it() -> None:
    def liar(peer: Peer) -> None:
        peer.become_disk()
        wrong_magic(peer, peer.read_request())
        peer.wait_for_end()

    def honest(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.fragment(read, 0, pattern(read.length))
        peer.wait_for_end()

    with ScriptedHost(liar, honest) as host, reading(host, address()) as reader:
        with pytest.raises(ProtocolViolated):
            read_bytes(reader, 0, 4096)
        assert read_bytes(reader, 0, 4096) == pattern(4096)


def test_unanswered_settings_do_not_matter() -> None:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session(answer_settings=False)
        peer.open_file()
        read = peer.read_request()
        peer.fragment(read, 0, pattern(read.length))
        peer.wait_for_end()

    with ScriptedHost(script) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)


def test_a_refused_buffer_is_asked_for_smaller_with_a_new_ticket() -> None:
    sizes: list[int] = []

    def picky(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        op, payload = peer.expect(2)
        size: int = struct.unpack("<4I", payload)[1]
        sizes.append(size)
        if size > 64 * 1024:
            peer.error(op, 3)
        else:
            peer.frame(2, op, bytes(16))
            peer.expect(9)
            peer.expect(22)
            peer.open_file()
        peer.wait_for_end()

    log = RecordingTaskLog()
    tuned = options(transfer_buffer_bytes=4 << 20)
    with ScriptedHost(picky) as host, reading(host, address(), tuned=tuned, log=log):
        assert sizes == [2 << 20, 512 << 10, 64 << 10]
        assert len({ticket.session_id for ticket in host.tickets_given}) == 3
    assert [kind.code for kind in log.kinds()] == ["transport.buffer_reduced"] * 2


# ---- answers to other questions ------------------------------------------------------------------------------


def test_a_bitmap_for_another_number_of_chunks_is_refused() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        op, payload = peer.expect(13)
        handle, _, chunk, start, count, _ = struct.unpack("<6Q", payload)
        peer.frame(13, op, struct.pack("<6Q", handle, 0, chunk, start, count * 1000, 0), bytes(16))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        reading(host, address()) as reader,
        pytest.raises(ProtocolViolated, match="128000 chunks"),
    ):
        reader.allocated_extents()


def test_a_host_that_does_not_know_what_is_allocated_is_believed() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        peer.error(peer.expect(13)[0], 0x2)
        peer.wait_for_end()

    log = RecordingTaskLog()
    with ScriptedHost(script) as host, reading(host, address(), log=log) as reader:
        assert reader.allocated_extents() is None
    assert "0x02" in log.text()


def test_a_database_entry_of_endless_length_is_refused() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        op, payload = peer.expect(11)
        assert peer.receive(struct.unpack("<Q2I", payload)[1]) == b"uuid"
        peer.frame(11, op, struct.pack("<4I", 0, 0, 0, 0xFFFFFFFF))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        reading(host, address()) as reader,
        pytest.raises(ProtocolViolated, match="4294967295"),
    ):
        reader.database_entry("uuid")


# ---- ends and silence ----------------------------------------------------------------------------------------


def test_a_host_that_always_closes_early_is_given_up_after_the_attempts() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.fragment(read, 0, bytes(512))

    log = RecordingTaskLog()
    with ScriptedHost(script) as host, reading(host, address(), tuned=options(attempts=3), log=log) as reader:
        with pytest.raises(DiskAccessFailed, match="given up after 3 attempts"):
            read_bytes(reader, 0, 4096)
        assert len(host.connections) == 3
    assert [kind.code for kind in log.kinds()].count("transport.connection_lost") == 2


@pytest.mark.parametrize("said", [0, 16, 30, 60, 100], ids=lambda said: f"after_{said}_bytes")
def test_silence_is_given_up_after_the_time_limit(said: int) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        payload = struct.pack("<3Q5I", 0, 1, read.offset, read.length, 0, read.length, read.length, 0)
        answer = struct.pack("<4I", MAGIC, 7, 44, read.op) + payload + bytes(read.length)
        peer.send(answer[:said])
        peer.stay_silent()

    tuned = options(answer_timeout_s=0.3, attempts=2)
    with ScriptedHost(script) as host, reading(host, address(), tuned=tuned) as reader:
        started = time.monotonic()
        with pytest.raises(DiskAccessFailed, match="given up after 2 attempts"):
            read_bytes(reader, 0, 4096)
        assert time.monotonic() - started < 5


def test_a_host_that_drips_bytes_is_given_up_too() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        peer.read_request()
        for byte in struct.pack("<4I", MAGIC, 7, 44, 3) + bytes(1000):
            peer.send(bytes([byte]))
            time.sleep(0.05)  # dripping is what this host does

    tuned = options(answer_timeout_s=0.4, attempts=1)
    with ScriptedHost(script) as host, reading(host, address(), tuned=tuned) as reader:
        started = time.monotonic()
        with pytest.raises(DiskAccessFailed, match="too little"):
            read_bytes(reader, 0, 4096)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("silent_from", ["banner", "tls", "nfc", "disk"])
def test_a_silent_host_does_not_keep_a_task_from_being_stopped(silent_from: str) -> None:
    reached = threading.Event()

    def script(peer: Peer) -> None:
        if silent_from == "tls":
            peer.send(BANNER)
        if silent_from == "nfc":
            peer.admit()
        if silent_from == "disk":
            peer.become_disk()
            peer.read_request()
        reached.set()
        peer.stay_silent()

    cancel = CancelToken()

    def stop_when_silent() -> None:
        reached.wait(10)
        cancel.cancel()

    canceller = threading.Thread(target=stop_when_silent)
    tuned = options(answer_timeout_s=30)
    with ScriptedHost(script) as host:
        canceller.start()
        with pytest.raises(TaskCancelled), reading(host, address(), tuned=tuned, cancel=cancel) as reader:
            list(reader.read_many(requests([Extent(0, 4096)])))
        canceller.join()


def test_compression_that_was_not_asked_for_is_read_all_the_same() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.fragment(
            read, 0, zlib.compress(pattern(read.length)), plain=read.length, compression=Compression.ZLIB
        )
        peer.stay_silent()

    with ScriptedHost(script) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)
