"""A disk's file is open over NFC or downloaded over HTTPS, never both; and we never try."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import DiskReader, ReadRequest
from app.domain.errors import NoTransportAvailable
from app.domain.states import TransportMode
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.transport.factory import NativeTransports
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.support.waiting import wait_until
from tests.unit.transport.opening import options

MIB = 1 << 20
NFC, HTTPS = TransportMode.NFC_SSL, TransportMode.HTTPS


@dataclass
class Site:
    """A powered-off VM of a vCenter with its one disk."""

    simulator: VSphereSimulator
    session: VSphereHypervisor
    address: DiskAddress
    log: RecordingTaskLog

    @contextmanager
    def reading(self, *modes: TransportMode, attempts: int = 1, capacity_bytes: int = 0) -> Iterator[DiskReader]:
        reader = NativeTransports(options(attempts=attempts)).open_reader(
            self.session.disk_access,
            replace(self.address, capacity_bytes=capacity_bytes or self.address.capacity_bytes),
            preferred=modes,
            log=self.log,
            cancel=CancelToken(),
        )
        try:
            yield reader
        finally:
            reader.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    vm = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=16 * MIB),), powered_on=False)
    with (
        VSphereSimulator(SimulatorSpec(vms=(vm,)), tmp_path / "vc") as simulator,
        VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as session,
    ):
        [found] = session.list_vms()
        [disk] = session.vm_details(found.id).disks
        address = DiskAddress(
            vm=found.id, vm_name="web-01", disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
        )
        yield Site(simulator, session, address, RecordingTaskLog())


def first_mib(reader: DiskReader) -> bytes:
    request = ReadRequest(0, memoryview(bytearray(MIB)))
    list(reader.read_many([request]))
    return bytes(request.buffer)


def test_a_download_waits_until_the_file_is_closed_over_nfc(site: Site) -> None:
    with site.reading(NFC) as reader:
        content = first_mib(reader)
        with pytest.raises(NoTransportAvailable, match="500"), site.reading(HTTPS):
            pass
        closing = threading.Timer(0.3, reader.close)
        closing.start()
        with site.reading(HTTPS, attempts=200) as other:
            assert first_mib(other) == content
        closing.join()


def test_a_disk_that_is_downloaded_is_locked_for_nfc(site: Site) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        go_on.wait(20)

    site.simulator.faults.halt_reads(2 * MIB, hold)
    with site.reading(HTTPS) as reader:
        whole = threading.Thread(target=lambda: [first_mib(reader) for _ in range(4)])
        whole.start()
        assert reached.wait(20)
        with pytest.raises(NoTransportAvailable, match="16392"), site.reading(NFC):
            pass
        go_on.set()
        whole.join()
    wait_until(lambda: _opens(site), what="the disk to be free again")


def test_a_mode_that_is_given_up_has_let_go_before_the_next_is_tried(site: Site) -> None:
    """The disk has another size than the platform said: NFC has it open when that shows."""
    with (
        pytest.raises(NoTransportAvailable) as caught,
        site.reading(NFC, HTTPS, capacity_bytes=site.address.capacity_bytes + 512),
    ):
        pass
    assert "500" not in str(caught.value)
    with site.reading(HTTPS) as reader:
        assert first_mib(reader)


def _opens(site: Site) -> bool:
    try:
        with site.reading(NFC):
            return True
    except NoTransportAvailable:
        return False
