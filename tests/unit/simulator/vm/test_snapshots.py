"""Snapshots of VMs over the wire: taking, removing, going back, and what they leave behind."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.vm import snapshots
from tests.unit.simulator.vm.lab import GRAIN, MIB, VmLab, disks, spec_of

SMALL = DiskSpec(capacity_bytes=2 * MIB, filesystem=False)


def chain(disk: Any) -> list[str]:
    """Return the file names of a disk and its parents."""
    names, backing = [], disk.backing
    while backing is not None:
        names.append(backing.fileName)
        backing = getattr(backing, "parent", None)
    return names


def tree_of(vm: Any) -> Any:
    def node(tree: Any) -> Any:
        return (tree.name, [node(child) for child in tree.childSnapshotList])

    return [] if vm.snapshot is None else [node(root) for root in vm.snapshot.rootSnapshotList]


def test_a_snapshot_freezes_the_disks_and_the_vm_writes_on_into_deltas(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(0, b"before")
    snapshot = lab.snapshot(vm, "one")
    lab.leaf("web-01").write(0, b"behind")
    assert [chain(disk) for disk in disks(snapshot)] == [
        ["[ds1] web-01/web-01.vmdk"],
        ["[ds1] web-01/web-01_1.vmdk"],
    ]
    assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01-000001.vmdk", "[ds1] web-01/web-01.vmdk"]
    assert lab.file("[ds1] web-01/web-01-flat.vmdk").read_bytes().startswith(b"before")
    assert lab.leaf("web-01").read(0, 6) == b"behind"
    assert lab.file("[ds1] web-01/web-01-000001-delta.vmdk").exists()


def test_a_disk_keeps_its_key_and_uuid_along_the_chain(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    before = [(disk.key, disk.backing.uuid) for disk in disks(vm)]
    snapshot = lab.snapshot(vm)
    assert [(disk.key, disk.backing.uuid) for disk in disks(snapshot)] == before
    assert [(disk.key, disk.backing.uuid) for disk in disks(vm)] == before
    assert disks(vm)[0].backing.parent.uuid == before[0][1]


def test_removing_a_snapshot_merges_what_was_written_and_leaves_no_file(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    files_before = sorted(path.name for path in lab.file("[ds1] web-01").iterdir())
    snapshot = lab.snapshot(vm, memory=True)
    lab.leaf("web-01").write(GRAIN, b"written meanwhile")
    lab.remove(snapshot)
    assert vm.snapshot is None
    assert not vm.runtime.consolidationNeeded
    assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01.vmdk"]
    assert lab.leaf("web-01").read(GRAIN, 17) == b"written meanwhile"
    left = sorted(path.name for path in lab.file("[ds1] web-01").iterdir())
    assert left == sorted([*files_before, "web-01.vmsd"])
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = snapshot.config


def test_the_tree_names_parents_children_and_the_current_one(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    first = lab.snapshot(vm, "first")
    lab.snapshot(vm, "second")
    lab.run(first.RevertToSnapshot_Task(None, True))
    third = lab.snapshot(vm, "third")
    assert tree_of(vm) == [("first", [("second", []), ("third", [])])]
    assert vm.snapshot.currentSnapshot == third
    assert vm.rootSnapshot == [first]
    assert [child._moId for child in first.childSnapshot] == [
        child.snapshot._moId for child in vm.snapshot.rootSnapshotList[0].childSnapshotList
    ]
    assert first.vm == vm


def test_removing_one_in_the_middle_keeps_what_the_others_hold(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    held: list[bytes] = []
    snapshots = []
    for number in range(3):
        lab.leaf("web-01").write(number * GRAIN, bytes([number + 1]) * GRAIN)
        held.append(lab.leaf("web-01").read(0, 2 * MIB))
        snapshots.append(lab.snapshot(vm, f"s{number}"))
    lab.leaf("web-01").write(0, b"present")
    present = lab.leaf("web-01").read(0, 2 * MIB)
    lab.remove(snapshots[1])
    assert tree_of(vm) == [("s0", [("s2", [])])]
    machine = lab.machine("web-01")
    assert machine.trees[2000].frozen[snapshots[0]._moId].read(0, 2 * MIB) == held[0]
    assert machine.trees[2000].frozen[snapshots[2]._moId].read(0, 2 * MIB) == held[2]
    assert lab.leaf("web-01").read(0, 2 * MIB) == present
    # the configuration of the snapshot that stays names the file that its content was merged into
    assert chain(disks(snapshots[2])[0]) == ["[ds1] web-01/web-01-000001.vmdk", "[ds1] web-01/web-01.vmdk"]


def test_removing_with_children_removes_the_whole_branch(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    root = lab.snapshot(vm, "root")
    branch = lab.snapshot(vm, "branch")
    lab.snapshot(vm, "leaf")
    lab.remove(branch, children=True)
    assert tree_of(vm) == [("root", [])]
    assert vm.snapshot.currentSnapshot == root


def test_removing_all_snapshots_leaves_none(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    for number in range(3):
        lab.snapshot(vm, f"s{number}")
        lab.leaf("web-01").write(number * GRAIN, b"x")
    content = lab.leaf("web-01").read(0, 2 * MIB)
    lab.run(vm.RemoveAllSnapshots_Task())
    assert vm.snapshot is None
    assert lab.leaf("web-01").read(0, 2 * MIB) == content
    assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01.vmdk"]


def test_a_file_that_two_branches_stand_on_stays_until_one_of_them_is_gone(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    root = lab.snapshot(vm, "root")
    lab.leaf("web-01").write(0, b"left")
    left = lab.snapshot(vm, "left")
    lab.run(root.RevertToSnapshot_Task(None, True))
    lab.leaf("web-01").write(0, b"right")
    lab.remove(root)
    assert tree_of(vm) == [("left", [])]
    assert lab.leaf("web-01").read(0, 5) == b"right"
    assert lab.machine("web-01").trees[2000].frozen[left._moId].read(0, 4) == b"left"
    lab.remove(left)
    assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01.vmdk"]
    assert lab.leaf("web-01").read(0, 5) == b"right"


def test_going_back_restores_content_configuration_and_power(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(0, b"good")
    snapshot = lab.snapshot(vm, "good", memory=True)
    lab.leaf("web-01").write(0, b"evil")
    lab.reconfigure(vm, annotation="changed")
    lab.run(vm.Rename_Task("web-01-renamed"))
    lab.run(snapshot.RevertToSnapshot_Task())
    assert lab.leaf("web-01-renamed").read(0, 4) == b"good"
    assert vm.config.annotation == ""
    assert vm.name == "web-01-renamed"
    assert vm.runtime.powerState == "poweredOn"
    assert vm.snapshot.currentSnapshot == snapshot


def test_going_back_to_a_snapshot_without_memory_leaves_the_vm_off(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.snapshot(vm)
    lab.run(vm.RevertToCurrentSnapshot_Task())
    assert vm.runtime.powerState == "poweredOff"


def test_going_back_without_a_snapshot_is_refused(lab: VmLab) -> None:
    with lab.refused(vim.fault.NotFound):
        lab.vm("web-01").RevertToCurrentSnapshot_Task()


def test_a_disk_that_was_taken_out_comes_back_with_the_snapshot(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01", 2001).write(0, b"second disk")
    snapshot = lab.snapshot(vm)
    second = disks(vm)[1]
    lab.reconfigure(vm, vim.vm.device.VirtualDeviceSpec(operation="remove", device=second))
    assert [disk.key for disk in disks(vm)] == [2000]
    lab.run(snapshot.RevertToSnapshot_Task(None, True))
    assert [disk.key for disk in disks(vm)] == [2000, 2001]
    assert lab.leaf("web-01", 2001).read(0, 11) == b"second disk"


@pytest.mark.parametrize("name", ["", " ", "x" * 81])
def test_a_name_that_cannot_be_is_refused(lab: VmLab, name: str) -> None:
    with lab.refused(vim.fault.InvalidName):
        lab.vm("web-01").CreateSnapshot_Task(name, "", False, False)


def test_a_snapshot_can_be_renamed(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm, "one")
    snapshot.RenameSnapshot("two", "why")
    node = vm.snapshot.rootSnapshotList[0]
    assert (node.name, node.description) == ("two", "why")


def test_a_quiesced_snapshot_says_so(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.run(vm.CreateSnapshotEx_Task("q", "", False, vim.vm.GuestQuiesceSpec(timeout=5)))
    assert vm.snapshot.rootSnapshotList[0].quiesced
    lab.run(vm.CreateSnapshotEx_Task("plain", "", False, None))
    assert not vm.snapshot.rootSnapshotList[0].childSnapshotList[0].quiesced


def test_quiescing_fails_as_often_as_scripted_and_leaves_nothing(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.sim.faults.fail_quiesce("web-01", times=2)
    for _ in range(2):
        with lab.refused(vim.fault.ApplicationQuiesceFault):
            lab.snapshot(vm, quiesce=True)
        assert vm.snapshot is None
        assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01.vmdk"]
    lab.snapshot(vm, quiesce=True)


def test_quiescing_needs_tools_but_only_on_a_running_vm(tmp_path: Path) -> None:
    with VmLab(tmp_path, spec_of(VmSpec(name="bare", disks=(SMALL,)))) as lab:
        vm = lab.vm("bare")
        with lab.refused(vim.fault.ApplicationQuiesceFault):
            lab.snapshot(vm, quiesce=True)
        lab.run(vm.PowerOffVM_Task())
        lab.snapshot(vm, quiesce=True)
        assert not vm.snapshot.rootSnapshotList[0].quiesced


def test_independent_disks_and_physical_rdms_stay_out(tmp_path: Path) -> None:
    odd = VmSpec(
        name="odd",
        hostname="odd",
        disks=(
            SMALL,
            DiskSpec(capacity_bytes=MIB, mode="independent_persistent", filesystem=False),
            DiskSpec(capacity_bytes=MIB, kind="rdm_physical", filesystem=False),
            DiskSpec(capacity_bytes=MIB, kind="rdm_virtual", filesystem=False),
        ),
        change_tracking=True,
    )
    with VmLab(tmp_path, spec_of(odd)) as lab:
        vm = lab.vm("odd")
        with lab.refused(vim.fault.SnapshotFault):
            lab.snapshot(vm, memory=True)
        snapshot = lab.snapshot(vm)
        assert [len(chain(disk)) for disk in disks(vm)] == [2, 1, 1, 2]
        assert [bool(disk.backing.changeId) for disk in disks(snapshot)[:1]] == [True]
        assert getattr(disks(snapshot)[1].backing, "changeId", None) is None
        assert disks(snapshot)[2].backing.compatibilityMode == "physicalMode"
        assert disks(vm)[3].backing.parent.fileName == "[ds1] odd/odd_3.vmdk"


def test_a_running_vm_that_shares_a_bus_has_no_snapshots(tmp_path: Path) -> None:
    shared = DiskSpec(capacity_bytes=MIB, multi_writer=True, filesystem=False)
    with VmLab(tmp_path, spec_of(VmSpec(name="node", disks=(SMALL, shared)))) as lab:
        with lab.refused(vim.fault.SnapshotFault):
            lab.snapshot(lab.vm("node"))
        assert lab.vm("node").snapshot is None


def test_there_are_at_most_32_levels(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    for number in range(32):
        lab.snapshot(vm, f"s{number}")
    with lab.refused(vim.fault.TooManySnapshotLevels):
        lab.snapshot(vm, "one too many")


def test_a_full_datastore_refuses_the_snapshot_and_leaves_the_disks_as_they_were(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.sim.faults.fill_datastore("ds1")
    with lab.refused(vim.fault.NoDiskSpace) as caught:
        lab.snapshot(vm)
    assert caught.value.datastore == "ds1"
    lab.sim.faults.relieve_datastore("ds1")
    assert vm.snapshot is None
    assert [chain(disk) for disk in disks(vm)] == [["[ds1] web-01/web-01.vmdk"], ["[ds1] web-01/web-01_1.vmdk"]]
    lab.leaf("web-01").write(0, b"still writable")


def test_a_snapshot_whose_files_do_not_fit_is_taken_back(lab: VmLab, monkeypatch: pytest.MonkeyPatch) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(0, b"kept")

    def full(*_: object) -> None:
        raise vim.fault.NoDiskSpace(msg="full", file="x", datastore="ds1")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "save_snapshot", full)
        with lab.refused(vim.fault.NoDiskSpace):
            lab.snapshot(vm)
    assert vm.snapshot is None
    assert [chain(disk) for disk in disks(vm)] == [["[ds1] web-01/web-01.vmdk"], ["[ds1] web-01/web-01_1.vmdk"]]
    assert not vm.runtime.consolidationNeeded
    assert lab.leaf("web-01").read(0, 4) == b"kept"


def test_a_snapshot_can_be_removed_from_a_full_datastore(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(0, b"old")
    snapshot = lab.snapshot(vm)
    lab.leaf("web-01").write(0, b"new")
    lab.sim.faults.fill_datastore("ds1")
    lab.remove(snapshot)
    assert (vm.snapshot, vm.runtime.consolidationNeeded) == (None, False)
    assert lab.leaf("web-01").read(0, 3) == b"new"


def test_what_cannot_be_merged_for_lack_of_space_is_merged_later(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm)
    lab.leaf("web-01").write(0, b"new")
    lab.sim.faults.fill_datastore("ds1")
    lab.remove(snapshot)
    assert vm.runtime.consolidationNeeded
    with lab.refused(vim.fault.NoDiskSpace):
        lab.run(vm.ConsolidateVMDisks_Task())
    lab.sim.faults.relieve_datastore("ds1")
    lab.run(vm.ConsolidateVMDisks_Task())
    assert not vm.runtime.consolidationNeeded
    assert lab.leaf("web-01").read(0, 3) == b"new"


def test_a_second_task_on_a_busy_vm_is_refused(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.sim.faults.hang_task("CreateSnapshot_Task")
    task = vm.CreateSnapshot_Task("slow", "", False, False)
    with lab.refused(vim.fault.TaskInProgress) as caught:
        vm.CreateSnapshot_Task("fast", "", False, False)
    assert caught.value.task == task
    lab.sim.faults.release()
    lab.run(task)


def test_a_refused_consolidation_is_needed_until_it_is_done(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm)
    lab.leaf("web-01").write(0, b"merge me")
    lab.sim.faults.refuse_consolidation("web-01", times=2)
    lab.remove(snapshot)
    assert vm.snapshot is None
    assert vm.runtime.consolidationNeeded
    assert any("consolidation is needed" in message for message in lab.events())
    with lab.refused(vim.fault.FileLocked):
        lab.run(vm.ConsolidateVMDisks_Task())
    lab.run(vm.ConsolidateVMDisks_Task())
    assert not vm.runtime.consolidationNeeded
    assert chain(disks(vm)[0]) == ["[ds1] web-01/web-01.vmdk"]
    assert lab.leaf("web-01").read(0, 8) == b"merge me"


def test_removing_without_consolidation_leaves_the_merge_for_later(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.remove(lab.snapshot(vm), consolidate=False)
    assert vm.runtime.consolidationNeeded
    lab.run(vm.ConsolidateVMDisks_Task())
    assert not vm.runtime.consolidationNeeded


def test_a_disk_that_a_reader_has_open_is_not_merged_away(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm)
    frozen = lab.machine("web-01").trees[2000].frozen[snapshot._moId]
    lab.leaf("web-01").write(0, b"later")
    with frozen.pinned():
        lab.remove(snapshot)
        assert vm.runtime.consolidationNeeded
        assert frozen.read(0, 5) == bytes(5)
        with lab.refused(vim.fault.FileLocked):
            lab.run(vm.ConsolidateVMDisks_Task())
    lab.run(vm.ConsolidateVMDisks_Task())
    assert not vm.runtime.consolidationNeeded


def test_frozen_disks_are_kept_as_raw_copies_where_a_test_wants_them(lab: VmLab, tmp_path: Path) -> None:
    lab.sim.keep_frozen_copies = tmp_path / "frozen"
    lab.leaf("web-01").write(GRAIN + 5, b"frozen")
    vm = lab.vm("web-01")
    lab.snapshot(vm, "Standfast-1/2")
    lab.leaf("web-01").write(GRAIN + 5, b"thawed")
    place = tmp_path / "frozen" / vm._moId / "Standfast-1_2"
    assert sorted(path.name for path in place.iterdir()) == ["2000.raw", "2001.raw"]
    kept = (place / "2000.raw").read_bytes()
    assert len(kept) == 4 * MIB
    assert kept[GRAIN + 5 : GRAIN + 11] == b"frozen"


def test_the_files_of_snapshots_are_listed_with_their_types(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm, memory=True)
    layout = vm.layoutEx
    types = {file.name.rpartition("/")[2]: file.type for file in layout.file}
    assert types["web-01-Snapshot1.vmsn"] == "snapshotData"
    assert types["web-01-Snapshot1.vmem"] == "snapshotMemory"
    assert types["web-01.vmsd"] == "snapshotList"
    assert types["web-01-000001.vmdk"] == "diskDescriptor"
    assert types["web-01-000001-delta.vmdk"] == "diskExtent"
    by_key = {file.key: file.name for file in layout.file}
    assert [len(disk.chain) for disk in layout.disk] == [2, 2]
    assert by_key[layout.disk[0].chain[0].fileKey[0]] == "[ds1] web-01/web-01.vmdk"
    assert layout.snapshot[0].key == snapshot
    assert by_key[layout.snapshot[0].dataKey] == "[ds1] web-01/web-01-Snapshot1.vmsn"
