"""Disks as real inventories have them: linked clones, fault tolerance, shared buses, quiesced Windows guests."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.spec import DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.disk_tree import DiskTree
from tests.unit.simulator.vm.lab import ADMIN, GRAIN, MIB, DeviceSpec, VmLab, disks, spec_of
from tests.unit.simulator.vm.test_snapshots import chain

SMALL = DiskSpec(capacity_bytes=2 * MIB, filesystem=False)
GOLD = VmSpec(name="gold", disks=(SMALL,), template=True)
CLONE = VmSpec(name="clone", disks=(SMALL,), linked_to="gold")


def fresh_tree(lab: VmLab, name: str) -> DiskTree:
    return lab.machine(name).trees[2000]


# ---- linked clones -----------------------------------------------------------------------------------------


def test_a_linked_clone_stands_on_the_disk_of_its_template(tmp_path: Path) -> None:
    with VmLab(tmp_path, spec_of(GOLD, CLONE)) as lab:
        assert chain(disks(lab.vm("clone"))[0]) == ["[ds1] clone/clone.vmdk", "[ds1] gold/gold.vmdk"]
        assert chain(disks(lab.vm("gold"))[0]) == ["[ds1] gold/gold.vmdk"]
        assert not lab.vm("clone").runtime.consolidationNeeded
        assert not lab.vm("gold").runtime.consolidationNeeded


def test_a_snapshot_of_a_linked_clone_comes_and_goes_without_touching_the_template(tmp_path: Path) -> None:
    with VmLab(tmp_path, spec_of(GOLD, CLONE)) as lab:
        lab.leaf("clone").write(0, b"cloned")
        vm = lab.vm("clone")
        snapshot = lab.snapshot(vm)
        lab.leaf("clone").write(GRAIN, b"later")
        assert chain(disks(vm)[0])[0] == "[ds1] clone/clone-000001.vmdk"
        lab.remove(snapshot)
        assert chain(disks(vm)[0]) == ["[ds1] clone/clone.vmdk", "[ds1] gold/gold.vmdk"]
        assert (lab.leaf("clone").read(0, 6), lab.leaf("clone").read(GRAIN, 5)) == (b"cloned", b"later")
        assert lab.leaf("gold").read(0, 6) == bytes(6)


def test_deleting_a_linked_clone_leaves_the_template(tmp_path: Path) -> None:
    with VmLab(tmp_path, spec_of(GOLD, CLONE)) as lab:
        with lab.refused(vim.fault.FileLocked):
            lab.run(lab.vm("gold").Destroy_Task())
        lab.run(lab.vm("clone").PowerOffVM_Task())
        lab.run(lab.vm("clone").Destroy_Task())
        assert not lab.file("[ds1] clone").exists()
        assert lab.file("[ds1] gold/gold-flat.vmdk").exists()


# ---- quiesced Windows guests -------------------------------------------------------------------------------


def test_a_quiesced_snapshot_of_windows_holds_a_delta_with_what_its_applications_wrote(tmp_path: Path) -> None:
    spec = VmSpec(name="win", disks=(SMALL,), guest_id="windows2019srv_64Guest", hostname="win.lab")
    with VmLab(tmp_path, spec_of(spec)) as lab:
        vm = lab.vm("win")
        lab.track_changes(vm)
        snapshot = lab.snapshot(vm, quiesce=True)
        [frozen] = disks(snapshot)
        assert chain(frozen) == ["[ds1] win/win-000001.vmdk", "[ds1] win/win.vmdk"]
        assert chain(disks(vm)[0])[0] == "[ds1] win/win-000002.vmdk"
        assert not vm.runtime.consolidationNeeded
        held = fresh_tree(lab, "win").frozen[snapshot._moId]
        assert held.read(400, 3) == b"VSS"
        assert held.parent is not None
        assert held.parent.read(400, 3) == bytes(3)
        areas = vm.QueryChangedDiskAreas(snapshot, frozen.key, 0, "*").changedArea
        assert [area.start for area in areas] == [0]
        lab.remove(snapshot)
        assert chain(disks(vm)[0]) == ["[ds1] win/win.vmdk"]
        assert lab.leaf("win").read(400, 3) == b"VSS"
        assert not list(lab.file("[ds1] win").glob("*-0000*"))


@pytest.mark.parametrize(("guest", "quiesce"), [("debian12_64Guest", True), ("windows2019srv_64Guest", False)])
def test_other_snapshots_hold_the_disk_itself(tmp_path: Path, guest: str, *, quiesce: bool) -> None:
    spec = VmSpec(name="vm", disks=(SMALL,), guest_id=guest, hostname="vm.lab")
    with VmLab(tmp_path, spec_of(spec)) as lab:
        snapshot = lab.snapshot(lab.vm("vm"), quiesce=quiesce)
        assert chain(disks(snapshot)[0]) == ["[ds1] vm/vm.vmdk"]


# ---- fault tolerance ---------------------------------------------------------------------------------------


def test_a_pair_under_fault_tolerance_says_which_is_which_and_has_snapshots_of_disks_only(tmp_path: Path) -> None:
    pair = (VmSpec(name="first", disks=(SMALL,)), VmSpec(name="second", disks=(SMALL,), secondary_of="first"))
    with VmLab(tmp_path, spec_of(*pair)) as lab:
        first, second = lab.vm("first"), lab.vm("second")
        assert [vm.config.ftInfo.role for vm in (first, second)] == [1, 2]
        assert first.config.ftInfo.secondaries == [second]
        assert second.config.ftInfo.primaryVM == first
        assert {vm.runtime.faultToleranceState for vm in (first, second)} == {"running"}
        with lab.refused(vim.fault.SnapshotFault):
            lab.snapshot(first, memory=True)
        with lab.refused(vim.fault.InvalidState):
            lab.snapshot(second)
        lab.remove(lab.snapshot(first))


# ---- the rest ----------------------------------------------------------------------------------------------


def test_a_vm_can_need_consolidation_from_the_start(tmp_path: Path) -> None:
    spec = VmSpec(name="left", disks=(SMALL, SMALL), needs_consolidation=True)
    with VmLab(tmp_path, spec_of(spec)) as lab:
        vm = lab.vm("left")
        assert vm.runtime.consolidationNeeded
        assert vm.snapshot is None
        assert chain(disks(vm)[1]) == ["[ds1] left/left_1-000001.vmdk", "[ds1] left/left_1.vmdk"]
        lab.run(vm.ConsolidateVMDisks_Task())
        assert not vm.runtime.consolidationNeeded
        assert chain(disks(vm)[1]) == ["[ds1] left/left_1.vmdk"]


def test_disks_that_snapshots_leave_out_are_shown_as_what_they_are(tmp_path: Path) -> None:
    spec = VmSpec(
        name="odd",
        disks=(
            SMALL,
            DiskSpec(capacity_bytes=MIB, kind="pmem", filesystem=False),
            DiskSpec(capacity_bytes=MIB, bus_sharing="virtualSharing", mode="independent_persistent"),
        ),
    )
    with VmLab(tmp_path, spec_of(spec)) as lab:
        vm = lab.vm("odd")
        assert isinstance(disks(vm)[1].backing, vim.vm.device.VirtualDisk.LocalPMemBackingInfo)
        buses = [getattr(device, "sharedBus", None) for device in vm.config.hardware.device]
        assert [bus for bus in buses if bus is not None] == ["noSharing", "virtualSharing"]
        lab.snapshot(vm)
        assert [len(chain(disk)) for disk in disks(vm)] == [2, 1, 1]


def test_a_storage_policy_that_the_platform_lacks_is_refused_and_none_is_shown(tmp_path: Path) -> None:
    spec = SimulatorSpec(
        users=(ADMIN,),
        datastores=(DatastoreSpec(name="ds1", kind="vsan"),),
        storage_policies=("aa6d5a82-gold",),
        vms=(VmSpec(name="web", disks=(DiskSpec(capacity_bytes=MIB, io_filters=("VMW_spm_1.0.0",)),)),),
    )
    with VmLab(tmp_path, spec) as lab:

        def profile(name: str) -> Any:
            return vim.vm.DefinedProfileSpec(profileId=name)

        lab.create("known", vmProfile=[profile("aa6d5a82-gold")])
        with lab.refused(vmodl.fault.InvalidArgument):
            lab.create("unknown", vmProfile=[profile("another")])
        controller = vim.vm.device.ParaVirtualSCSIController(key=-1, busNumber=0, sharedBus="noSharing")
        with lab.refused(vmodl.fault.InvalidArgument):
            lab.create("unknown", DeviceSpec(operation="add", device=controller, profile=[profile("another")]))
        [disk] = disks(lab.vm("web"))
        assert disk.backing.backingObjectId
        assert disk.iofilter == ["VMW_spm_1.0.0"]
