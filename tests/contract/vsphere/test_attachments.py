"""Frozen disks on the VM that the program runs in: attached where that is right, else refused with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim

from app.core.access import Attachment, DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import LicenseRefused, OperationalError, PrivilegeMissing
from app.domain.ids import SnapshotId, TaskId
from app.domain.vms import VmSummary
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import (
    DatacenterSpec,
    DatastoreSpec,
    DiskSpec,
    Flavour,
    License,
    SimulatorSpec,
    UserSpec,
    VmSpec,
)
from app.simulator.vm.config import option
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed
from app.vsphere.errors import DiskNotAttachable
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.support.attaching import (
    CONSOLE,
    attach_as_another,
    attachment_spec,
    disk_path,
    machine_named,
    places_of,
)
from tests.support.fakes import RecordingTaskLog
from tests.support.other_client import OtherClient
from tests.support.simulated import platform_of

DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
WEB = VmSpec(name="web-01", disks=(DISK, DISK))
OFF = VmSpec(name="off-01", disks=(DISK,), powered_on=False)


@contextmanager
def site(folder: Path, *vms: VmSpec, **more: object) -> Iterator["Site"]:
    spec = replace(SimulatorSpec(vms=vms or (WEB, OFF, CONSOLE)), **more)  # type: ignore[arg-type]
    with (
        VSphereSimulator(spec, folder / "vc") as simulator,
        VSphereFactory(SystemClock(), timings=QUICK).connect(
            platform_of(simulator), simulator.password
        ) as hypervisor,
    ):
        yield Site(simulator, hypervisor)


class Site:
    def __init__(self, simulator: VSphereSimulator, hypervisor: VSphereHypervisor) -> None:
        self.simulator = simulator
        self.hypervisor = hypervisor
        self.attacher = hypervisor.disk_attacher
        self._tasks = 0

    @property
    def console(self) -> Machine:
        return machine_named(self.simulator, "console")

    @property
    def uuids(self) -> tuple[str, ...]:
        return (str(self.console.config.uuid),)

    def vm(self, name: str = "web-01") -> VmSummary:
        return next(vm for vm in self.hypervisor.list_vms() if vm.name == name)

    def frozen(self, name: str = "web-01", number: int = 0) -> DiskAddress:
        vm = self.vm(name)
        self._tasks += 1
        frozen = self.hypervisor.create_snapshot(
            vm.id, TaskId(f"t{self._tasks}"), quiesce=False, log=RecordingTaskLog(), cancel=CancelToken()
        )
        disk = frozen.disks[number]
        return DiskAddress(
            vm=vm.id,
            vm_name=vm.name,
            disk_key=disk.key,
            path=disk.path,
            capacity_bytes=disk.capacity_bytes,
            snapshot=frozen.snapshot,
            is_encrypted=disk.is_encrypted,
        )

    def still(self) -> DiskAddress:
        vm = self.vm("off-01")
        (disk,) = self.hypervisor.vm_details(vm.id).disks
        return DiskAddress(
            vm=vm.id, vm_name=vm.name, disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
        )

    def plan(self, disk: DiskAddress) -> Attachment:
        return self.attacher.plan(self.uuids, disk)

    def refusal(self, disk: DiskAddress) -> str:
        before = places_of(self.console)
        with pytest.raises(DiskNotAttachable) as refused:
            self.plan(disk)
        assert places_of(self.console) == before
        return refused.value.message

    def remove_snapshot(self, disk: DiskAddress) -> None:
        assert disk.snapshot is not None
        self.hypervisor.remove_snapshot(disk.vm, disk.snapshot, deadline_s=30)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_frozen_disk_is_attached_and_detached_without_a_trace(tmp_path: Path, version: Version) -> None:
    with site(tmp_path, version=version) as here:
        before = places_of(here.console)
        disk = here.frozen()
        planned = here.plan(disk)
        here.attacher.attach(planned)
        (lent,) = here.console.lent.values()
        assert str(lent.disk.path) == disk.path
        assert here.attacher.detach(planned)
        assert not here.attacher.detach(planned)
        assert places_of(here.console) == before
        here.remove_snapshot(disk)
        assert disk_path(machine_named(here.simulator, "web-01")) == disk.path


def test_on_a_bare_host_it_is_the_same(tmp_path: Path) -> None:
    with site(tmp_path, flavour=Flavour.ESXI, hosts=("esx01.lab",)) as here:
        disk = here.frozen()
        planned = here.plan(disk)
        here.attacher.attach(planned)
        assert here.attacher.detach(planned)


def test_the_disk_of_a_vm_that_is_off_needs_no_snapshot(here: Site) -> None:
    address = here.still()
    planned = here.plan(address)
    here.attacher.attach(planned)
    with pytest.raises(OperationalError):  # the host has locked its file
        here.hypervisor.power_on(address.vm)
    assert here.attacher.detach(planned)
    here.hypervisor.power_on(address.vm)


def test_a_full_controller_leads_to_the_next_one_which_is_taken_away_again(tmp_path: Path) -> None:
    crowded = replace(CONSOLE, disks=(DISK,) * 14)
    with site(tmp_path, WEB, crowded) as here:
        before = places_of(here.console)
        disks = [here.frozen(number=number) for number in (0, 1)]
        first = here.plan(disks[0])
        assert (first.bus, first.owns_controller) == (0, False)
        here.attacher.attach(first)
        second = here.plan(disks[1])
        assert (second.bus, second.unit, second.owns_controller) == (1, 0, True)
        here.attacher.attach(second)
        assert len(places_of(here.console)) == len(before) + 3
        for attachment in (second, first):
            assert here.attacher.detach(attachment)
        assert places_of(here.console) == before


def test_a_controller_of_ours_stays_while_it_holds_a_disk_of_another(tmp_path: Path) -> None:
    crowded = replace(CONSOLE, disks=(DISK,) * 15)
    with site(tmp_path, WEB, OFF, crowded) as here:
        planned = here.plan(here.frozen())
        here.attacher.attach(planned)
        foreign = disk_path(machine_named(here.simulator, "off-01"))
        attach_as_another(here.simulator, foreign, controller=1001)
        assert here.attacher.detach(planned)
        assert [str(lent.disk.path) for lent in here.console.lent.values()] == [foreign]


def test_where_sixty_disks_are_there_is_no_place(tmp_path: Path) -> None:
    with site(tmp_path, WEB, replace(CONSOLE, disks=(replace(DISK, capacity_bytes=1 << 20),) * 60)) as here:
        assert "no free place on a SCSI controller" in here.refusal(here.frozen())


def test_what_is_not_exactly_ours_is_never_detached(here: Site) -> None:
    planned = here.plan(here.frozen())
    foreign = disk_path(machine_named(here.simulator, "off-01"))
    attach_as_another(here.simulator, foreign, unit=planned.unit)
    with pytest.raises(DiskNotAttachable, match="is taken"):
        here.attacher.attach(planned)
    before = places_of(here.console)
    for other in (
        planned,
        replace(planned, path=foreign),
        replace(planned, disk_uuid="6000c29-other"),
        replace(planned, bus=0, unit=0),
    ):
        assert not here.attacher.detach(other)
    assert places_of(here.console) == before


def test_an_attachment_whose_answer_was_lost_is_found_and_detached(here: Site) -> None:
    planned = here.plan(here.frozen())
    before = places_of(here.console)
    here.simulator.faults.lose_answer("ReconfigVM_Task")
    with pytest.raises(OperationalError):
        here.attacher.attach(planned)
    assert here.attacher.detach(planned)
    assert places_of(here.console) == before


def test_the_machine_is_found_again_under_another_id(here: Site) -> None:
    planned = here.plan(here.frozen())
    here.attacher.attach(planned)
    assert here.attacher.detach(replace(planned, machine=here.vm("off-01").id))
    assert not here.attacher.detach(replace(planned, machine=here.vm("off-01").id, machine_uuid="gone"))


# ---- where it cannot be right -----------------------------------------------------------------------------------


def test_a_machine_that_the_platform_does_not_know_is_refused(here: Site) -> None:
    disk = here.frozen()
    with pytest.raises(DiskNotAttachable, match="no VM with the UUID of this machine"):
        here.attacher.plan(["421f0000-0000-0000-0000-000000000000"], disk)


def test_two_vms_with_the_uuid_of_the_machine_are_refused_by_name(here: Site) -> None:
    disk = here.frozen()
    other = machine_named(here.simulator, "off-01")
    other.set_config(changed(other.config, uuid=here.console.config.uuid))
    refusal = here.refusal(disk)
    assert "console, off-01" in refusal
    assert "uuid.bios" in refusal


def test_a_machine_whose_guest_sees_no_serial_numbers_is_refused_with_the_remedy(here: Site) -> None:
    disk = here.frozen()
    config = here.console.config
    kept = [entry for entry in config.extraConfig if entry.key != "disk.EnableUUID"]
    here.console.set_config(
        changed(
            config,
            flags=changed(config.flags, diskUuidEnabled=False),
            extraConfig=[*kept, option("disk.EnableUUID", "FALSE")],
        )
    )
    assert "disk.EnableUUID to TRUE" in here.refusal(disk)


def test_a_disk_of_the_machine_itself_is_refused(here: Site) -> None:
    assert "a disk of that machine itself" in here.refusal(here.frozen("console"))


def test_a_disk_that_is_attached_already_is_refused(here: Site) -> None:
    disk = here.frozen()
    here.attacher.attach(here.plan(disk))
    assert "has a disk of that file or with that UUID already" in here.refusal(disk)


def test_a_disk_on_which_its_vm_runs_is_refused(here: Site) -> None:
    disk = here.frozen()
    here.remove_snapshot(disk)
    assert "no snapshot holds it still" in here.refusal(replace(disk, snapshot=None))


def test_a_disk_that_has_moved_is_refused(here: Site) -> None:
    assert "no such disk at that place" in here.refusal(replace(here.frozen(), path="[ds2] web-01/web-01.vmdk"))


def test_a_snapshot_that_is_gone_is_no_disk_to_attach(here: Site) -> None:
    with pytest.raises(OperationalError):
        here.plan(replace(here.frozen(), snapshot=SnapshotId("snapshot-none")))


def test_disks_that_need_consolidation_are_refused(here: Site) -> None:
    disk = here.frozen()
    machine_named(here.simulator, "web-01").consolidation_needed = True
    machine_named(here.simulator, "web-01").refresh("runtime")
    assert "web-01 need consolidation" in here.refusal(disk)


def test_an_encrypted_disk_is_refused(tmp_path: Path) -> None:
    with site(tmp_path, replace(WEB, encrypted=True), CONSOLE) as here:
        assert "it is encrypted" in here.refusal(here.frozen())


def test_a_raw_device_mapping_is_refused(tmp_path: Path) -> None:
    with site(tmp_path, replace(WEB, disks=(replace(DISK, kind="rdm_virtual"),)), CONSOLE) as here:
        assert "RDM" in here.refusal(here.frozen())


def test_an_ide_disk_is_refused(here: Site) -> None:
    disk, machine = here.still(), machine_named(here.simulator, "off-01")
    devices = [
        changed(device, controllerKey=200, unitNumber=0) if device.key == disk.disk_key else device
        for device in machine.config.hardware.device
    ]
    machine.set_config(changed(machine.config, hardware=changed(machine.config.hardware, device=devices)))
    assert "it is an IDE disk" in here.refusal(disk)


def test_a_vm_in_another_datacenter_is_refused(tmp_path: Path) -> None:
    far = replace(WEB, datacenter="Far")
    with site(tmp_path, far, CONSOLE, more_datacenters=(DatacenterSpec(name="Far"),)) as here:
        assert "different datacenters" in here.refusal(here.frozen())


def test_a_datastore_that_the_host_does_not_see_is_refused_by_name(tmp_path: Path) -> None:
    with site(tmp_path, replace(WEB, datastore="ds2"), CONSOLE) as here:
        disk = here.frozen()
        host = here.console.host
        seen = [ref for ref in host.read("datastore") if here.simulator.world.get(ref).read("name") != "ds2"]
        host.set(datastore=seen)
        refusal = here.refusal(disk)
        assert "does not see the datastore ds2" in refusal
        assert host.name in refusal


def test_vsan_and_other_datastores_do_not_mix(tmp_path: Path) -> None:
    stores = (DatastoreSpec(name="ds1"), DatastoreSpec(name="vsan", kind="vsan"))
    with site(tmp_path, replace(WEB, datastore="vsan"), CONSOLE, datastores=stores) as here:
        assert "vSAN" in here.refusal(here.frozen())


def test_an_account_without_the_privilege_names_it(tmp_path: Path) -> None:
    weak = UserSpec(name="weak", password="w", privileges=frozenset())
    with site(tmp_path, users=(*SimulatorSpec().users, weak)) as here:
        planned = here.plan(here.frozen())
        platform = replace(platform_of(here.simulator), user="weak")
        with (
            VSphereFactory(SystemClock(), timings=QUICK).connect(platform, "w") as reader,
            pytest.raises(PrivilegeMissing, match=r"VirtualMachine\.Config\.AddExistingDisk"),
        ):
            reader.disk_attacher.attach(planned)


@pytest.mark.parametrize("lacking", ["AddExistingDisk", "RemoveDisk", "AddRemoveDevice"])
def test_nothing_is_attached_that_the_account_could_not_detach(tmp_path: Path, lacking: str) -> None:
    granted = {f"VirtualMachine.Config.{name}" for name in ("AddExistingDisk", "RemoveDisk", "AddRemoveDevice")}
    weak = UserSpec(
        name="weak", password="w", privileges=frozenset(granted - {f"VirtualMachine.Config.{lacking}"})
    )
    crowded = replace(CONSOLE, disks=(DISK,) * 15)  # so that a controller is needed too
    with site(tmp_path, WEB, crowded, users=(*SimulatorSpec().users, weak)) as here:
        disk, before = here.frozen(), places_of(here.console)
        platform = replace(platform_of(here.simulator), user="weak")
        with (
            VSphereFactory(SystemClock(), timings=QUICK).connect(platform, "w") as session,
            pytest.raises(PrivilegeMissing, match=lacking) as missing,
        ):
            session.disk_attacher.plan(here.uuids, disk)
        assert missing.value.params["target"] == "console"
        assert places_of(here.console) == before


def test_a_free_host_says_that_its_license_forbids_it(tmp_path: Path) -> None:
    bare = {"flavour": Flavour.ESXI, "hosts": ("esx01.lab",), "license": License.FREE}
    with site(tmp_path, OFF, CONSOLE, **bare) as here:
        planned = here.plan(here.still())
        with pytest.raises(LicenseRefused):
            here.attacher.attach(planned)


# ---- what the simulated host does not allow ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["persistent", "independent_persistent"])
def test_a_frozen_parent_is_never_attached_for_writing(here: Site, mode: str) -> None:
    spec = attachment_spec(here.frozen().path, mode=mode)
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError, match="lock"):
        other.done(lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=spec))


def test_what_a_vm_runs_on_is_never_attached(here: Site) -> None:
    spec = attachment_spec(disk_path(machine_named(here.simulator, "web-01")))
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError, match="lock"):
        other.done(lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=spec))


def test_a_snapshot_whose_disk_is_attached_cannot_be_consolidated(here: Site) -> None:
    disk = here.frozen()
    planned = here.plan(disk)
    here.attacher.attach(planned)
    assert disk.snapshot is not None
    with pytest.raises(OperationalError):
        here.hypervisor.remove_snapshot(disk.vm, disk.snapshot, deadline_s=2)
    assert here.attacher.detach(planned)
    here.remove_snapshot(disk)


def test_deleting_the_files_of_an_attached_disk_is_refused(here: Site) -> None:
    planned = here.plan(here.frozen())
    here.attacher.attach(planned)
    (key,) = here.console.lent
    device = next(device for device in here.console.config.hardware.device if device.key == key)
    change = vim.vm.device.VirtualDeviceSpec(operation="remove", fileOperation="destroy", device=device)
    with OtherClient(here.simulator) as other, pytest.raises(AssertionError):
        other.done(
            lambda: other.vm(here.console.moid).ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[change]))
        )
    assert here.attacher.detach(planned)
