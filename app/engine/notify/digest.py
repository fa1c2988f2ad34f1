"""What a digest reports: how the tasks of a stretch of time ended."""

from datetime import datetime, timedelta
from typing import Protocol

from app.domain.states import TaskState
from app.domain.tasks import TaskRecord
from app.engine.notify.notice import Failure, Notice, NoticeKind
from app.engine.tasks.rows import kept_error_row

MOST_FAILURES = 50
"""Failures that one digest describes; the others are counted."""
_BATCH = 500
_LONGEST_RUN = timedelta(days=14)
"""A task that began earlier than so long before the stretch is not looked for."""


class EndedTasks(Protocol):
    """Finds tasks, newest first by when they were asked for; ``app.engine.ports.TaskStore`` does."""

    def find(self, *, states: frozenset[TaskState], limit: int, offset: int) -> tuple[TaskRecord, ...]:
        """Return tasks in these states."""
        ...


def digest_of(tasks: EndedTasks, since: datetime, until: datetime) -> Notice:
    """Read how the tasks that ended after ``since`` and not after ``until`` ended.

    Raises:
        OperationalError: the catalog cannot be read.
    """
    failures: list[Failure] = []
    succeeded = failed = offset = 0
    while True:
        batch = tasks.find(states=frozenset({TaskState.COMPLETED, TaskState.FAILED}), limit=_BATCH, offset=offset)
        for record in batch:
            if record.ended_at is None or not since < record.ended_at <= until:
                continue
            if record.state is TaskState.COMPLETED:
                succeeded += 1
                continue
            failed += 1
            if len(failures) < MOST_FAILURES:
                failures.append(failure_of(record))
        offset += len(batch)
        if len(batch) < _BATCH or batch[-1].created_at < since - _LONGEST_RUN:
            break
    return Notice(
        kind=NoticeKind.DIGEST,
        at=until,
        since=since,
        succeeded=succeeded,
        failed=failed,
        failures=tuple(failures),
    )


def failure_of(record: TaskRecord) -> Failure:
    """Return what a digest says of a failed task.

    Raises:
        ValueError: it has no error.
    """
    if record.error is None:
        raise ValueError(f"task {record.id} has no error")
    return Failure(record=record, error=kept_error_row(record.error))
