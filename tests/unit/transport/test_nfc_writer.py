"""Writing disks over NFC to the simulator's server."""

import random
import struct
import threading

import pytest

from app.core.access import AccessMode, NfcTicket
from app.core.cancel import CancelToken
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.transport.errors import DiskOpenRefused, ProtocolViolated, WriteNotPermitted
from app.transport.options import Compression
from tests.support.fakes import RecordingTaskLog
from tests.support.waiting import wait_until
from tests.unit.transport.conftest import CAPACITY, Lab
from tests.unit.transport.opening import BOTH_MODES, options, writing
from tests.unit.transport.scripted import HANDLE, Peer, ScriptedHost, address, pattern


def fresh_content() -> bytes:
    """Return random bytes with a hole, for a whole disk."""
    content = bytearray(random.Random(11).randbytes(CAPACITY))
    content[1 << 20 : 3 << 20] = bytes(2 << 20)
    return bytes(content)


def on_disk(lab: Lab) -> bytes:
    """Return what the disk's own file holds."""
    return lab.disk.read(0, CAPACITY)


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_what_is_written_is_on_the_disk(lab: Lab, mode: TransportMode) -> None:
    content = fresh_content()
    with writing(lab.nfc, lab.address, mode=mode) as writer:
        assert (writer.capacity_bytes, writer.mode) == (CAPACITY, mode)
        for start in range(0, CAPACITY, 1 << 20):
            writer.write(start, content[start : start + (1 << 20)])
        writer.flush()
        assert on_disk(lab) == content


@pytest.mark.parametrize("compression", Compression)
def test_every_compression_writes_the_same(lab: Lab, compression: Compression) -> None:
    content = fresh_content()
    with writing(lab.nfc, lab.address, tuned=options(compression=compression)) as writer:
        for start in range(0, CAPACITY, 1 << 20):
            writer.write(start, memoryview(content)[start : start + (1 << 20)])
        writer.flush()
    assert on_disk(lab) == content


def test_a_write_larger_than_the_buffers_arrives_whole(lab: Lab) -> None:
    content = fresh_content()
    with writing(lab.nfc, lab.address, tuned=options(transfer_buffer_bytes=100 * 1024)) as writer:
        writer.write(0, content)
        writer.flush()
    assert on_disk(lab) == content


@pytest.mark.parametrize(("offset", "length"), [(5, 1), (510, 4), (1000, 5000), (CAPACITY - 3, 3), (512, 700)])
def test_bytes_between_sectors_leave_their_neighbours_alone(lab: Lab, offset: int, length: int) -> None:
    with writing(lab.nfc, lab.address) as writer:
        writer.write(offset, b"\xee" * length)
        writer.flush()
    assert on_disk(lab) == lab.content[:offset] + b"\xee" * length + lab.content[offset + length :]


def test_later_writes_win_over_earlier_ones_to_the_same_place(lab: Lab) -> None:
    lab.faults.drop_nfc(300_000)
    with writing(lab.nfc, lab.address) as writer:
        for value in range(20):
            writer.write(value * 512, bytes([value + 1]) * 40_960)
        writer.flush()
    expected = b"".join(bytes([value + 1]) * 512 for value in range(20)) + b"\x14" * (40_960 - 512)
    assert on_disk(lab)[: len(expected)] == expected


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_unacknowledged_writes_are_sent_again_after_a_drop(lab: Lab, mode: TransportMode) -> None:
    content = fresh_content()
    log = RecordingTaskLog()
    with writing(lab.nfc, lab.address, mode=mode, log=log) as writer:
        for after_bytes in (500_000, 2_500_000, 3_000_000):
            lab.faults.drop_nfc(after_bytes)
        for start in range(0, CAPACITY, 200_192):
            writer.write(start, content[start : start + 200_192])
        writer.flush()
    assert on_disk(lab) == content
    assert lab.nfc.server.accepted_connections == 4
    assert [kind.code for kind in log.kinds()] == [
        "transport.connection_lost",
        "transport.connection_restored",
    ] * 3


def test_acknowledgements_that_came_before_a_send_fails_count() -> None:
    ended = threading.Event()
    again: list[int] = []

    def take(peer: Peer) -> tuple[int, int]:
        op, payload = peer.expect(7)
        peer.receive(512)
        return op, struct.unpack("<3Q5I", payload)[2]

    def ending(peer: Peer) -> None:
        peer.become_disk()
        op, _ = take(peer)
        take(peer)
        peer.frame(7, op, bytes(44))
        peer.close()
        ended.set()

    def honest(peer: Peer) -> None:
        peer.become_disk()
        for _ in range(4):
            op, offset = take(peer)
            again.append(offset)
            peer.frame(7, op, bytes(44))
        peer.wait_for_end()

    with ScriptedHost(ending, honest) as host, writing(host, address()) as writer:
        for offset in (0, 512):
            writer.write(offset, bytes(512))
        assert ended.wait(10)
        for offset in (1024, 1536, 2048):
            writer.write(offset, bytes(512))
        writer.flush()
        assert again == [512, 1024, 1536, 2048], "what was acknowledged is not written again"


