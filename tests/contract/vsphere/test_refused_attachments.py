"""Disks that are not attached to the VM that the program runs in, each with its reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import AccessMode
from app.core.clock import SystemClock
from app.domain.errors import LicenseRefused, OperationalError, PrivilegeMissing
from app.domain.ids import SnapshotId
from app.simulator.spec import (
    DatacenterSpec,
    DatastoreSpec,
    Flavour,
    License,
    SimulatorSpec,
    UserSpec,
)
from app.simulator.vm.config import option
from app.simulator.vm.values import changed
from app.vsphere.errors import DiskNotAttachable
from app.vsphere.factory import VSphereFactory
from tests.contract.vsphere.attaching_site import DISK, OFF, WEB, Site, here, site
from tests.contract.vsphere.conftest import QUICK
from tests.support.attaching import (
    CONSOLE,
    machine_named,
    places_of,
)
from tests.support.simulated import platform_of

__all__ = ["here"]


def test_a_machine_that_the_platform_does_not_know_is_refused(here: Site) -> None:
    disk = here.frozen()
    with pytest.raises(DiskNotAttachable, match="no VM with the UUID of this machine"):
        here.attacher.plan(["421f0000-0000-0000-0000-000000000000"], disk, AccessMode.READ)


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
            session.disk_attacher.plan(here.uuids, disk, AccessMode.READ)
        assert missing.value.params["target"] == "console"
        assert places_of(here.console) == before


def test_a_free_host_says_that_its_license_forbids_it(tmp_path: Path) -> None:
    bare = {"flavour": Flavour.ESXI, "hosts": ("esx01.lab",), "license": License.FREE}
    with site(tmp_path, OFF, CONSOLE, **bare) as here:
        planned = here.plan(here.still())
        with pytest.raises(LicenseRefused):
            here.attacher.attach(planned)
