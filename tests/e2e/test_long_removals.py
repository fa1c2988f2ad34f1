"""Removing the snapshot takes hours: the operator sees it, a stop leaves it running, the next run settles it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.tasks import CancelTask, TaskDetails
from app.domain.ids import TaskId
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmSummary
from app.engine import messages
from app.simulator.slowness import RemovalPace
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.engine_lab import codes_of
from tests.support.fast_clock import FastClock
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    at_state,
    explain,
    finished,
    known_point,
    our_snapshots,
    start_backup,
    vm_named,
)
from tests.support.waiting import wait_until

HOUR = 3600.0
FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage on which an hour takes two seconds, or as many as a test says."""
    clock = FastClock(HOUR / getattr(request, "param", 2))
    disk = DiskSpec(capacity_bytes=16 * MIB)
    spec = SimulatorSpec(
        vms=(VmSpec(name="web-01", disks=(disk, disk)), VmSpec(name="db-01", disks=(disk,))), session_idle_s=1e9
    )
    with (
        open_simulator(tmp_path, spec, clock) as simulator,
        open_host(tmp_path / "home", "a passphrase", clock) as host,
    ):
        yield register(tmp_path, simulator, host.engine)


def take_long(stage: Stage, vm: VmSummary, seconds: float, pace: RemovalPace = RemovalPace.BY_PROGRESS) -> None:
    """Let removals take long from the moment on in which the backup reads."""
    at_state(stage, TaskState.RUNNING, lambda: stage.simulator.faults.slow_removals(vm.name, seconds, pace))


def is_removing(stage: Stage, task: TaskId) -> bool:
    row = stage.engine.ask(TaskDetails(task=task)).task
    return row.state is TaskState.REMOVING_SNAPSHOT and row.progress.platform_percent is not None


def assert_nothing_is_left(stage: Stage) -> None:
    assert not our_snapshots(stage)
    assert not any(vm.consolidation_needed for vm in stage.simulator.world.all(VirtualMachine))
    assert list(stage.engine.services.catalog.snapshot_journal.open_entries()) == []


def test_a_removal_longer_than_its_deadline_is_shown_and_the_point_is_whole(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    take_long(stage, vm, 3 * HOUR)
    task = start_backup(stage, vm, FULL)
    wait_until(lambda: is_removing(stage, task), what="the removal to be shown", deadline_s=60)
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert messages.REMOVAL_GOES_ON_AT.code in codes_of(report)
    assert messages.SNAPSHOT_REMOVED.code in codes_of(report)
    assert stage.simulator.faults.calls("CancelTask") == 0
    assert_points_are_exact(stage, vm.id, [Made(task, known_point(stage, report))])
    assert_nothing_is_left(stage)


def test_a_stop_leaves_the_removal_running_and_the_next_run_waits_for_it(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    take_long(stage, vm, 6 * HOUR)
    task = start_backup(stage, vm, FULL)
    wait_until(lambda: is_removing(stage, task), what="the removal to be shown", deadline_s=60)
    stage.engine.execute(CancelTask(task=task))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.STOPPED, explain(report)
    assert messages.REMOVAL_LEFT.code in codes_of(report)
    assert messages.SNAPSHOT_REMOVED.code not in codes_of(report)
    (entry,) = stage.engine.services.catalog.snapshot_journal.open_entries()
    assert entry[0] == task, "what is not settled stays in the journal"
    stage.simulator.faults.slow_removals(vm.name, HOUR)
    again = finished(stage.engine, start_backup(stage, vm, INCREMENTAL))
    assert again.task.state is TaskState.COMPLETED, explain(again)
    assert messages.WAITING_FOR_REMOVAL.code in codes_of(again)
    assert stage.simulator.faults.calls("CancelTask") == 0
    assert_points_are_exact(stage, vm.id, [Made(again.task.id, known_point(stage, again))])
    assert_nothing_is_left(stage)


def test_a_removal_that_stands_still_is_given_up_with_the_truth_and_settled_later(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    take_long(stage, vm, 1000 * HOUR, RemovalPace.NOT_AT_ALL)
    task = start_backup(stage, vm, FULL)
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    (line,) = [line for line in report.log if line.code == messages.SNAPSHOT_LEFT.code]
    assert "nothing has moved for 3600 seconds" in line.text
    assert [entry[0] for entry in stage.engine.services.catalog.snapshot_journal.open_entries()] == [task]
    assert stage.simulator.faults.calls("CancelTask") == 0
    assert_points_are_exact(stage, vm.id, [Made(task, known_point(stage, report))])
    stage.simulator.faults.clear()
    again = finished(stage.engine, start_backup(stage, vm, INCREMENTAL))
    assert again.task.state is TaskState.COMPLETED, explain(again)
    assert_nothing_is_left(stage)


@pytest.mark.parametrize("stage", [30], indirect=True, ids=["an_hour_in_30_s"])
def test_a_removal_on_another_vm_is_not_waited_for(stage: Stage) -> None:
    slow, other = vm_named(stage, "web-01"), vm_named(stage, "db-01")
    take_long(stage, slow, 1000 * HOUR)
    left = start_backup(stage, slow, FULL)
    wait_until(lambda: is_removing(stage, left), what="the removal to be shown", deadline_s=60)
    stage.engine.execute(CancelTask(task=left))
    finished(stage.engine, left)
    report = finished(stage.engine, start_backup(stage, other, FULL))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert messages.ORPHAN_REMOVAL_RUNS.code in codes_of(report)
    assert [entry[0] for entry in stage.engine.services.catalog.snapshot_journal.open_entries()] == [left]
    stage.simulator.faults.clear()
    finished(stage.engine, start_backup(stage, other, INCREMENTAL))
    assert_nothing_is_left(stage)
