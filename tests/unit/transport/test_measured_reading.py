"""A large disk read and written over NFC while the manner is measured, with every byte right."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.access import AccessMode, NfcTicket
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.simulator.faults import FaultScript
from app.transport import messages
from app.transport.nfc import tuning
from app.transport.options import Compression, TransportOptions
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import NfcLab
from tests.unit.transport.opening import BOTH_MODES, reading, requests, whole, writing

MIB = 1 << 20
CAPACITY = 96 * MIB
QUICK_END = TransportOptions(close_timeout_s=0.3)


@pytest.fixture(autouse=True)
def measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure from the first answer on: what is read here takes less than what is otherwise read as it is."""
    monkeypatch.setattr(tuning, "WORTH_S", 0.0)


def pieces() -> Iterator[tuple[int, bytes]]:
    """Yield the content of a disk whose pieces pack well, badly and to nothing."""
    words = [random.Random(5).randbytes(8), bytes(24), b"the same again and again"]
    content = random.Random(6)
    for start in range(0, 64 * MIB, MIB):
        yield start, b"".join(content.choices(words, k=MIB // 16))[:MIB]


@pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)
def test_a_disk_is_read_exactly_while_its_manner_is_measured(tmp_path: Path, mode: TransportMode) -> None:
    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        for start, piece in pieces():
            disk.write(start, piece)
        log = RecordingTaskLog()
        with reading(lab, lab.address(disk), mode=mode, tuned=QUICK_END, log=log) as reader:
            for request in reader.read_many(requests(whole(CAPACITY, MIB))):
                assert bytes(request.buffer) == disk.read(request.offset, len(request.buffer)), request.offset
    assert messages.PACKING_CHOSEN in log.kinds()


def test_a_host_without_memory_is_asked_for_less_at_once(tmp_path: Path) -> None:
    faults = FaultScript()
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        faults.nfc.refuse_read(5, code=5, text="Failed to allocate the requested 2097176 bytes")
        log = RecordingTaskLog()
        with reading(lab, lab.address(disk), tuned=QUICK_END, log=log) as reader:
            for request in reader.read_many(requests(whole(CAPACITY, MIB))):
                assert not any(request.buffer)
    assert log.kinds().count(messages.BACKED_OFF) == 1
    assert "2.10 MB" in log.text() or "2 MiB" in log.text()


@pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)
def test_a_disk_is_written_exactly_while_its_manner_is_measured(tmp_path: Path, mode: TransportMode) -> None:
    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        log = RecordingTaskLog()
        with writing(lab, lab.address(disk), mode=mode, tuned=QUICK_END, log=log) as writer:
            for start, piece in pieces():
                writer.write(start, piece)
            writer.flush()
        for start, piece in pieces():
            assert disk.read(start, MIB) == piece, start
    assert messages.PACKING_CHOSEN in log.kinds()


@pytest.mark.parametrize("is_written", [False, True], ids=["read", "written"])
def test_a_host_that_knows_no_packing_is_spoken_to_without(tmp_path: Path, is_written: bool) -> None:
    faults = FaultScript()
    faults.nfc.forget_packings(Compression.SKIPZ, Compression.ZLIB, Compression.FASTLZ)
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        log = RecordingTaskLog()
        if is_written:
            with writing(lab, lab.address(disk), tuned=QUICK_END, log=log) as writer:
                for start, piece in pieces():
                    writer.write(start, piece)
                writer.flush()
            for start, piece in pieces():
                assert disk.read(start, MIB) == piece, start
        else:
            for start, piece in pieces():
                disk.write(start, piece)
            with reading(lab, lab.address(disk), tuned=QUICK_END, log=log) as reader:
                for request in reader.read_many(requests(whole(CAPACITY, MIB))):
                    assert bytes(request.buffer) == disk.read(request.offset, MIB), request.offset
    assert log.kinds().count(messages.PACKING_REFUSED) == (2 if is_written else 3)


def test_a_host_without_memory_is_sent_less_at_once(tmp_path: Path) -> None:
    faults = FaultScript()
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        faults.nfc.refuse_write(5, code=5, text="Failed to allocate the requested 2097176 bytes")
        log = RecordingTaskLog()
        with writing(lab, lab.address(disk), tuned=QUICK_END, log=log) as writer:
            for start, piece in pieces():
                writer.write(start, piece)
            writer.flush()
        for start, piece in pieces():
            assert disk.read(start, MIB) == piece, start
    assert log.kinds().count(messages.BACKED_OFF) == 1


@pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)
def test_sessions_with_other_buffers_are_tried_without_losing_a_byte(
    tmp_path: Path, mode: TransportMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "REOPENED_AFTER_BYTES", 32 * MIB)
    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web/web.vmdk", 3 * CAPACITY)
        for start, piece in pieces():
            for turn in range(3):
                disk.write(start + turn * CAPACITY, piece)
        log = RecordingTaskLog()
        with reading(lab, lab.address(disk), mode=mode, tuned=QUICK_END, log=log) as reader:
            for request in reader.read_many(requests(whole(3 * CAPACITY, MIB))):
                assert bytes(request.buffer) == disk.read(request.offset, len(request.buffer)), request.offset
    assert log.kinds().count(messages.BUFFERS_CHOSEN) == 1
    assert lab.server.accepted_connections in (2, 3)


def test_a_session_with_other_buffers_that_breaks_at_once_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "REOPENED_AFTER_BYTES", 32 * MIB)
    faults = FaultScript()

    class BreakingSecond(NfcLab):
        tickets_given = 0

        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            self.tickets_given += 1
            if self.tickets_given == 2:
                faults.drop_nfc(0)
            return super().nfc_ticket(vm, disk_key, access)

    with BreakingSecond(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", 3 * CAPACITY)
        log = RecordingTaskLog()
        with reading(lab, lab.address(disk), tuned=QUICK_END, log=log) as reader:
            for request in reader.read_many(requests(whole(3 * CAPACITY, MIB))):
                assert not any(request.buffer)
    assert log.kinds().count(messages.CONNECTION_RESTORED) == 1
    assert log.kinds().count(messages.BUFFERS_CHOSEN) == 1
