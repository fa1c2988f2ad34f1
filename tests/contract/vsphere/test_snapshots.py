"""Snapshots: made under our name, frozen, found, removed, and never left behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.cancel import CancelToken
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.errors import TaskCancelled, VmNotFound
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.vms import PowerState, VmSummary
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog


@pytest.fixture
def vm(vsphere: VSphereHypervisor) -> Iterator[VmSummary]:
    """A running VM, without snapshots before and after the test."""
    vm = _ordinary_vms(vsphere)[0]
    assert vm.snapshot_count == 0
    yield vm
    assert vsphere.find_snapshots("") == []


def _ordinary_vms(vsphere: VSphereHypervisor) -> list[VmSummary]:
    """Running VMs whose disks all take part in snapshots."""
    return [
        vm
        for vm in vsphere.list_vms()
        if vm.power_state is PowerState.ON
        and not any(disk.unsupported_reason for disk in vsphere.vm_details(vm.id).disks)
    ]


def test_snapshot_freezes_the_disks_and_is_named_for_its_task(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog
) -> None:
    task = TaskId("4d0c52e4")
    frozen = vsphere.create_snapshot(vm.id, task, quiesce=False, log=log, cancel=CancelToken())
    try:
        assert frozen.crash_consistent
        assert frozen.quiesce_failure is None
        live = {disk.key: disk for disk in vsphere.vm_details(vm.id).disks}
        assert {disk.key for disk in frozen.disks} == {
            key for key, disk in live.items() if disk.unsupported_reason is None
        }
        for disk in frozen.disks:
            assert disk.capacity_bytes == live[disk.key].capacity_bytes
        (found,) = vsphere.vm_details(vm.id).snapshots
        assert (found.id, found.name) == (frozen.snapshot, f"{SNAPSHOT_PREFIX}{task}")
    finally:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_removing_twice_is_fine(vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog) -> None:
    frozen = vsphere.create_snapshot(vm.id, TaskId("twice"), quiesce=False, log=log, cancel=CancelToken())
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_removal_leaves_the_snapshots_of_others(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog
) -> None:
    first = vsphere.create_snapshot(vm.id, TaskId("theirs"), quiesce=False, log=log, cancel=CancelToken())
    second = vsphere.create_snapshot(vm.id, TaskId("ours"), quiesce=False, log=log, cancel=CancelToken())
    third = vsphere.create_snapshot(vm.id, TaskId("later"), quiesce=False, log=log, cancel=CancelToken())
    vsphere.remove_snapshot(vm.id, second.snapshot, deadline_s=30)
    assert [snapshot.id for snapshot in vsphere.vm_details(vm.id).snapshots] == [first.snapshot, third.snapshot]
    vsphere.remove_snapshot(vm.id, third.snapshot, deadline_s=30)
    vsphere.remove_snapshot(vm.id, first.snapshot, deadline_s=30)


def test_removal_on_a_vm_that_is_gone_is_fine(vsphere: VSphereHypervisor) -> None:
    vsphere.remove_snapshot(VmId("vm-gone"), SnapshotId("snapshot-gone"), deadline_s=5)


def test_snapshots_are_found_over_the_platform_by_prefix(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    vms = _ordinary_vms(vsphere)[:2]
    made = []
    for machine in vms:
        task = TaskId(f"50% {machine.name}")
        frozen = vsphere.create_snapshot(machine.id, task, quiesce=False, log=log, cancel=CancelToken())
        made.append((machine.id, frozen))
    try:
        found = vsphere.find_snapshots(f"{SNAPSHOT_PREFIX}50% ")
        assert {(snapshot.vm, snapshot.id, snapshot.name) for snapshot in found} == {
            (vm, frozen.snapshot, f"{SNAPSHOT_PREFIX}50% {summary.name}")
            for (vm, frozen), summary in zip(made, vms, strict=True)
        }
        assert vsphere.find_snapshots("somebody else's") == []
    finally:
        for vm, frozen in made:
            vsphere.remove_snapshot(vm, frozen.snapshot, deadline_s=30)


def test_vm_that_is_gone_gets_no_snapshot(vsphere: VSphereHypervisor, log: RecordingTaskLog) -> None:
    with pytest.raises(VmNotFound):
        vsphere.create_snapshot(VmId("vm-gone"), TaskId("t"), quiesce=True, log=log, cancel=CancelToken())


def test_cancelled_task_makes_no_snapshot(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog
) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(TaskCancelled):
        vsphere.create_snapshot(vm.id, TaskId("cancelled"), quiesce=False, log=log, cancel=cancel)


def test_parallel_snapshots_of_several_vms_share_one_session(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    vms = [vm.id for vm in _ordinary_vms(vsphere)]

    def cycle(vm: VmId) -> SnapshotId:
        frozen = vsphere.create_snapshot(vm, TaskId(f"p-{vm}"), quiesce=False, log=log, cancel=CancelToken())
        vsphere.remove_snapshot(vm, frozen.snapshot, deadline_s=30)
        return frozen.snapshot

    with ThreadPoolExecutor(len(vms)) as pool:
        made = set(pool.map(cycle, vms))
    assert len(made) == len(vms)
    assert vsphere.find_snapshots("") == []
