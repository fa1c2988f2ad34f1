"""What happens to work that a crash interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from app.contract.log import LogFilter, ReadLog
from app.contract.platforms import RemoveOrphanedSnapshots
from app.contract.tasks import ListTasks
from app.core.hypervisor import SNAPSHOT_PREFIX, TRACKING_SNAPSHOT_PREFIX
from app.domain.events import TaskFailed
from app.domain.ids import TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.states import TaskState
from app.domain.tasks import RestorePhase, RestoreTrace, TaskRecord
from app.engine import messages
from app.engine.tasks.spec import BackupSpec
from tests.support.engine_lab import EngineLab, codes_of
from tests.support.local_host import LocalHost

MIB = 1 << 20


def left_by_a_crash(lab: EngineLab, vm: VmId, state: TaskState) -> TaskRecord:
    """Write a task into the catalog as a crash would leave it."""
    spec = BackupSpec(platform=lab.platform, vm=vm, vm_name="web", standby=lab.standby, rule_name="nightly")
    record = lab.engine.factory.task(spec).record
    lab.catalog.tasks.add(record)
    if state is not TaskState.PENDING:
        lab.catalog.tasks.enter(record.id, state, lab.clock.now())
    return record


def test_a_task_that_was_running_is_failed_as_interrupted_and_its_snapshot_removed(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        record = left_by_a_crash(lab, vm, TaskState.RUNNING)
        lab.catalog.snapshot_journal.opened(record.id, lab.platform, vm)
        lab.host.take_snapshot(vm, SNAPSHOT_PREFIX + record.id)
    with EngineLab(tmp_path, host=lab.host) as again:
        report = again.finished(record.id)
        assert report.task.state is TaskState.FAILED
        assert report.task.error is not None
        assert report.task.error.code == "task.interrupted"
        assert codes_of(report) == [messages.TASK_INTERRUPTED.code, messages.ORPHAN_REMOVED.code]
        assert [event.task for event in again.events if isinstance(event, TaskFailed)] == [record.id]
        assert again.host.our_snapshots() == []
        assert list(again.catalog.snapshot_journal.open_entries()) == []


def test_waiting_tasks_go_on_after_a_crash_in_their_order(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vms = [lab.host.add_vm(f"vm{number}") for number in range(3)]
        records = [left_by_a_crash(lab, vm, TaskState.PENDING) for vm in vms]
    with EngineLab(tmp_path, host=lab.host) as again:
        for record in records:
            assert again.finished(record.id).task.state is TaskState.COMPLETED
        assert len(again.points()) == 3


def test_a_journal_entry_without_a_snapshot_is_settled(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        lab.catalog.snapshot_journal.opened(TaskId("long gone"), lab.platform, vm)
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.engine.wait_until_idle(10)
        assert list(again.catalog.snapshot_journal.open_entries()) == []


@pytest.mark.allows_log("is looked for later")
def test_a_platform_that_cannot_be_reached_at_start_is_settled_before_the_next_backup(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        other = lab.host.add_vm("other")
        record = left_by_a_crash(lab, vm, TaskState.RUNNING)
        lab.catalog.snapshot_journal.opened(record.id, lab.platform, vm)
        lab.host.take_snapshot(vm, SNAPSHOT_PREFIX + record.id)
        lab.host.faults.unreachable = True
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.engine.wait_until_idle(10)
        assert len(again.host.our_snapshots()) == 1
        again.host.faults.unreachable = False
        again.backup(other)
        assert again.host.our_snapshots() == []


def test_a_snapshot_of_a_task_nobody_knows_is_left_alone_unless_asked_for(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    stranger = SNAPSHOT_PREFIX + "another-console"
    lab.host.take_snapshot(vm, stranger)
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED
    assert messages.ORPHAN_UNKNOWN.code in codes_of(report)
    assert lab.engine.execute(RemoveOrphanedSnapshots(platform=lab.platform)) == 0
    (told, *_) = lab.engine.ask(ReadLog(filter=LogFilter(at_least=LogLevel.WARNING))).rows
    assert (told.action, told.line.code) == ("snapshot.sweep", messages.ORPHAN_UNKNOWN.code)
    assert lab.host.our_snapshots() == [stranger]
    assert lab.engine.execute(RemoveOrphanedSnapshots(platform=lab.platform, include_unknown=True)) == 1
    assert lab.host.our_snapshots() == []


def test_the_snapshot_of_a_live_task_is_never_removed(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    lab.host.write(vm, 2000, 0, b"data")
    removed: list[int] = []

    def remove_meanwhile(call: str) -> None:
        if call == "read" and not removed:
            removed.append(
                lab.engine.execute(RemoveOrphanedSnapshots(platform=lab.platform, include_unknown=True))
            )

    lab.host.faults.on_call = remove_meanwhile
    assert lab.content(lab.backup(vm).id) == lab.host.content(vm, 2000)
    assert removed == [0]


@pytest.mark.allows_log("not known here")
def test_a_snapshot_left_by_the_switching_of_tracking_is_removed_at_the_next_start(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm, other = lab.host.add_vm("web"), lab.host.add_vm("other")
        record = left_by_a_crash(lab, vm, TaskState.PREPARING)
        lab.catalog.snapshot_journal.opened(TaskId(f"cbt-{record.id}"), lab.platform, vm)
        lab.host.take_snapshot(vm, TRACKING_SNAPSHOT_PREFIX + "0123456789ab")
        theirs = TRACKING_SNAPSHOT_PREFIX + "of another console"
        lab.host.take_snapshot(other, theirs)
    with EngineLab(tmp_path, host=lab.host) as again:
        report = again.finished(record.id)
        assert codes_of(report) == [messages.TASK_INTERRUPTED.code, messages.ORPHAN_REMOVED.code]
        assert again.host.our_snapshots() == [theirs]
        assert list(again.catalog.snapshot_journal.open_entries()) == []


@pytest.mark.allows_log("could not be removed")
def test_a_snapshot_of_the_switching_that_cannot_be_removed_stays_in_the_journal(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        lab.catalog.snapshot_journal.opened(TaskId("cbt-gone"), lab.platform, vm)
        lab.host.take_snapshot(vm, TRACKING_SNAPSHOT_PREFIX + "0123456789ab")
        lab.host.faults.removal_failures = 1
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.engine.wait_until_idle(10)
        assert [task for task, _, _ in again.catalog.snapshot_journal.open_entries()] == ["cbt-gone"]
        again.backup(vm)
        assert again.host.our_snapshots() == []
        assert list(again.catalog.snapshot_journal.open_entries()) == []


def test_what_the_switching_of_tracking_leaves_is_removed_at_once(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    left: list[str] = []

    def leave_one(call: str) -> None:
        if call == "enable_change_tracking":
            left.append(lab.host.take_snapshot(vm, TRACKING_SNAPSHOT_PREFIX + "0123456789ab"))

    lab.host.faults.on_call = leave_one
    lab.backup(vm)
    assert left
    assert lab.host.our_snapshots() == []
    assert list(lab.catalog.snapshot_journal.open_entries()) == []


# --- restores ----------------------------------------------------------------------------------------------------


def trace_of(lab: EngineLab, task: TaskId, phase: RestorePhase, created: str, replaced: VmId) -> RestoreTrace:
    trace = RestoreTrace(
        task=task,
        platform=lab.platform,
        phase=phase,
        name="web",
        created_as=created,
        created=lab.host.named(created) if created in lab.host.names else None,
        replaced=replaced,
    )
    lab.catalog.restore_journal.note(trace)
    return trace


def after_a_crash(tmp_path: Path, phase: RestorePhase, *, renamed: bool, created: bool = True) -> list[str]:
    """Return the names on the platform after a restore over ``web`` crashed and the program started again."""
    with EngineLab(tmp_path) as lab:
        old = lab.host.add_vm("web", powered_on=False)
        record = left_by_a_crash(lab, old, TaskState.VERIFYING)
        if created:
            lab.host.add_vm("web-new", powered_on=False)
        trace_of(lab, record.id, phase, "web-new", old)
        if renamed:
            lab.host.vm(old).name = "web-old"
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.engine.wait_until_idle(10)
        assert list(again.catalog.restore_journal.open_traces()) == []
        return again.host.names


def test_a_vm_that_was_still_being_filled_is_removed(tmp_path: Path) -> None:
    assert after_a_crash(tmp_path, RestorePhase.CREATING, renamed=False) == ["web"]


def test_a_swap_before_the_first_rename_is_undone(tmp_path: Path) -> None:
    assert after_a_crash(tmp_path, RestorePhase.SWAPPING, renamed=False) == ["web"]


def test_a_swap_between_the_renames_is_finished_and_the_original_kept(tmp_path: Path) -> None:
    assert after_a_crash(tmp_path, RestorePhase.SWAPPING, renamed=True) == ["web", "web-old"]


def test_a_vm_that_may_not_have_been_created_is_never_deleted_by_its_name(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        old = lab.host.add_vm("web")
        record = left_by_a_crash(lab, old, TaskState.CREATING_VM)
        trace_of(lab, record.id, RestorePhase.CREATING, "web-new", old)
        lab.host.add_vm("web-new")
    with EngineLab(tmp_path, host=lab.host) as again:
        report = again.finished(record.id)
        assert messages.LEFT_VM_UNSURE.code in codes_of(report)
        assert again.host.names == ["web", "web-new"]


# --- a real kill -------------------------------------------------------------------------------------------------

_WORK_UNTIL_KILLED = """
import sys
from pathlib import Path
from tests.support.engine_lab import EngineLab
from tests.support.local_host import LocalHost
directory = Path(sys.argv[1])
host = LocalHost.reopen(directory / "host")
with EngineLab(directory, host=host) as lab:
    print("ready", flush=True)
    while True:
        lab.backup(host.named("web"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.timeout(120)
def test_a_kill_at_any_instant_leaves_no_snapshot_and_harms_no_point(tmp_path: Path) -> None:
    chance = Random(20260301)
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("web", [2 * MIB])
        lab.host.write(vm, 2000, 0, os.urandom(MIB))
        lab.backup(vm)
    for _ in range(6):
        _work_and_kill(tmp_path, chance.uniform(0.0, 0.25))
        host = LocalHost.reopen(tmp_path / "host")
        with EngineLab(tmp_path, host=host) as again:
            assert again.engine.wait_until_idle(30)
            assert host.our_snapshots() == []
            assert list(again.catalog.snapshot_journal.open_entries()) == []
            states = {row.state for row in again.engine.ask(ListTasks())}
            assert states <= {TaskState.COMPLETED, TaskState.FAILED}
            for point in again.points():
                assert again.content(point.id) == host.content(vm, 2000)
            host.write(vm, 2000, chance.randrange(MIB), b"")
            again.backup(vm)


def _work_and_kill(directory: Path, after_s: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _WORK_UNTIL_KILLED, str(directory)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
