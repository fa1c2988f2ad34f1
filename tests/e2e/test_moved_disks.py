"""Storage vMotion and a snapshot removed by somebody, while a backup reads over real sockets."""

from collections.abc import Iterator

import pytest

from app.cli.demo.stage import Stage
from app.contract.restore import NewVm, StartRestore
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.engine import messages
from tests.support.engine_lab import codes_of
from tests.support.other_client import OtherClient
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    at_state,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    start_backup,
    vm_named,
)

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
MODES = [TransportMode.NFC_SSL, TransportMode.HTTPS]
STATES = [
    TaskState.SAVING_CONFIGURATION,
    TaskState.QUERYING_CHANGES,
    TaskState.CHECKING_DATA,
    TaskState.RUNNING,
]


@pytest.fixture
def other(stage: Stage) -> Iterator[OtherClient]:
    with OtherClient(stage.simulator) as client:
        yield client


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("state", STATES)
def test_a_storage_vmotion_in_any_state_is_followed(
    stage: Stage, other: OtherClient, state: TaskState, mode: TransportMode
) -> None:
    vm = vm_named(stage, "web-01")
    at_state(stage, state, lambda: other.relocate(vm.id, "ds2"))
    task = start_backup(stage, vm, FULL, transports=(mode,))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert codes_of(report).count(messages.DISK_MOVED.code) == 1, "all disks moved at once; the second was known"
    made = Made(task, known_point(stage, report))
    assert_points_are_exact(stage, vm.id, [made])
    assert not our_snapshots(stage)
    stage.simulator.world.guests.write_now(vm.id, 1 * MIB)
    assert_points_are_exact(stage, vm.id, [made, back_up(stage, vm, INCREMENTAL)])


@pytest.mark.parametrize("mode", MODES)
def test_a_storage_vmotion_in_the_middle_of_a_disk_is_followed(
    stage: Stage, other: OtherClient, mode: TransportMode
) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.cut_reads(2 * MIB, meanwhile=lambda: other.relocate(vm.id, "ds2"))
    task = start_backup(stage, vm, FULL, transports=(mode,))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert messages.DISK_MOVED.code in codes_of(report)
    assert_points_are_exact(stage, vm.id, [Made(task, known_point(stage, report))])
    assert not our_snapshots(stage)


@pytest.mark.parametrize(("state", "mode"), list(zip(STATES, MODES * 2, strict=True)))
def test_a_snapshot_removed_in_any_state_is_named_and_leaves_no_point(
    stage: Stage, other: OtherClient, state: TaskState, mode: TransportMode
) -> None:
    vm = vm_named(stage, "web-01")
    good = back_up(stage, vm, FULL)
    stage.simulator.world.guests.write_now(vm.id, 1 * MIB)
    at_state(stage, state, lambda: other.remove_snapshots(vm.id))
    report = finished(stage.engine, start_backup(stage, vm, INCREMENTAL, transports=(mode,)))
    assert report.task.state is TaskState.FAILED, explain(report)
    assert report.task.error is not None
    assert report.task.error.code == "snapshot.gone", explain(report)
    assert not our_snapshots(stage)
    assert_points_are_exact(stage, vm.id, [good, back_up(stage, vm, INCREMENTAL)])


@pytest.mark.parametrize("cut", [True, False])
def test_a_snapshot_removed_in_the_middle_of_a_disk_leaves_no_point(
    stage: Stage, other: OtherClient, *, cut: bool
) -> None:
    vm = vm_named(stage, "web-01")
    faults = stage.simulator.faults
    if cut:
        faults.cut_reads(2 * MIB, meanwhile=lambda: other.remove_snapshots(vm.id))
    else:
        faults.halt_reads(2 * MIB, action=lambda: other.remove_snapshots(vm.id))
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert report.task.error is not None
    assert report.task.error.code == "snapshot.gone", explain(report)
    assert not our_snapshots(stage)
    assert not stage.simulator.world.inventory.vms[vm.id].consolidation_needed
    assert_points_are_exact(stage, vm.id, [back_up(stage, vm, FULL)])


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.VERIFYING])
def test_a_new_vm_that_is_moved_while_it_is_restored_is_followed(
    stage: Stage, other: OtherClient, state: TaskState
) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, FULL)
    at_state(stage, state, lambda: other.relocate(vm_named(stage, "web-copy").id, "ds2"))
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=NewVm(placement=VmPlacement(name="web-copy")),
            power_on=False,
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert messages.DISK_MOVED.code in codes_of(report)
    assert vm_named(stage, "web-copy").datastores == ("ds2",)
