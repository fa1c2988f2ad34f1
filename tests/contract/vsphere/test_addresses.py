"""Addresses of platforms and hosts: IPv6 with and without brackets, and names that nobody here knows."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from app.core.access import AccessMode, DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.domain.errors import OperationalError, PlatformUnreachable
from app.domain.states import TransportMode
from app.engine.doctor.platform import probe_port
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, UserSpec, VmSpec
from app.transport import messages
from app.transport.factory import NativeTransports
from app.vsphere.certificates import fetch_certificate
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.unit.transport.opening import options

DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
VM = VmSpec(name="web-01", disks=(DISK,), powered_on=False)
V6 = "::1"
UNKNOWN = "esx01.lab.invalid"


def has_v6() -> bool:
    try:
        with closing(socket.create_server((V6, 0), family=socket.AF_INET6)):
            return True
    except OSError:
        return False


needs_v6 = pytest.mark.skipif(not has_v6(), reason="this machine has no IPv6 address ::1")


def read_disk(hypervisor: VSphereHypervisor, mode: TransportMode, log: RecordingTaskLog) -> bytes:
    """Read the first MiB of the VM's disk by one mode."""
    [vm] = hypervisor.list_vms()
    [disk] = hypervisor.vm_details(vm.id).disks
    address = DiskAddress(
        vm=vm.id,
        vm_name=vm.name,
        disk_key=disk.key,
        path=disk.path,
        capacity_bytes=disk.capacity_bytes,
    )
    content = bytearray(1 << 20)
    transports = NativeTransports(options())
    reader = transports.open_reader(
        hypervisor.disk_access, address, preferred=[mode], log=log, cancel=CancelToken()
    )
    with closing(reader):
        for _ in reader.read_many([ReadRequest(0, memoryview(content))]):
            pass
    return bytes(content)


@needs_v6
@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("version", list(RELEASES))
def test_a_platform_at_an_ipv6_address_is_spoken_to_by_every_way(
    tmp_path: Path, version: Version, flavour: Flavour, log: RecordingTaskLog
) -> None:
    user = UserSpec(name="root")
    spec = SimulatorSpec(
        version=version, vms=(VM,), address=V6, flavour=flavour, hosts=("esx01.lab",), users=(user,)
    )
    with VSphereSimulator(spec, tmp_path / "v6") as simulator:
        platform = platform_of(simulator)
        assert fetch_certificate(V6, platform.port).thumbprint_sha256 == simulator.thumbprint_sha256
        assert probe_port(V6, simulator.nfc_port) is None
        with VSphereFactory(SystemClock()).connect(platform, simulator.password) as hypervisor:
            content = read_disk(hypervisor, TransportMode.NFC_SSL, log)
            assert read_disk(hypervisor, TransportMode.HTTPS, log) == content


@needs_v6
def test_a_ticket_may_have_its_address_in_brackets(tmp_path: Path, log: RecordingTaskLog) -> None:
    spec = SimulatorSpec(vms=(VM,), address=V6, ticket_host=f"[{V6}]")
    with connected(tmp_path, spec) as hypervisor:
        assert len(read_disk(hypervisor, TransportMode.NFC_SSL, log)) == 1 << 20
    assert messages.DIALLED_BY_ADDRESS not in log.kinds()


class connected:  # noqa: N801 - reads as a function
    """A session on a simulator of its own."""

    def __init__(self, folder: Path, spec: SimulatorSpec) -> None:
        self._simulator = VSphereSimulator(spec, folder / "vc")
        self._sessions: list[VSphereHypervisor] = []

    def __enter__(self) -> VSphereHypervisor:
        simulator = self._simulator.__enter__()
        session = VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password)
        self._sessions.append(session)
        return session

    def __exit__(self, *exc: object) -> None:
        for session in self._sessions:
            session.close()
        self._simulator.stop()


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_host_whose_name_is_not_known_here_is_spoken_to_at_its_management_address(
    tmp_path: Path, version: Version, log: RecordingTaskLog
) -> None:
    spec = SimulatorSpec(version=version, vms=(VM,), ticket_host=UNKNOWN)
    with connected(tmp_path, spec) as hypervisor:
        content = read_disk(hypervisor, TransportMode.NFC_SSL, log)
        assert read_disk(hypervisor, TransportMode.HTTPS, log) == content
    (line,) = [line for _, kind, line in log.lines if kind is messages.DIALLED_BY_ADDRESS]
    assert UNKNOWN in line
    assert "127.0.0.1" in line


def test_a_host_that_neither_its_name_nor_its_address_reaches_is_named_with_both(
    tmp_path: Path, log: RecordingTaskLog
) -> None:
    spec = SimulatorSpec(vms=(VM,), ticket_host=UNKNOWN, management_address="127.0.0.9")
    with connected(tmp_path, spec) as hypervisor, pytest.raises(OperationalError) as caught:
        read_disk(hypervisor, TransportMode.NFC_SSL, log)
    text = f"{caught.value.message}\n{log.text()}"
    assert UNKNOWN in text
    assert "127.0.0.9" in text


def test_the_addresses_for_management_leave_out_what_only_the_host_can_use(tmp_path: Path) -> None:
    spec = SimulatorSpec(vms=(VM,), management_address="fe80::1", ticket_host=UNKNOWN)
    with connected(tmp_path, spec) as hypervisor:
        [vm] = hypervisor.list_vms()
        assert hypervisor.disk_access.nfc is not None
        ticket = hypervisor.disk_access.nfc.nfc_ticket(vm.id, 2000, AccessMode.READ)
    assert ticket.management_addresses == ()


def test_a_platform_whose_name_is_not_known_here_says_so() -> None:
    with pytest.raises(PlatformUnreachable, match="name") as caught:
        fetch_certificate("vcenter.lab.invalid")
    assert "vcenter.lab.invalid" in caught.value.message
