"""The privileges that docs/vsphere.md names are enough."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.contract.transports import ProbedMode
from app.core.access import AccessMode
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.ids import TaskId
from app.domain.vms import PowerState, VmPlacement
from app.engine.doctor.platform import Looks, examine_platform
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, UserSpec, VmSpec
from app.vsphere import privileges
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import ROOT
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

_ROW = re.compile(
    r"^\|(?P<name>[^|]*)\|(?P<ids>[^|]*)\|(?P<backup>[^|]*)\|(?P<restore>[^|]*)\|[^|]*\|$", re.MULTILINE
)


def documented(column: str) -> frozenset[str]:
    """The ids that the table of the documentation ticks in a column."""
    text = (ROOT / "docs" / "vsphere.md").read_text(encoding="utf-8")
    rows = [match for match in _ROW.finditer(text) if "✓" in match[column]]
    return frozenset(privilege for row in rows for privilege in re.findall(r"`([\w.]+)`", row["ids"]))


DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
ADMINISTRATOR = SimulatorSpec().users[0]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    spec = SimulatorSpec(
        vms=(
            VmSpec(name="web-01", disks=(DISK,), firmware="efi", hostname="web-01"),
            VmSpec(name="old-01", disks=(DISK,), powered_on=False),
        ),
        users=(
            ADMINISTRATOR,
            UserSpec(name="backup", password="b", privileges=documented("backup")),
            UserSpec(name="restore", password="r", privileges=documented("restore")),
        ),
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("privileges") / "vc") as simulator:
        yield simulator


def connect(simulator: VSphereSimulator, user: str, password: str) -> VSphereHypervisor:
    return VSphereFactory(SystemClock()).connect(replace(platform_of(simulator), user=user), password)


def test_documented_table_was_understood() -> None:
    assert "VirtualMachine.State.CreateSnapshot" in documented("backup")
    assert "VirtualMachine.Inventory.Create" in documented("restore") - documented("backup")


def test_backup_needs_no_more_than_is_documented(simulator: VSphereSimulator) -> None:
    log = RecordingTaskLog()
    with connect(simulator, "backup", "b") as vsphere:
        vm = next(vm for vm in vsphere.list_vms() if vm.name == "web-01")
        assert vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
        frozen = vsphere.create_snapshot(vm.id, TaskId("t"), quiesce=True, log=log, cancel=CancelToken())
        disk = frozen.disks[0]
        vsphere.changed_extents(vm.id, frozen.snapshot, disk.key, disk.capacity_bytes, None)
        saved = vsphere.save_configuration(vm.id, log=log)
        assert saved.missing == ()
        assert vsphere.disk_access.nfc is not None
        vsphere.disk_access.nfc.nfc_ticket(vm.id, disk.key, AccessMode.READ)
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
        assert vsphere.find_snapshots("") == []


def test_restore_needs_no_more_than_is_documented(simulator: VSphereSimulator) -> None:
    log = RecordingTaskLog()
    with connect(simulator, ADMINISTRATOR.name, ADMINISTRATOR.password) as administrator:
        vm = next(vm for vm in administrator.list_vms() if vm.name == "web-01")
        saved = administrator.save_configuration(vm.id, log=log)
    assert "vm.nvram" in saved.files
    with connect(simulator, "restore", "r") as vsphere:
        created = vsphere.create_vm(saved, VmPlacement(name="restored", keep_identity=False), log=log)
        assert created.warnings == ()
        assert vsphere.disk_access.nfc is not None
        for access in AccessMode:
            vsphere.disk_access.nfc.nfc_ticket(created.id, created.disks[0][1].key, access)
        vsphere.rename_vm(created.id, "proven")
        vsphere.power_on(created.id)
        assert vsphere.vm_details(created.id).summary.power_state is PowerState.ON
        vsphere.power_off(created.id)
        vsphere.destroy_vm(created.id)


def test_the_doctors_list_is_the_documented_one() -> None:
    assert frozenset(privileges.BACKUP) == documented("backup")
    assert frozenset(privileges.RESTORE) == documented("restore")


@pytest.mark.parametrize("user", ["backup", "restore"])
def test_the_doctor_names_exactly_what_the_account_lacks(simulator: VSphereSimulator, user: str) -> None:
    with connect(simulator, user, user[0]) as hypervisor:
        web = next(vm for vm in hypervisor.list_vms() if vm.name == "web-01")
        for checked in (hypervisor.check_privileges(), hypervisor.check_privileges(web.id)):
            granted = {check.privilege for check in checked if check.is_granted}
            assert granted == documented(user)
            assert {check.privilege for check in checked if check.for_backup} == documented("backup")


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    """Accounts with their roles on a folder of VMs only, and on what those VMs use as well."""
    both = documented("backup") | documented("restore")
    spec = SimulatorSpec(
        vms=(
            VmSpec(name="web-01", disks=(DISK,), folder=("Production",), powered_on=False),
            VmSpec(name="lab-01", disks=(DISK,), folder=("Laboratory",), powered_on=False),
        ),
        users=(
            ADMINISTRATOR,
            UserSpec(name="folder", password="f", privileges=both, granted_at=frozenset({"Production"})),
            UserSpec(
                name="around",
                password="a",
                privileges=both,
                granted_at=frozenset({"Production", "ds1", "VM Network", "Resources"}),
            ),
        ),
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("divided") / "vc") as simulator:
        yield simulator


def test_a_role_on_a_folder_does_not_reach_what_its_vms_use(divided: VSphereSimulator) -> None:
    with connect(divided, "folder", "f") as hypervisor:
        web = next(vm for vm in hypervisor.list_vms() if vm.name == "web-01")
        missing = {
            one.privilege: one.missing_at for one in hypervisor.check_privileges(web.id) if not one.is_granted
        }
    assert missing["Datastore.Browse"] == "ds1"
    assert missing["Resource.AssignVMToPool"] == "Resources"
    assert not any(name.startswith("VirtualMachine.") for name in missing)


def test_the_doctor_looks_where_vms_are_when_the_top_has_no_role(divided: VSphereSimulator) -> None:
    platform = replace(platform_of(divided), user="around")
    looks = Looks(
        probe=lambda _host, _port: None,
        serving=lambda: None,
        resolve=lambda _host: (),
        trial=lambda _session, _disk, mode: ProbedMode(mode=mode),
        now=SystemClock().now,
    )
    found = examine_platform(platform, lambda: connect(divided, "around", "a"), looks).findings
    said = {(finding.code, finding.subject) for finding in found}
    assert ("doctor.can_back_up", "web-01") in said
    assert ("doctor.can_restore", "web-01") in said
    assert ("doctor.privilege_missing_backup", "lab-01") in said
    assert ("doctor.can_back_up", "lab-01") not in said


def test_a_certificate_is_shown_before_anything_is_sent(simulator: VSphereSimulator) -> None:
    shown = VSphereFactory(SystemClock()).inspect(simulator.host, simulator.port)
    assert shown.thumbprint_sha256 == simulator.thumbprint_sha256
    assert not shown.trusted_by_ca
    assert shown.not_before < shown.not_after
