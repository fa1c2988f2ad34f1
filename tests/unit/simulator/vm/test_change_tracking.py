"""Changed block tracking over the wire: when it comes into force, what it reports, and when it refuses."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.domain.extents import Extent
from app.simulator.spec import DatastoreSpec, DiskSpec, VmSpec
from app.simulator.vm import changed_areas
from tests.unit.simulator.vm.lab import GRAIN, MIB, VmLab, areas, disks, spec_of

SMALL = DiskSpec(capacity_bytes=4 * MIB, filesystem=False)


def change_id(snapshot: Any, index: int = 0) -> Any:
    return disks(snapshot)[index].backing.changeId


def generation(snapshot: Any) -> str:
    return str(change_id(snapshot)).rpartition("/")[0]


def query(vm: Any, snapshot: Any, since: str, *, start: int = 0, key: int = 2000) -> Any:
    return vm.QueryChangedDiskAreas(snapshot, key, start, since)


def test_on_a_running_vm_it_comes_into_force_with_the_next_stun(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    assert vm.capability.changeTrackingSupported
    lab.reconfigure(vm, changeTrackingEnabled=True)
    assert vm.config.changeTrackingEnabled
    first = lab.snapshot(vm, "cycle")
    assert change_id(first) is None
    lab.remove(first)
    second = lab.snapshot(vm)
    assert change_id(second).endswith("/2")


def test_on_a_vm_that_is_off_it_comes_into_force_at_once(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    assert change_id(lab.snapshot(vm)) is not None


def test_a_power_cycle_brings_it_into_force_too(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    lab.run(vm.PowerOffVM_Task())
    lab.run(vm.PowerOnVM_Task())
    assert change_id(lab.snapshot(vm)) is not None


def test_only_a_snapshot_carries_change_ids(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    snapshot = lab.snapshot(vm)
    assert all(disk.backing.changeId for disk in disks(snapshot))
    assert change_id(snapshot, 0) != change_id(snapshot, 1)
    assert all(disk.backing.changeId is None for disk in disks(vm))
    assert disks(vm)[0].backing.parent.changeId is None


def test_an_incremental_query_tells_whole_grains_that_changed(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    first = lab.snapshot(vm)
    since = change_id(first)
    lab.leaf("web-01").write(3 * GRAIN + 7, b"x")
    lab.leaf("web-01").write(10 * GRAIN - 1, b"yz")
    lab.remove(first)
    second = lab.snapshot(vm)
    answer = query(vm, second, since)
    assert (answer.startOffset, answer.length) == (0, 4 * MIB)
    assert areas(answer) == [(3, 1), (9, 2)]
    assert areas(query(vm, second, change_id(second))) == []


def test_what_is_written_behind_a_snapshot_is_told_by_the_next_one(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    first = lab.snapshot(vm)
    lab.leaf("web-01").write(GRAIN, b"behind")
    assert areas(query(vm, first, change_id(first))) == []
    second = lab.snapshot(vm)
    assert areas(query(vm, second, change_id(first))) == [(1, 1)]


def test_a_differential_query_goes_back_to_an_older_id(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    ids = []
    for grain in (1, 2, 3):
        snapshot = lab.snapshot(vm)
        ids.append(change_id(snapshot))
        lab.remove(snapshot)
        lab.leaf("web-01").write(grain * GRAIN, b"x")
    last = lab.snapshot(vm)
    assert [areas(query(vm, last, since)) for since in ids] == [[(1, 3)], [(2, 2)], [(3, 1)]]


def test_the_star_tells_what_is_allocated(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.leaf("web-01").write(5 * GRAIN, b"x")
    lab.track_changes(vm)
    lab.leaf("web-01").write(20 * GRAIN, bytes(2 * GRAIN))
    assert areas(query(vm, lab.snapshot(vm), "*")) == [(5, 1), (20, 2)]


def test_on_an_nfs_datastore_the_star_tells_the_whole_disk(tmp_path: Path) -> None:
    spec = spec_of(
        VmSpec(name="nas", disks=(SMALL,), change_tracking=True),
        datastores=(DatastoreSpec(name="ds1", kind="NFS"),),
    )
    with VmLab(tmp_path, spec) as lab:
        vm = lab.vm("nas")
        assert areas(query(vm, lab.snapshot(vm), "*")) == [(0, 64)]


def test_a_long_answer_comes_in_pages_that_join_without_gaps(lab: VmLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_areas, "AREAS_PER_ANSWER", 3)
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    snapshot = lab.snapshot(vm)
    since = change_id(snapshot)
    wanted = list(range(0, 64, 4))
    for grain in wanted:
        lab.leaf("web-01").write(grain * GRAIN, b"x")
    lab.remove(snapshot)
    snapshot = lab.snapshot(vm)
    found: list[tuple[int, int]] = []
    position = pages = 0
    while position < 4 * MIB:
        answer = query(vm, snapshot, since, start=position)
        assert answer.startOffset == position
        assert answer.length > 0
        assert all(position <= area.start and area.start + area.length <= position + answer.length
                   for area in answer.changedArea)  # fmt: skip
        found += areas(answer)
        position += answer.length
        pages += 1
    assert position == 4 * MIB
    assert found == [(grain, 1) for grain in wanted]
    assert pages == 6


def test_an_answer_begins_where_it_was_asked_for(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    snapshot = lab.snapshot(vm)
    since = change_id(snapshot)
    lab.leaf("web-01").write(0, bytes(8 * GRAIN))
    second = lab.snapshot(vm)
    answer = query(vm, second, since, start=2 * GRAIN + 512)
    assert [(area.start, area.length) for area in answer.changedArea] == [(2 * GRAIN + 512, 6 * GRAIN - 512)]
    assert answer.startOffset + answer.length == 4 * MIB


def test_switching_it_off_and_on_again_begins_a_new_generation(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    old = lab.snapshot(vm)
    since, old_generation = change_id(old), generation(old)
    lab.remove(old)
    lab.reconfigure(vm, changeTrackingEnabled=False)
    lab.remove(lab.snapshot(vm, "cycle"))
    lab.track_changes(vm)
    new = lab.snapshot(vm)
    assert generation(new) != old_generation
    with lab.refused(vmodl.fault.InvalidArgument) as caught:
        query(vm, new, since)
    assert caught.value.invalidProperty == "changeId"


def test_going_back_to_a_snapshot_makes_older_ids_worthless(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    first = lab.snapshot(vm, "first")
    lab.leaf("web-01").write(0, b"thrown away")
    second = lab.snapshot(vm, "second")
    ids = [change_id(first), change_id(second)]
    lab.run(first.RevertToSnapshot_Task(None, True))
    third = lab.snapshot(vm, "third")
    assert generation(third) != generation(first)
    for since in ids:
        with lab.refused(vmodl.fault.InvalidArgument):
            query(vm, third, since)


def test_it_survives_a_hard_power_off(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    first = lab.snapshot(vm)
    since = change_id(first)
    lab.remove(first)
    lab.leaf("web-01").write(7 * GRAIN, b"x")
    vm.TerminateVM()
    lab.run(vm.PowerOnVM_Task())
    assert areas(query(vm, lab.snapshot(vm), since)) == [(7, 1)]


def test_a_vm_that_is_off_can_be_asked_without_a_snapshot(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    snapshot = lab.snapshot(vm)
    since = change_id(snapshot)
    lab.leaf("archive-01").write(GRAIN, b"x")
    assert areas(query(vm, None, since)) == [(1, 1)]


def test_a_running_vm_cannot_be_asked_without_a_snapshot(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    with lab.refused(vim.fault.FileFault):
        query(vm, None, "*")


def test_without_tracking_the_file_is_at_fault(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    snapshot = lab.snapshot(vm)
    with lab.refused(vim.fault.FileFault) as caught:
        query(vm, snapshot, "*")
    assert caught.value.file == "[ds1] web-01/web-01.vmdk"


@pytest.mark.parametrize("since", ["", "**", "52 aa/x", "52 c0 ff ee 00 00 00 00-00 00 00 00 00 00 00 00/1"])
def test_an_id_that_makes_no_sense_is_refused(lab: VmLab, since: str) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    with lab.refused(vmodl.fault.InvalidArgument):
        query(vm, lab.snapshot(vm), since)


@pytest.mark.parametrize("start", [-1, 4 * MIB, 1 << 50])
def test_an_offset_outside_of_the_disk_is_refused(lab: VmLab, start: int) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    with lab.refused(vmodl.fault.InvalidArgument) as caught:
        query(vm, lab.snapshot(vm), "*", start=start)
    assert caught.value.invalidProperty == "startOffset"


@pytest.mark.parametrize("key", [0, 1000, 2002, 4000])
def test_a_key_that_is_no_disk_is_refused(lab: VmLab, key: int) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    with lab.refused(vmodl.fault.InvalidArgument) as caught:
        query(vm, lab.snapshot(vm), "*", key=key)
    assert caught.value.invalidProperty == "deviceKey"


def test_a_snapshot_of_another_vm_is_not_found(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    with lab.refused(vim.fault.NotFound):
        query(vm, lab.snapshot(lab.vm("archive-01")), "*")


def test_a_scripted_lie_leaves_an_area_out_of_every_answer(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.track_changes(vm)
    first = lab.snapshot(vm)
    lab.leaf("web-01").write(0, bytes(4 * GRAIN))
    second = lab.snapshot(vm)
    lab.sim.faults.lie_in_cbt("web-01", 2000, Extent(GRAIN, GRAIN))
    assert areas(query(vm, second, change_id(first))) == [(0, 1), (2, 2)]
    assert areas(query(vm, second, "*")) == [(0, 1), (2, 2)]


def test_switched_on_among_snapshots_it_is_silently_wrong(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    old = lab.snapshot(vm, "somebody else's")
    lab.leaf("web-01").write(5 * GRAIN, b"in the delta")
    lab.track_changes(vm)
    mine = lab.snapshot(vm, "mine")
    since = change_id(mine)
    assert areas(query(vm, mine, "*")) == []
    lab.leaf("web-01").write(5 * GRAIN, b"once more")
    lab.leaf("web-01").write(9 * GRAIN, b"elsewhere")
    assert areas(query(vm, lab.snapshot(vm), since)) == [(9, 1)]
    assert old._moId != mine._moId


def test_disks_that_cannot_be_tracked_have_no_ids_and_are_refused(tmp_path: Path) -> None:
    odd = VmSpec(
        name="odd",
        disks=(
            SMALL,
            DiskSpec(capacity_bytes=MIB, mode="independent_persistent", filesystem=False),
            DiskSpec(capacity_bytes=MIB, kind="rdm_physical", filesystem=False),
        ),
        change_tracking=True,
        powered_on=False,
    )
    with VmLab(tmp_path, spec_of(odd)) as lab:
        vm = lab.vm("odd")
        snapshot = lab.snapshot(vm)
        assert change_id(snapshot) is not None
        for key in (2001, 2002):
            with lab.refused(vmodl.fault.InvalidArgument):
                query(vm, snapshot, "*", key=key)


def test_an_extended_disk_begins_a_new_generation(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.reconfigure(vm, changeTrackingEnabled=True)
    first = lab.snapshot(vm)
    since = change_id(first)
    lab.remove(first)
    disk = disks(vm)[0]
    disk.capacityInKB, disk.capacityInBytes = 8 * 1024, 8 * MIB
    lab.reconfigure(vm, vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk))
    second = lab.snapshot(vm)
    assert disks(second)[0].capacityInBytes == 8 * MIB
    with lab.refused(vmodl.fault.InvalidArgument):
        query(vm, second, since)
