"""Change tracking: switched on only where it is safe, asked completely, doubted when in doubt."""

from collections.abc import Iterator

import pytest
from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.domain.errors import ChangeTrackingLost
from app.domain.extents import Extent, subtract, total_bytes
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, PowerState, VirtualDisk, VmSummary
from app.simulator.server import VSphereSimulator
from app.vsphere import messages
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog


@pytest.fixture
def vm(vsphere: VSphereHypervisor) -> Iterator[VmSummary]:
    """A running VM whose disks can be tracked, without snapshots before and after the test."""
    vm = next(
        vm
        for vm in vsphere.list_vms()
        if vm.power_state is PowerState.ON
        and not any(disk.unsupported_reason for disk in vsphere.vm_details(vm.id).disks)
    )
    yield vm
    assert vsphere.find_snapshots("") == []


@pytest.fixture
def simulator(target: Target) -> Iterator[VSphereSimulator]:
    """Our simulator, where the other one knows no change tracking."""
    if target.simulator is None:
        pytest.skip("the Go simulator does not track changes")
    assert isinstance(target.simulator, VSphereSimulator)
    yield target.simulator
    target.simulator.faults.clear()


def snapshot(vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog, name: str = "cbt") -> FrozenVm:
    return vsphere.create_snapshot(vm.id, TaskId(name), quiesce=False, log=log, cancel=CancelToken())


def changes(vsphere: VSphereHypervisor, vm: VmSummary, frozen: FrozenVm, since: str | None) -> list[Extent]:
    disk = frozen.disks[0]
    return vsphere.changed_extents(vm.id, frozen.snapshot, disk.key, disk.capacity_bytes, since)


def test_platform_without_tracking_reads_disks_whole(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog, target: Target
) -> None:
    if target.knows_change_tracking:
        pytest.skip("this platform tracks changes")
    is_on = vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    assert is_on is vm.change_tracking_supported, "the newest Go simulator says that it could, and cannot"
    assert (messages.CBT_UNSUPPORTED in log.kinds()) is not is_on
    frozen = snapshot(vsphere, vm, log)
    try:
        with pytest.raises(ChangeTrackingLost):
            changes(vsphere, vm, frozen, None)
    finally:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_vm_with_snapshots_is_never_switched(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.OFF)
    frozen = snapshot(vsphere, vm, log)
    try:
        assert not vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
        assert not vsphere.reset_change_tracking(vm.id, log=log, cancel=CancelToken())
        assert log.kinds()[-2:] == [messages.CBT_HAS_SNAPSHOTS] * 2
        assert not vsphere.vm_details(vm.id).summary.change_tracking_enabled
    finally:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_tracking_takes_effect_on_a_running_vm_and_leaves_no_snapshot(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    for _ in range(2):
        assert vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    assert log.lines == []
    assert vsphere.vm_details(vm.id).summary.change_tracking_enabled
    frozen = snapshot(vsphere, vm, log)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert all(disk.change_id for disk in frozen.disks)


def test_changes_are_what_the_guest_wrote_in_between(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    before = snapshot(vsphere, vm, log, "before")
    allocated = changes(vsphere, vm, before, None)
    vsphere.remove_snapshot(vm.id, before.snapshot, deadline_s=30)
    simulator.world.guests.write_now(vm.id, 300_000)
    after = snapshot(vsphere, vm, log, "after")
    try:
        changed = [
            vsphere.changed_extents(vm.id, after.snapshot, disk.key, disk.capacity_bytes, old.change_id)
            for disk, old in zip(after.disks, before.disks, strict=True)
        ]
        assert sum(map(total_bytes, changed)) >= 300_000
        assert subtract(allocated, changes(vsphere, vm, after, None)) == []
        again = changes(vsphere, vm, after, after.disks[0].change_id)
        assert again == []
    finally:
        vsphere.remove_snapshot(vm.id, after.snapshot, deadline_s=30)


def test_reset_ends_the_old_change_ids(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    before = snapshot(vsphere, vm, log, "before")
    vsphere.remove_snapshot(vm.id, before.snapshot, deadline_s=30)
    assert vsphere.reset_change_tracking(vm.id, log=log, cancel=CancelToken())
    after = snapshot(vsphere, vm, log, "after")
    try:
        with pytest.raises(ChangeTrackingLost, match="reset since"):
            changes(vsphere, vm, after, before.disks[0].change_id)
    finally:
        vsphere.remove_snapshot(vm.id, after.snapshot, deadline_s=30)


@pytest.mark.parametrize(
    "fault",
    [
        vim.fault.FileFault(msg="Error caused by file", file="[ds1] web-01/web-01.vmdk"),
        vmodl.fault.InvalidArgument(msg="A specified parameter was not correct", invalidProperty="changeId"),
        vim.fault.NotFound(msg="The object or item referred to could not be found."),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_refused_question_falls_back_with_the_reason(
    vsphere: VSphereHypervisor,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
    fault: vmodl.MethodFault,
) -> None:
    vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    frozen = snapshot(vsphere, vm, log)
    try:
        simulator.faults.fail_call("QueryChangedDiskAreas", fault=fault)
        with pytest.raises(ChangeTrackingLost) as lost:
            changes(vsphere, vm, frozen, frozen.disks[0].change_id)
        assert type(fault).__name__.rpartition(".")[2] in lost.value.details
        assert lost.value.params["change_id"] == frozen.disks[0].change_id
    finally:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_disk_of_another_size_or_key_is_doubted(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    frozen = snapshot(vsphere, vm, log)
    disk: VirtualDisk = frozen.disks[0]
    try:
        with pytest.raises(ChangeTrackingLost, match="bytes now"):
            vsphere.changed_extents(vm.id, frozen.snapshot, disk.key, disk.capacity_bytes * 2, None)
        with pytest.raises(ChangeTrackingLost, match="no such disk"):
            vsphere.changed_extents(vm.id, frozen.snapshot, 9999, disk.capacity_bytes, None)
    finally:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_map_of_many_areas_is_read_in_pages(
    vsphere: VSphereHypervisor,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.simulator.vm.changed_areas.AREAS_PER_ANSWER", 2)
    vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    before = snapshot(vsphere, vm, log, "before")
    vsphere.remove_snapshot(vm.id, before.snapshot, deadline_s=30)
    simulator.world.guests.write_now(vm.id, 2_000_000)
    after = snapshot(vsphere, vm, log, "after")
    try:
        asked = simulator.faults.calls("QueryChangedDiskAreas")
        paged = changes(vsphere, vm, after, before.disks[0].change_id)
        questions = simulator.faults.calls("QueryChangedDiskAreas") - asked
        monkeypatch.setattr("app.simulator.vm.changed_areas.AREAS_PER_ANSWER", 100_000)
        assert paged == changes(vsphere, vm, after, before.disks[0].change_id)
        assert questions > 1 or len(paged) <= 2
    finally:
        vsphere.remove_snapshot(vm.id, after.snapshot, deadline_s=30)


def test_missing_privilege_is_reported_and_the_backup_goes_on(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.OFF)
    refusal = vim.fault.NoPermission(privilegeId="VirtualMachine.Config.ChangeTracking")
    simulator.faults.fail_call("ReconfigVM_Task", fault=refusal)
    assert not vsphere.enable_change_tracking(vm.id, log=log, cancel=CancelToken())
    assert log.kinds() == [messages.CBT_NOT_SWITCHED]
    assert "VirtualMachine.Config.ChangeTracking" in log.text()
