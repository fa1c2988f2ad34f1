"""Who may do what: privileges one by one, and the free license that refuses every change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from app.simulator.spec import Flavour, License, UserSpec, VmSpec
from tests.unit.simulator.vm.conftest import SMALL
from tests.unit.simulator.vm.lab import (
    ADMIN,
    MIB,
    VmLab,
    attached_disk,
    disks,
    edit,
    new_card,
    new_disk,
    removal,
    spec_of,
)

POOR = UserSpec(name="poor", password="p", privileges=frozenset())

Act = Callable[[VmLab, Any], Any]


def _change(**fields: Any) -> Act:
    return lambda lab, vm: vm.ReconfigVM_Task(vim.vm.ConfigSpec(**fields))


def _devices(make: Callable[[Any], Any]) -> Act:
    return lambda lab, vm: vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[make(vm)]))


def _snapshot_of(lab: VmLab, vm: Any) -> Any:
    return vim.vm.Snapshot(lab.machine("archive-01").every_snapshot()[0].moid, vm._stub)


def _folder(vm: Any) -> Any:
    return vm.parent


ACTS: dict[str, tuple[str, Act]] = {
    "snapshot": (
        "VirtualMachine.State.CreateSnapshot",
        lambda lab, vm: vm.CreateSnapshot_Task("x", "", False, False),
    ),
    "remove snapshot": (
        "VirtualMachine.State.RemoveSnapshot",
        lambda lab, vm: _snapshot_of(lab, vm).RemoveSnapshot_Task(False),
    ),
    "revert": (
        "VirtualMachine.State.RevertToSnapshot",
        lambda lab, vm: _snapshot_of(lab, vm).RevertToSnapshot_Task(),
    ),
    "consolidate": ("VirtualMachine.State.RemoveSnapshot", lambda lab, vm: vm.ConsolidateVMDisks_Task()),
    "changed areas": (
        "VirtualMachine.Provisioning.DiskRandomRead",
        lambda lab, vm: vm.QueryChangedDiskAreas(None, 2000, 0, "*"),
    ),
    "power on": ("VirtualMachine.Interact.PowerOn", lambda lab, vm: vm.PowerOnVM_Task()),
    "rename": ("VirtualMachine.Config.Rename", lambda lab, vm: vm.Rename_Task("other")),
    "tracking": ("VirtualMachine.Config.ChangeTracking", _change(changeTrackingEnabled=True)),
    "memory": ("VirtualMachine.Config.Memory", _change(memoryMB=2048)),
    "cpus": ("VirtualMachine.Config.CPUCount", _change(numCPUs=4)),
    "options": (
        "VirtualMachine.Config.AdvancedConfig",
        _change(extraConfig=[vim.option.OptionValue(key="a", value="b")]),
    ),
    "new disk": ("VirtualMachine.Config.AddNewDisk", _devices(lambda vm: new_disk(MIB, controller=1000))),
    "known disk": (
        "VirtualMachine.Config.AddExistingDisk",
        _devices(lambda vm: attached_disk("[ds1] web-01/web-01.vmdk")),
    ),
    "less disk": ("VirtualMachine.Config.RemoveDisk", _devices(lambda vm: removal(disks(vm)[0]))),
    "larger disk": ("VirtualMachine.Config.DiskExtend", _devices(lambda vm: edit(disks(vm)[0]))),
    "card": ("VirtualMachine.Config.AddRemoveDevice", _devices(lambda vm: new_card())),
    "destroy": ("VirtualMachine.Inventory.Delete", lambda lab, vm: vm.Destroy_Task()),
    "unregister": ("VirtualMachine.Inventory.Unregister", lambda lab, vm: vm.UnregisterVM()),
    "move": ("Resource.ColdMigrate", lambda lab, vm: vm.RelocateVM_Task(vim.vm.RelocateSpec())),
    "clone": (
        "VirtualMachine.Provisioning.Clone",
        lambda lab, vm: vm.CloneVM_Task(
            _folder(vm), "x", vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
        ),
    ),
    "register": (
        "VirtualMachine.Inventory.Register",
        lambda lab, vm: _folder(vm).RegisterVM_Task("[ds1] a/a.vmx", None, False, vm.resourcePool, None),
    ),
    "folder": ("Folder.Create", lambda lab, vm: _folder(vm).CreateFolder("x")),
    "datastore": (
        "Host.Config.Storage",
        lambda lab, vm: vm.runtime.host.configManager.datastoreSystem.CreateNasDatastore(
            vim.host.NasVolume.Specification(
                remoteHost="h", remotePath="/p", localPath="n", accessMode="readWrite"
            )
        ),
    ),
}


@pytest.fixture(scope="module")
def busy_lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    off = VmSpec(name="archive-01", disks=(SMALL,), powered_on=False)
    directory = Path(tmp_path_factory.mktemp("rights"))
    with VmLab(directory, spec_of(off, users=(ADMIN, POOR))) as lab:
        lab.snapshot(lab.vm("archive-01"), "there")
        yield lab


@pytest.mark.parametrize("what", ACTS)
def test_each_act_needs_its_privilege(busy_lab: VmLab, what: str) -> None:
    privilege, act = ACTS[what]
    events_before = len(busy_lab.sim.world.events.all())
    with busy_lab.as_user(POOR) as si:
        vm = vim.VirtualMachine(busy_lab.machine("archive-01").moid, si._stub)
        assert vm.name == "archive-01"
        with busy_lab.refused(vim.fault.NoPermission) as caught:
            act(busy_lab, vm)
        assert caught.value.privilegeId == privilege
    happened = busy_lab.sim.world.events.all()[events_before:]
    assert not [event for event in happened if isinstance(event, vim.event.VmEvent)]


def test_the_privilege_is_enough(tmp_path: Path) -> None:
    saver = UserSpec(
        name="saver",
        password="s",
        privileges=frozenset({"VirtualMachine.State.CreateSnapshot", "VirtualMachine.State.RemoveSnapshot"}),
    )
    with VmLab(tmp_path, spec_of(VmSpec(name="vm", disks=(SMALL,)), users=(ADMIN, saver))) as lab:
        with lab.as_user(saver) as si:
            vm = vim.VirtualMachine(lab.machine("vm").moid, si._stub)
            snapshot = lab.snapshot(vm)
            lab.remove(snapshot)
            with lab.refused(vim.fault.NoPermission):
                vm.PowerOffVM_Task()
        assert any("Snapshot s of vm was created" in message for message in lab.events())


def test_space_and_networks_are_asked_for_where_they_are(tmp_path: Path) -> None:
    devices = {"VirtualMachine.Config.AddNewDisk", "VirtualMachine.Config.AddRemoveDevice"}
    builder = UserSpec(
        name="builder",
        password="b",
        privileges=frozenset(devices | {"VirtualMachine.Inventory.Create", "Resource.AssignVMToPool"}),
    )
    with VmLab(tmp_path, spec_of(VmSpec(name="vm", disks=(SMALL,)), users=(ADMIN, builder))) as lab:
        datacenter = lab.datacenter
        with lab.as_user(builder) as si:
            vm = vim.VirtualMachine(lab.machine("vm").moid, si._stub)
            folder = vim.Folder(datacenter.vmFolder._moId, si._stub)
            files = vim.vm.FileInfo(vmPathName="[ds1]")
            space, network = "Datastore.AllocateSpace", "Network.Assign"
            create = vim.vm.ConfigSpec(name="x", files=files)
            for act, privilege, where in (
                (lambda: lab.reconfigure(vm, new_disk(MIB, controller=1000)), space, "ds1"),
                (lambda: lab.reconfigure(vm, new_disk(MIB, controller=1000, path="[ds2]")), space, "ds2"),
                (lambda: lab.reconfigure(vm, new_card("Storage")), network, "Storage"),
                (lambda: folder.CreateVM_Task(create, lab.pool, None), space, "ds1"),
            ):
                with lab.refused(vim.fault.NoPermission) as caught:
                    act()
                assert (caught.value.privilegeId, caught.value.object.name) == (privilege, where)


def test_the_free_license_reads_everything_and_changes_nothing(tmp_path: Path) -> None:
    vms = (VmSpec(name="archive-01", disks=(SMALL,), powered_on=False, change_tracking=True),)
    with VmLab(tmp_path, spec_of(*vms, flavour=Flavour.ESXI, license=License.FREE)) as lab:
        vm = lab.vm("archive-01")
        assert disks(vm)[0].capacityInBytes == 4 * MIB
        assert vm.QueryChangedDiskAreas(None, 2000, 0, "*").length == 4 * MIB
        reading = ("changed areas", "remove snapshot", "revert")
        for what, (_, act) in ACTS.items():
            if what not in reading:
                with lab.refused(vim.fault.RestrictedVersion):
                    act(lab, vm)
        assert vm.snapshot is None
