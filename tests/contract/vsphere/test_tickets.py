"""Tickets for disks: which one is asked for, and what the host's age and networks mean for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim, vmodl

from app.core.access import AccessMode, DiskAddress, NfcTicket
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.domain.errors import OperationalError, PrivilegeMissing
from app.domain.states import TransportMode
from app.simulator.nfc import profile_of
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, UserSpec, VmSpec
from app.transport.factory import NativeTransports
from app.vsphere import messages
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.nfc_hosts import NfcHost
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.unit.transport.opening import options

DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
VM = VmSpec(name="web-01", disks=(DISK,), powered_on=False)
ADMINISTRATOR = SimulatorSpec().users[0]
FILES, ONE_DISK = (f"VirtualMachine.Provisioning.{name}" for name in ("GetVmFiles", "DiskRandomRead"))
BACKUP_ADDRESS = "127.0.0.2"


@contextmanager
def session(folder: Path, spec: SimulatorSpec, user: UserSpec | None = None) -> Iterator[VSphereHypervisor]:
    with VSphereSimulator(spec, folder) as simulator:
        platform, password = platform_of(simulator), simulator.password
        if user is not None:
            platform, password = replace(platform, user=user.name), user.password
        with VSphereFactory(SystemClock()).connect(platform, password) as hypervisor:
            yield hypervisor


def ticket_of(hypervisor: VSphereHypervisor, access: AccessMode = AccessMode.READ) -> NfcTicket:
    [vm] = hypervisor.list_vms()
    assert hypervisor.disk_access.nfc is not None
    return hypervisor.disk_access.nfc.nfc_ticket(vm.id, 2000, access)


def spec_of(version: Version = "8.0.3", *users: UserSpec, **more: object) -> SimulatorSpec:
    return replace(SimulatorSpec(version=version, vms=(VM,), users=(ADMINISTRATOR, *users)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("access", AccessMode)
@pytest.mark.parametrize("version", list(RELEASES))
def test_a_ticket_says_what_the_host_speaks(tmp_path: Path, version: Version, access: AccessMode) -> None:
    with session(tmp_path / "vc", spec_of(version)) as hypervisor:
        ticket = ticket_of(hypervisor, access)
    assert ticket.library_version == profile_of(version).library_version
    assert (ticket.known_as, ticket.note) == ("", None)


@pytest.mark.parametrize("version", ["6.5.0", "8.0.3"])
@pytest.mark.parametrize(
    ("privileges", "is_noted"), [({FILES}, False), ({FILES, ONE_DISK}, False), ({ONE_DISK}, True)]
)
def test_all_files_of_a_vm_are_asked_for_first(
    tmp_path: Path, version: Version, privileges: set[str], is_noted: bool
) -> None:
    user = UserSpec(name="reader", password="r", privileges=frozenset(privileges))
    with session(tmp_path / "vc", spec_of(version, user), user) as hypervisor:
        ticket = ticket_of(hypervisor)
    assert (ticket.note is not None) is is_noted
    if ticket.note is not None:
        assert ticket.note.kind is messages.OTHER_TICKET
        assert "GetVmFiles" in str(ticket.note) + ticket.note.details


def test_an_account_that_may_read_nothing_is_told_the_privilege_that_it_should_have(tmp_path: Path) -> None:
    user = UserSpec(name="nobody", password="n", privileges=frozenset())
    with (
        session(tmp_path / "vc", spec_of("8.0.3", user), user) as hypervisor,
        pytest.raises(PrivilegeMissing, match="GetVmFiles"),
    ):
        ticket_of(hypervisor)


def test_a_network_for_backups_is_dialled_and_named(tmp_path: Path) -> None:
    with session(tmp_path / "vc", spec_of(backup_address=BACKUP_ADDRESS)) as hypervisor:
        ticket = ticket_of(hypervisor)
        assert (ticket.host, ticket.known_as) == (BACKUP_ADDRESS, "esx01.lab")
        assert first_sector(hypervisor, RecordingTaskLog()) == bytes(512)


def test_a_network_for_backups_that_is_not_routed_is_said_to_be_that(tmp_path: Path) -> None:
    unrouted = spec_of(backup_address=BACKUP_ADDRESS, is_backup_network_routed=False)
    log = RecordingTaskLog()
    with session(tmp_path / "vc", unrouted) as hypervisor, pytest.raises(OperationalError):
        first_sector(hypervisor, log)
    assert BACKUP_ADDRESS in log.text()
    assert "esx01.lab" in log.text()


@pytest.mark.parametrize(
    ("fault", "library"),
    [(vmodl.fault.InvalidRequest(), 0), (vim.fault.NoPermission(privilegeId="System.Read"), 11)],
    ids=["ESXi 6.0 does not know the question", "the account may not ask"],
)
def test_a_host_that_does_not_say_its_library_is_judged(
    tmp_path: Path, fault: vmodl.MethodFault, library: int
) -> None:
    spec = spec_of()
    with VSphereSimulator(spec, tmp_path / "vc") as simulator:
        simulator.faults.fail_call("NfcGetServerNfcLibVersion", fault=fault)
        with VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as hypervisor:
            assert ticket_of(hypervisor).library_version == library


@pytest.mark.parametrize(
    ("version", "is_too_old"), [("6.0.0", True), ("5.5.0", True), ("6.5.0", False), ("10.0", False), ("", False)]
)
def test_hosts_before_esxi_6_5_are_too_old(version: str, is_too_old: bool) -> None:
    host = NfcHost(reference=None, name="esx", version=version, library_version=0, backup_addresses=frozenset())
    assert host.is_too_old is is_too_old


def first_sector(hypervisor: VSphereHypervisor, log: RecordingTaskLog) -> bytes:
    """Read the beginning of the VM's disk over NFC."""
    [vm] = hypervisor.list_vms()
    [disk] = hypervisor.vm_details(vm.id).disks
    address = DiskAddress(
        vm=vm.id, vm_name=vm.name, disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
    )
    reader = NativeTransports(options()).open_reader(
        hypervisor.disk_access, address, preferred=(TransportMode.NFC_SSL,), log=log, cancel=CancelToken()
    )
    try:
        request = ReadRequest(0, memoryview(bytearray(512)))
        list(reader.read_many([request]))
        return bytes(request.buffer)
    finally:
        reader.close()
