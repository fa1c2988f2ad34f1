"""VMs leave and come back, are deleted, moved and cloned."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.spec import DatacenterSpec, DiskSpec, Flavour, SimulatorSpec, VmSpec
from tests.unit.simulator.vm.lab import (
    GRAIN,
    MIB,
    VmLab,
    areas,
    device,
    disks,
    new_card,
    new_controller,
    new_disk,
    spec_of,
)

_device = vim.vm.device


def names(lab: VmLab) -> list[str]:
    return sorted(vm.name for vm in lab.datacenter.vmFolder.childEntity)


# ---- leaving and coming back -----------------------------------------------------------------------------


def test_an_unregistered_vm_comes_back_with_everything(lab: VmLab) -> None:
    vm = lab.create(
        "rich",
        new_controller(),
        new_disk(2 * MIB),
        new_disk(MIB, mode="independent_persistent"),
        new_card("Storage", mac="00:50:56:01:02:03"),
        firmware="efi",
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=True, bootDelay=500),
        annotation="a | b\nc",
        memoryHotAddEnabled=True,
        changeTrackingEnabled=True,
    )
    lab.leaf("rich").write(0, b"kept")
    before = vm.config
    vm.UnregisterVM()
    assert "rich" not in names(lab)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.config
    folder = lab.datacenter.vmFolder
    after = lab.run(folder.RegisterVM_Task(before.files.vmPathName, None, False, lab.pool, None)).config
    same = (
        "name", "uuid", "instanceUuid", "guestId", "firmware", "annotation", "version", "memoryHotAddEnabled",
        "changeTrackingEnabled", "locationId",
    )  # fmt: skip
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    assert (after.bootOptions.efiSecureBootEnabled, after.bootOptions.bootDelay) == (True, 500)

    def shape(config: Any) -> list[Any]:
        facts = ("fileName", "diskMode", "uuid", "thinProvisioned")
        return [
            [
                *(device.key, type(device).__name__, device.controllerKey, device.unitNumber),
                *(getattr(device.backing, fact, None) for fact in facts),
                *(getattr(device, fact, None) for fact in ("capacityInBytes", "macAddress")),
            ]
            for device in config.hardware.device
        ]

    assert shape(after) == shape(before)
    assert lab.leaf("rich").read(0, 4) == b"kept"


def test_change_ids_survive_a_registration(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    snapshot = lab.snapshot(vm)
    since = disks(snapshot)[0].backing.changeId
    lab.remove(snapshot)
    lab.leaf("archive-01").write(GRAIN, b"x")
    path = vm.config.files.vmPathName
    vm.UnregisterVM()
    vm = lab.run(lab.datacenter.vmFolder.RegisterVM_Task(path, None, False, lab.pool, None))
    assert areas(vm.QueryChangedDiskAreas(lab.snapshot(vm), 2000, 0, since)) == [(1, 1)]


def test_snapshots_survive_a_registration(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    lab.leaf("archive-01").write(0, b"old")
    first = lab.snapshot(vm, 'first "1"')
    since = disks(first)[0].backing.changeId
    lab.leaf("archive-01").write(0, b"new")
    lab.snapshot(vm, "second")
    path = vm.config.files.vmPathName
    vm.UnregisterVM()
    vm = lab.run(lab.datacenter.vmFolder.RegisterVM_Task(path, None, False, lab.pool, None))
    root = vm.snapshot.rootSnapshotList[0]
    assert (root.name, root.childSnapshotList[0].name) == ('first "1"', "second")
    assert vm.snapshot.currentSnapshot == root.childSnapshotList[0].snapshot
    assert disks(root.snapshot)[0].backing.changeId == since
    lab.run(root.snapshot.RevertToSnapshot_Task())
    assert lab.leaf("archive-01").read(0, 3) == b"old"
    lab.run(vm.RemoveAllSnapshots_Task())
    assert [disk.backing.fileName for disk in disks(vm)] == ["[ds1] archive-01/archive-01.vmdk"]


def test_what_cannot_be_registered_is_refused(lab: VmLab) -> None:
    folder, vmx = lab.datacenter.vmFolder, "[ds1] web-01/web-01.vmx"
    lab.file("[ds1] junk.vmx").write_text("no settings", "utf-8")
    for path, fault in (
        ("[ds1] web-01/none.vmx", vim.fault.NotFound),
        ("[ds1] junk.vmx", vim.fault.InvalidVmConfig),
        ("[dsX] a/a.vmx", vim.fault.InvalidDatastore),
        ("junk", vim.fault.InvalidDatastorePath),
        (vmx, vim.fault.AlreadyExists),
    ):
        with lab.refused(fault):
            lab.run(folder.RegisterVM_Task(path, "other", False, lab.pool, None))
    assert names(lab) == ["archive-01", "web-01"]


def test_a_destroyed_vm_leaves_no_file_and_no_trace(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    snapshot = lab.snapshot(vm)
    lab.run(vm.Destroy_Task())
    assert not lab.file("[ds1] archive-01").exists()
    assert names(lab) == ["web-01"]
    for gone in (vm, snapshot):
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            _ = gone.config
    assert all(vm not in host.vm for host in lab.datacenter.hostFolder.childEntity[0].host)
    assert all(vm not in datastore.vm for datastore in lab.datacenter.datastore)


def test_a_vm_that_somebody_reads_is_not_destroyed(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    with lab.leaf("archive-01").pinned(), lab.refused(vim.fault.FileLocked):
        lab.run(vm.Destroy_Task())
    lab.run(vm.Destroy_Task())


def test_foreign_files_in_the_directory_are_spared(lab: VmLab) -> None:
    lab.file("[ds1] archive-01/notes.txt").write_text("mine", "utf-8")
    lab.run(lab.vm("archive-01").Destroy_Task())
    assert [path.name for path in lab.file("[ds1] archive-01").iterdir()] == ["notes.txt"]


def test_a_template_does_not_start(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    vm.MarkAsTemplate()
    assert vm.config.template
    assert vm.summary.config.template
    assert vm.resourcePool is None
    assert vm.config.files.vmPathName == "[ds1] archive-01/archive-01.vmtx"
    assert lab.file("[ds1] archive-01/archive-01.vmtx").is_file()
    assert not lab.file("[ds1] archive-01/archive-01.vmx").exists()
    with lab.refused(vmodl.fault.NotSupported):
        lab.run(vm.PowerOnVM_Task())
    before = vm.config.changeVersion
    vm.MarkAsVirtualMachine(lab.pool, None)
    assert vm.resourcePool == lab.pool
    assert vm.config.changeVersion != before
    assert lab.file("[ds1] archive-01/archive-01.vmx").is_file()
    assert not lab.file("[ds1] archive-01/archive-01.vmtx").exists()
    lab.run(vm.PowerOnVM_Task())
    assert vm.config.changeVersion != before


def test_a_vm_of_a_template_needs_a_pool_of_its_host(tmp_path: Path) -> None:
    spec = SimulatorSpec(
        more_datacenters=(DatacenterSpec(name="Other"),),
        vms=(
            VmSpec(name="golden", disks=(), template=True),
            VmSpec(name="elsewhere", disks=(), datacenter="Other"),
        ),
    )
    with VmLab(tmp_path, spec) as lab:
        golden, elsewhere = lab.vm("golden"), lab.vm("elsewhere")
        with lab.refused(vmodl.fault.InvalidArgument):
            golden.MarkAsVirtualMachine(elsewhere.resourcePool, None)
        with lab.refused(vim.fault.InvalidState):
            elsewhere.MarkAsVirtualMachine(elsewhere.resourcePool, None)
        assert golden.config.template


def test_a_single_host_has_no_templates(tmp_path: Path) -> None:
    vms = (VmSpec(name="golden", disks=(), powered_on=False),)
    with VmLab(tmp_path, SimulatorSpec(flavour=Flavour.ESXI, vms=vms)) as lab:
        golden = lab.vm("golden")
        with lab.refused(vmodl.fault.NotSupported):
            golden.MarkAsTemplate()
        assert not golden.config.template


# ---- moving ----------------------------------------------------------------------------------------------


def test_a_running_vm_moves_to_another_host(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    old, new = lab.datacenter.hostFolder.childEntity[0].host
    assert vm.runtime.host == old
    lab.run(vm.RelocateVM_Task(vim.vm.RelocateSpec(host=new)))
    assert vm.runtime.host == vm.summary.runtime.host == new
    assert vm in new.vm
    assert vm not in old.vm
    lab.run(vm.MigrateVM_Task(host=old, priority="defaultPriority"))
    assert vm.runtime.host == old


def test_a_running_vm_moves_to_another_datastore_with_its_snapshots(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    lab.leaf("web-01").write(0, b"frozen")
    snapshot = lab.snapshot(vm)
    since = disks(snapshot)[0].backing.changeId
    lab.leaf("web-01").write(0, b"thawed")
    target = lab.datacenter.datastore[1]
    lab.run(vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=target)))
    assert vm.config.files.vmPathName == "[ds2] web-01/web-01.vmx"
    assert disks(vm)[0].backing.fileName == "[ds2] web-01/web-01-000001.vmdk"
    assert disks(vm)[0].backing.parent.fileName == "[ds2] web-01/web-01.vmdk"
    assert [datastore.name for datastore in vm.datastore] == ["ds2"]
    assert not lab.file("[ds1] web-01").exists()
    assert lab.leaf("web-01").read(0, 6) == b"thawed"
    lab.run(vm.RemoveAllSnapshots_Task())
    assert areas(vm.QueryChangedDiskAreas(lab.snapshot(vm), 2000, 0, since)) == [(0, 1)]


def test_one_disk_moves_alone(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    target = lab.datacenter.datastore[1]
    locator = vim.vm.RelocateSpec.DiskLocator(diskId=2001, datastore=target)
    lab.run(vm.RelocateVM_Task(vim.vm.RelocateSpec(disk=[locator])))
    assert [disk.backing.fileName for disk in disks(vm)] == [
        "[ds1] web-01/web-01.vmdk",
        "[ds2] web-01/web-01_1.vmdk",
    ]
    assert disks(vm)[1].backing.datastore == target


def test_a_move_without_space_changes_nothing(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.leaf("archive-01").write(0, b"x")
    lab.sim.faults.fill_datastore("ds2")
    with lab.refused(vim.fault.NoDiskSpace):
        lab.run(vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=lab.datacenter.datastore[1])))
    assert disks(vm)[0].backing.fileName == "[ds1] archive-01/archive-01.vmdk"
    assert lab.leaf("archive-01").read(0, 1) == b"x"


def test_a_vm_moves_into_a_folder(lab: VmLab) -> None:
    folder = lab.datacenter.vmFolder.CreateFolder("Production")
    lab.run(folder.MoveIntoFolder_Task([lab.vm("web-01")]))
    lab.run(lab.vm("archive-01").RelocateVM_Task(vim.vm.RelocateSpec(folder=folder)))
    assert sorted(vm.name for vm in folder.childEntity) == ["archive-01", "web-01"]
    assert lab.vm("web-01").parent == folder


# ---- cloning ---------------------------------------------------------------------------------------------


def clone_spec(**fields: Any) -> Any:
    return vim.vm.CloneSpec(location=vim.vm.RelocateSpec(**fields), powerOn=False, template=False)


def test_a_clone_is_an_independent_copy(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(GRAIN, b"shared past")
    spec = clone_spec(datastore=lab.datacenter.datastore[1])
    copy = lab.run(vm.CloneVM_Task(lab.datacenter.vmFolder, "copy", spec))
    assert copy.config.files.vmPathName == "[ds2] copy/copy.vmx"
    assert [disk.backing.fileName for disk in disks(copy)] == ["[ds2] copy/copy.vmdk", "[ds2] copy/copy_1.vmdk"]
    assert lab.leaf("copy").read(GRAIN, 11) == b"shared past"
    lab.leaf("web-01").write(GRAIN, b"other")
    assert lab.leaf("copy").read(GRAIN, 11) == b"shared past"
    assert copy.config.uuid != vm.config.uuid
    assert copy.config.instanceUuid != vm.config.instanceUuid
    assert disks(copy)[0].backing.uuid != disks(vm)[0].backing.uuid
    macs = [device(machine, _device.VirtualVmxnet3).macAddress for machine in (vm, copy)]
    assert macs[0] != macs[1]
    assert vm.snapshot is None
    assert disks(vm)[0].backing.fileName == "[ds1] web-01/web-01.vmdk"


def test_a_snapshot_can_be_cloned(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(0, b"then")
    snapshot = lab.snapshot(vm)
    lab.leaf("web-01").write(0, b"now!")
    spec = clone_spec()
    spec.snapshot, spec.powerOn = snapshot, True
    copy = lab.run(vm.CloneVM_Task(lab.datacenter.vmFolder, "copy", spec))
    assert lab.leaf("copy").read(0, 4) == b"then"
    assert copy.runtime.powerState == "poweredOn"


def test_a_clone_that_does_not_fit_leaves_nothing(lab: VmLab) -> None:
    lab.leaf("web-01").write(0, b"x")
    lab.sim.faults.fill_datastore("ds2")
    with lab.refused(vim.fault.NoDiskSpace):
        spec = clone_spec(datastore=lab.datacenter.datastore[1])
        lab.run(lab.vm("web-01").CloneVM_Task(lab.datacenter.vmFolder, "copy", spec))
    assert names(lab) == ["archive-01", "web-01"]
    assert not any(path.is_file() for path in lab.file("[ds2] ").rglob("*"))
    with lab.refused(vim.fault.DuplicateName):
        lab.vm("web-01").CloneVM_Task(lab.datacenter.vmFolder, "archive-01", clone_spec())


# ---- large inventories -----------------------------------------------------------------------------------


def test_disks_that_were_only_promised_appear_when_they_are_needed(tmp_path: Path) -> None:
    promised = VmSpec(
        name="vast",
        disks=(DiskSpec(capacity_bytes=64 << 30),),
        disk_files=False,
        change_tracking=True,
        hostname="vast",
    )
    spec: SimulatorSpec = spec_of(promised)
    with VmLab(tmp_path, spec) as lab:
        vm = lab.vm("vast")
        uuid = disks(vm)[0].backing.uuid
        assert not lab.file("[ds1] vast").exists()
        assert vm.summary.storage.committed == 32 << 30
        snapshot = lab.snapshot(vm)
        assert disks(snapshot)[0].backing.changeId
        assert disks(vm)[0].backing.uuid == uuid
        assert lab.file("[ds1] vast/vast-flat.vmdk").stat().st_size == 64 << 30
