"""``back task`` and ``task …``."""

import time
from argparse import Namespace
from collections.abc import Sequence

from app.cli.ctl.names import find_task
from app.cli.ctl.screen import Screen, size
from app.contract.door import Door
from app.contract.tasks import CancelTask, ListTasks, TaskDetails, TaskRow
from app.domain.ids import TaskId
from app.domain.states import TaskState

DONE, FAILED = 0, 1
_LOOK_EVERY_S = 0.5
_SHORT_KEY = 8

_STAGES = {
    TaskState.STARTING: "Starting",
    TaskState.IDLE: "Idle",
    TaskState.PENDING: "Pending",
    TaskState.PREPARING: "Preparing",
    TaskState.SAVING_CONFIGURATION: "SaveConfig",
    TaskState.QUERYING_CHANGES: "QueryChange",
    TaskState.CHECKING_DATA: "CheckData",
    TaskState.CREATING_VM: "CreateVM",
    TaskState.RUNNING: "Transfer",
    TaskState.REMOVING_SNAPSHOT: "RemoveSnap",
    TaskState.VERIFYING: "Verify",
    TaskState.STOPPING: "Stopping",
    TaskState.STOPPED: "Stopped",
    TaskState.UNKNOWN: "Unknown",
    TaskState.COMPLETED: "Completed",
    TaskState.FAILED: "Failed",
}
_UNFINISHED = tuple(state for state in TaskState if not state.is_final)


def back_task(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List the tasks that wait or run, as the documented page does."""
    rows = door.ask(ListTasks(states=_UNFINISHED, limit=10_000))
    columns = (">id", "Type", "Stage", "State", ">Prog", ">Byte", "File")
    oldest_first = sorted(rows, key=lambda row: row.created_at)
    screen.table(columns, (_back_row(number, row) for number, row in enumerate(oldest_first, 1)), oldest_first)
    return DONE


def _back_row(number: int, row: TaskRow) -> tuple[object, ...]:
    progress = row.progress
    return (
        number,
        row.kind.value,
        _STAGES[row.state],
        "wait" if row.state in (TaskState.PENDING, TaskState.IDLE) else "run",
        f"{_percent(row):.1f}%",
        f"{progress.done_bytes}/{progress.total_bytes}",
        f"{row.rule_name}/{row.vm_name}" if row.rule_name else row.vm_name,
    )


def _percent(row: TaskRow) -> float:
    """Return how far a task is; while its snapshot is removed, how far the platform is with that."""
    if row.state is TaskState.REMOVING_SNAPSHOT and row.progress.platform_percent is not None:
        return row.progress.platform_percent
    return 100 * row.progress.fraction


def list_tasks(door: Door, screen: Screen, chosen: Namespace) -> int:
    """List tasks, newest first."""
    states = tuple(TaskState(state) for state in chosen.state) if chosen.state else None
    rows = door.ask(ListTasks(states=states, limit=chosen.limit))
    columns = ("id", "kind", "state", ">done", "VM", "rule", "started", "ended", "reason")
    screen.table(columns, (_row(row) for row in rows), rows)
    return DONE


def _row(row: TaskRow) -> tuple[object, ...]:
    return (
        row.id[:_SHORT_KEY],
        row.kind.value,
        row.state.value,
        f"{100 * row.progress.fraction:.1f}%",
        row.vm_name,
        row.rule_name,
        row.started_at,
        row.ended_at,
        row.error.message if row.error else "",
    )


def show_task(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show a task with the end of its log."""
    report = door.ask(TaskDetails(task=find_task(door, chosen.task).id, log_lines=chosen.lines))
    task = report.task
    facts: list[tuple[str, object]] = [
        ("Task", task.id),
        ("Kind", task.kind.value),
        ("State", task.state.value),
        ("VM", task.vm_name),
        ("Rule", task.rule_name or None),
        ("Restore point", task.point),
        ("Asked for", task.created_at),
        ("Started", task.started_at),
        ("Ended", task.ended_at),
        ("Source data", f"{size(task.progress.done_bytes)} of {size(task.progress.total_bytes)}"),
        ("Read", size(task.progress.read_bytes)),
        ("Written", size(task.progress.written_bytes)),
    ]
    if task.error:
        facts += [("Reason", task.error.message), ("Remedy", task.error.hint)]
        facts += [("Details", line) for line in task.error.details.splitlines()]
    screen.facts(facts, report)
    for line in report.log:
        screen.line(f"{line.at.astimezone():%H:%M:%S} {line.level.name.lower():<7} {line.text}")
    return DONE


def cancel_tasks(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Ask tasks to stop."""
    tasks = [find_task(door, name) for name in chosen.tasks]
    for task in tasks:
        door.execute(CancelTask(task=task.id))
        screen.line(f"{task.id[:_SHORT_KEY]} {task.vm_name}: asked to stop")
    if screen.as_json:
        screen.document([task.id for task in tasks])
    return DONE


def queued(door: Door, screen: Screen, tasks: Sequence[TaskId], *, wait: bool) -> int:
    """Report tasks that were queued, and wait for their end where that is wanted; 1 when one failed then."""
    if not wait:
        for task in tasks:
            screen.line(f"{task[:_SHORT_KEY]} queued")
        if screen.as_json:
            screen.document(tasks)
        return DONE
    waiting, reports, shown = list(tasks), [], dict.fromkeys(tasks, 0)
    while waiting:
        for task in tuple(waiting):
            report = door.ask(TaskDetails(task=task, log_lines=0))
            if not report.task.state.is_final:
                shown[task] = _report_progress(screen, report.task, shown[task])
                continue
            waiting.remove(task)
            reports.append(report.task)
            reason = f": {report.task.error.message}" if report.task.error else ""
            screen.line(f"{task[:_SHORT_KEY]} {report.task.vm_name} {report.task.state.value}{reason}")
        if waiting:
            time.sleep(_LOOK_EVERY_S)
    if screen.as_json:
        screen.document(reports)
    return DONE if all(report.state is TaskState.COMPLETED for report in reports) else FAILED


def _report_progress(screen: Screen, row: TaskRow, shown: int) -> int:
    """Write how far a task is when that has grown by a tenth since it was shown last; return what was shown."""
    tenths = int(10 * row.progress.fraction)
    if tenths <= shown:
        return shown
    screen.remark(f"{row.id[:_SHORT_KEY]} {row.vm_name} {10 * tenths}% of {size(row.progress.total_bytes)}")
    return tenths
