"""The simulated host refuses single requests in every form, and whole disks still read and write exactly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.simulator.faults import FaultScript
from app.simulator.nfc import PROFILES, NfcOptions
from app.simulator.nfc.answers import Spoil
from app.simulator.storage import SimDisk
from app.transport.errors import ProtocolViolated, ServiceRefused
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import NfcLab
from tests.unit.transport.opening import BOTH_MODES, options, reading, requests, whole, writing
from tests.unit.transport.scripted import pattern

CAPACITY = 8 << 20
STEP = 256 * 1024

both_modes = pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)


@pytest.fixture
def faults() -> FaultScript:
    return FaultScript()


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.release)
def lab(request: pytest.FixtureRequest, tmp_path: Path, faults: FaultScript) -> Iterator[NfcLab]:
    with NfcLab(tmp_path, faults=faults, options=NfcOptions(profile=request.param)) as lab:
        yield lab


@pytest.fixture
def disk(lab: NfcLab) -> SimDisk:
    disk = lab.add_disk("web/web.vmdk", CAPACITY)
    disk.write(0, pattern(CAPACITY))
    return disk


@both_modes
def test_a_disk_reads_exactly_although_reads_are_refused(
    lab: NfcLab, disk: SimDisk, faults: FaultScript, mode: TransportMode
) -> None:
    for nth in (1, 9, 10, 20):
        faults.nfc.refuse_read(nth)
    log = RecordingTaskLog()
    with reading(lab, lab.address(disk), mode=mode, log=log) as reader:
        found = b"".join(bytes(request.buffer) for request in reader.read_many(requests(whole(CAPACITY, STEP))))
    assert found == pattern(CAPACITY)
    assert "0x06" in log.text()


@both_modes
def test_a_disk_is_written_exactly_although_writes_are_refused(
    lab: NfcLab, disk: SimDisk, faults: FaultScript, mode: TransportMode
) -> None:
    content = pattern(CAPACITY, seed=2)
    for nth in (1, 9, 10, 20):
        faults.nfc.refuse_write(nth)
    with writing(lab, lab.address(disk), mode=mode) as writer:
        for extent in whole(CAPACITY, STEP):
            writer.write(extent.start, content[extent.start : extent.end])
        writer.flush()
    assert disk.read(0, CAPACITY) == content


def test_what_was_refused_leaves_no_session_behind(lab: NfcLab, disk: SimDisk, faults: FaultScript) -> None:
    faults.nfc.refuse_read()
    with reading(lab, lab.address(disk)) as reader:
        list(reader.read_many(requests([Extent(0, STEP)])))
        assert lab.server.open_connections == 1


# ---- answers that no host should give -----------------------------------------------------------------------


@pytest.mark.parametrize("how", list(Spoil), ids=lambda how: how.name)
def test_a_spoilt_answer_is_an_error_and_never_data(tmp_path: Path, faults: FaultScript, how: Spoil) -> None:
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        disk.write(0, pattern(CAPACITY))
        faults.nfc.spoil_read(how, nth=3)
        with reading(lab, lab.address(disk)) as reader:
            asked = requests(whole(CAPACITY, STEP))
            with pytest.raises(ProtocolViolated):
                list(reader.read_many(asked))
            again = requests(whole(CAPACITY, STEP))
            assert b"".join(bytes(request.buffer) for request in reader.read_many(again)) == pattern(CAPACITY)


@both_modes
def test_a_host_that_answers_late_finds_the_pipe_full(
    tmp_path: Path, faults: FaultScript, mode: TransportMode
) -> None:
    with NfcLab(tmp_path, faults=faults) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        disk.write(0, pattern(CAPACITY))
        faults.nfc.hold_back(3)
        tuned = options(transfer_buffer_bytes=8 * STEP)
        with reading(lab, lab.address(disk), mode=mode, tuned=tuned) as reader:
            found = [bytes(request.buffer) for request in reader.read_many(requests(whole(CAPACITY, STEP)))]
        assert b"".join(found) == pattern(CAPACITY)


def test_a_host_without_tls_for_its_data_offers_plain_text_only(tmp_path: Path) -> None:
    with NfcLab(tmp_path, options=NfcOptions(offers_tls=False)) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        with pytest.raises(ServiceRefused), reading(lab, lab.address(disk), mode=TransportMode.NFC_SSL):
            pass
        with reading(lab, lab.address(disk), mode=TransportMode.NFC) as reader:
            assert reader.capacity_bytes == CAPACITY