def test_a_stalled_write_is_sent_again(lab: Lab) -> None:
    content = fresh_content()
    with writing(lab.nfc, lab.address, tuned=options(answer_timeout_s=0.5)) as writer:
        lab.faults.stall_nfc(1_000_000, 30.0)
        for start in range(0, CAPACITY, 1 << 20):
            writer.write(start, content[start : start + (1 << 20)])
        writer.flush()
    assert on_disk(lab) == content


def test_several_writes_are_in_flight_but_no_more_than_the_transfer_buffer_holds() -> None:
    step = 64 * 1024
    arrived: list[tuple[int, int]] = []
    quiet: list[bool] = []

    def take(peer: Peer) -> int:
        op, payload = peer.expect(7)
        handle, direction, offset, total, start, plain, extra, _ = struct.unpack("<3Q5I", payload)
        assert (handle, direction, total, start, plain, extra) == (HANDLE, 0, step, 0, step, step)
        arrived.append((op, offset))
        assert peer.receive(step) == pattern(step)
        return op

    def script(peer: Peer) -> None:
        peer.become_disk()
        ops = [take(peer) for _ in range(3)]
        quiet.append(peer.is_quiet())
        peer.frame(7, ops[1], bytes(44))
        ops.append(take(peer))
        for op in (ops[3], ops[0], ops[2]):
            peer.frame(7, op, bytes(44))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        writing(host, address(), tuned=options(transfer_buffer_bytes=3 * step)) as writer,
    ):
        for index in range(4):
            writer.write(index * step, pattern(step))
        writer.flush()
    assert [offset for _, offset in arrived] == [index * step for index in range(4)]
    assert quiet == [True]


def test_a_write_waits_for_an_earlier_one_to_the_same_place() -> None:
    quiet: list[bool] = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        for value in (b"a", b"b"):
            op, _ = peer.expect(7)
            assert peer.receive(1024) == value * 1024
            quiet.append(peer.is_quiet())
            peer.frame(7, op, bytes(44))
        peer.wait_for_end()

    with ScriptedHost(script) as host, writing(host, address()) as writer:
        writer.write(0, b"a" * 1024)
        writer.write(512, b"b" * 1024)
        writer.flush()
    assert quiet == [True, True]


def test_an_acknowledgement_of_nothing_is_a_lie() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        peer.expect(7)
        peer.frame(7, 4711, bytes(44))
        peer.wait_for_end()

    with ScriptedHost(script) as host, writing(host, address()) as writer:
        writer.write(0, bytes(512))
        with pytest.raises(ProtocolViolated, match="4711"):
            writer.flush()


def test_lost_writes_stay_lost_until_the_disk_is_opened_again() -> None:
    def script(peer: Peer) -> None:
        peer.become_disk()
        op, _ = peer.expect(7)
        peer.receive(512)
        peer.error(op, 7)
        peer.wait_for_end()

    with ScriptedHost(script) as host, writing(host, address(), tuned=options(attempts=2)) as writer:
        writer.write(0, bytes(512))
        for _ in range(2):
            with pytest.raises(DiskAccessFailed, match="0x07"):
                writer.flush()
        with pytest.raises(DiskAccessFailed, match="earlier writes were lost"):
            writer.write(512, bytes(512))
        assert len(host.connections) == 2


def test_bytes_beyond_the_disk_are_refused(lab: Lab) -> None:
    with writing(lab.nfc, lab.address) as writer:
        with pytest.raises(ValueError, match=str(CAPACITY)):
            writer.write(CAPACITY - 512, bytes(1024))
        writer.close()
        with pytest.raises(ValueError, match="closed"):
            writer.write(0, bytes(512))
    assert on_disk(lab) == lab.content


def test_a_read_ticket_does_not_write(lab: Lab) -> None:
    class ReadTickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return lab.nfc.issue_ticket(AccessMode.READ)

    with pytest.raises(WriteNotPermitted, match="0x0b"), writing(ReadTickets(), lab.address):
        pass


def test_a_disk_in_use_is_not_opened_for_writing(lab: Lab) -> None:
    lab.nfc.locked.add(lab.address.path)
    with pytest.raises(DiskOpenRefused), writing(lab.nfc, lab.address):
        pass


def test_cancelling_stops_writing_and_leaves_no_connection(lab: Lab) -> None:
    cancel = CancelToken()
    with writing(lab.nfc, lab.address, cancel=cancel) as writer:
        writer.write(0, bytes(65536))
        cancel.cancel()
        with pytest.raises(TaskCancelled):
            writer.write(65536, bytes(65536))
    wait_until(lambda: not lab.nfc.server.open_connections)
