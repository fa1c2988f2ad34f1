"""A large disk read over NFC while the manner is measured, with every byte right."""

import random
from pathlib import Path

import pytest

from app.domain.states import TransportMode
from app.simulator.faults import FaultScript
from app.transport import messages
from app.transport.options import TransportOptions
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import NfcLab
from tests.unit.transport.opening import BOTH_MODES, reading, requests, whole

MIB = 1 << 20
CAPACITY = 96 * MIB


@pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)
def test_a_disk_is_read_exactly_while_its_manner_is_measured(tmp_path: Path, mode: TransportMode) -> None:
    words = [random.Random(5).randbytes(8), bytes(24), b"the same again and again"]
    content = random.Random(6)
    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        for start in range(0, 64 * MIB, MIB):
            disk.write(start, b"".join(content.choices(words, k=MIB // 16))[:MIB])
        log = RecordingTaskLog()
        tuned = TransportOptions(close_timeout_s=0.3)
        with reading(lab, lab.address(disk), mode=mode, tuned=tuned, log=log) as reader:
            for request in reader.read_many(requests(whole(CAPACITY, MIB))):
                assert bytes(request.buffer) == disk.read(request.offset, len(request.buffer)), request.offset
    assert messages.PACKING_CHOSEN in log.kinds()


def test_a_host_without_memory_is_asked_for_less_at_once(tmp_path: Path) -> None:
    faults = FaultScript()
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        faults.nfc.refuse_read(5, code=5, text="Failed to allocate the requested 2097176 bytes")
        log = RecordingTaskLog()
        with reading(lab, lab.address(disk), tuned=TransportOptions(close_timeout_s=0.3), log=log) as reader:
            for request in reader.read_many(requests(whole(CAPACITY, MIB))):
                assert not any(request.buffer)
    assert log.kinds().count(messages.BACKED_OFF) == 1
    assert "2.10 MB" in log.text() or "2 MiB" in log.text()
