"""Backups that fail or are stopped: nothing of ours stays on the platform, nothing half-done in the repository."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.tasks import CancelTask
from app.domain.events import TaskFailed
from app.domain.states import BackupKind, TaskState
from app.engine import messages
from app.engine.program.settings import EngineSettings
from tests.support.engine_lab import QUICK, EngineLab, codes_of, filled_vm, text_of

MIB = 1 << 20


@pytest.mark.parametrize("reads_before", [0, 40])
def test_a_read_that_fails_leaves_no_point_and_no_snapshot(lab: EngineLab, reads_before: int) -> None:
    vm = filled_vm(lab)
    good = lab.backup(vm)
    lab.host.write(vm, 2000, 0, os.urandom(2 * MIB))
    lab.host.faults.fail_read_at = reads_before  # in the audit, in the copy
    report = lab.finished(lab.start_backup(vm, BackupKind.FULL))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "transport.disk_access_failed"
    assert "the connection was lost" in report.task.error.message
    assert lab.host.our_snapshots() == []
    assert [point.id for point in lab.points()] == [good.id] == lab.listed()
    (failed,) = [event for event in lab.events if isinstance(event, TaskFailed)]
    assert failed.code == report.task.error.code
    lab.host.faults.fail_read_at = None
    assert lab.content(lab.backup(vm).id) == lab.host.content(vm, 2000)


STEPS = [
    *("connect", "vm_details", "enable_change_tracking", "create_snapshot", "snapshot_created"),
    *("save_configuration", "changed_extents", "open_reader", "read", "remove_snapshot"),
]


@pytest.mark.parametrize("step", STEPS)
def test_cancelling_at_any_step_leaves_no_snapshot_and_no_point(lab: EngineLab, step: str) -> None:
    vm = filled_vm(lab)

    def cancel_at_the_step(call: str) -> None:
        if call == step:
            (task,) = [row.id for row in lab.engine.manager.unfinished()]
            lab.engine.execute(CancelTask(task=task))

    lab.host.faults.on_call = cancel_at_the_step
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.STOPPED, text_of(report)
    assert report.task.error is None
    assert lab.host.our_snapshots() == []
    assert lab.points() == []
    lab.host.faults.on_call = None
    assert lab.content(lab.backup(vm).id) == lab.host.content(vm, 2000)


def test_a_snapshot_that_cannot_be_created_fails_the_task_with_the_reason(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.faults.snapshot_failures = 1
    report = lab.finished(lab.start_backup(vm))
    assert report.task.error is not None
    assert report.task.error.code == "snapshot.failed"
    assert list(lab.catalog.snapshot_journal.open_entries()) == []


def test_a_snapshot_that_was_created_though_the_call_failed_is_removed(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.faults.half_snapshots = 1
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.FAILED
    assert lab.host.our_snapshots() == []
    assert list(lab.catalog.snapshot_journal.open_entries()) == []


def test_a_removal_that_fails_a_few_times_is_tried_again(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.faults.removal_failures = 3
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED
    assert codes_of(report).count(messages.SNAPSHOT_REMOVAL_AGAIN.code) == 3
    assert lab.host.our_snapshots() == []


def test_a_snapshot_that_stays_is_reported_and_removed_before_the_next_backup(tmp_path: Path) -> None:
    impatient = replace(QUICK, snapshot_removal_deadline_s=0.0)
    with EngineLab(tmp_path, settings=impatient) as lab:
        vm = filled_vm(lab)
        lab.host.faults.removal_failures = 2  # the run's own attempt, and the one right after it
        report = lab.finished(lab.start_backup(vm))
        assert report.task.state is TaskState.COMPLETED  # the data is whole
        assert messages.SNAPSHOT_LEFT.code in codes_of(report)
        assert len(lab.host.our_snapshots()) == 1
        assert len(lab.catalog.snapshot_journal.open_entries()) == 1
        again = lab.finished(lab.start_backup(vm))
        assert messages.ORPHAN_REMOVED.code in codes_of(again)
        assert lab.host.our_snapshots() == []
        assert list(lab.catalog.snapshot_journal.open_entries()) == []


def test_somebody_elses_snapshot_is_never_touched(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.backup(vm)
    theirs = lab.host.take_snapshot(vm, "Veeam temporary")
    lab.host.write(vm, 2000, 0, b"more")
    point = lab.backup(vm)
    assert list(lab.host.vm(vm).snapshots) == [theirs]
    assert lab.content(point.id) == lab.host.content(vm, 2000)


def test_a_bug_ends_its_task_only(lab: EngineLab, log_guard: object) -> None:
    vm = filled_vm(lab)

    def break_down(call: str) -> None:
        if call == "save_configuration":
            raise ZeroDivisionError

    log_guard.expect("ended by a bug")  # type: ignore[attr-defined]
    lab.host.faults.on_call = break_down
    report = lab.finished(lab.start_backup(vm))
    assert report.task.error is not None
    assert report.task.error.code == "task.internal"
    assert lab.host.our_snapshots() == []
    lab.host.faults.on_call = None
    lab.backup(vm)


def test_too_little_space_at_the_standby_fails_before_anything_is_done(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=EngineSettings(standby_reserve_bytes=1 << 60)) as lab:
        report = lab.finished(lab.start_backup(filled_vm(lab)))
        assert report.task.error is not None
        assert report.task.error.code == "standby.full"
        assert messages.SNAPSHOT_CREATED.code not in [line.code for line in report.log]


def test_a_standby_with_unknown_space_is_backed_up_to_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EngineLab(tmp_path, settings=EngineSettings(standby_reserve_bytes=1 << 60)) as lab:
        monkeypatch.setattr("app.core.space.shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(0, 0, 0))
        report = lab.finished(lab.start_backup(filled_vm(lab)))
        assert report.task.error is None
        assert codes_of(report).count("standby.space_unknown") == 1
