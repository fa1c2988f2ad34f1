"""Tasks as lists show them: with names, speed and time left."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.tasks import TaskProgress, TaskRow
from app.domain.states import TaskKind, TaskState
from app.views import formatting
from app.views.widgets.pill import Pill
from app.views.words import state_pill

_MOVING = (TaskState.RUNNING, TaskState.VERIFYING)
_PREPARING = QT_TRANSLATE_NOOP("RestoreWords", "Preparing")
_OWN_WORDS = {
    (TaskKind.RESTORE, TaskState.PREPARING): _PREPARING,
    (TaskKind.RESTORE, TaskState.RUNNING): QT_TRANSLATE_NOOP("RestoreWords", "Restoring"),
    (TaskKind.INSTANT_START, TaskState.PREPARING): _PREPARING,
    (TaskKind.INSTANT_STOP, TaskState.PREPARING): _PREPARING,
    (TaskKind.INSTANT_FINISH, TaskState.PREPARING): _PREPARING,
    (TaskKind.INSTANT_FINISH, TaskState.RUNNING): QT_TRANSLATE_NOOP("RestoreWords", "Migrating"),
    (TaskKind.INSTANT_KEEP, TaskState.PREPARING): _PREPARING,
    (TaskKind.MIGRATION, TaskState.PREPARING): _PREPARING,
    (TaskKind.MIGRATION, TaskState.RUNNING): QT_TRANSLATE_NOOP("RestoreWords", "Migrating"),
}
"""Words of a state in tasks that bring VMs back, where it has another than in a backup."""


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task as lists show it."""

    task: TaskRow

    @property
    def platform_name(self) -> str:
        """Return the platform's name; a dash where there is none."""
        return self.task.platform_name or formatting.NOTHING

    @property
    def standby_name(self) -> str:
        """Return the standby machine's name; a dash where it is not registered any more."""
        return self.task.standby_name or formatting.NOTHING

    @property
    def bytes_per_s(self) -> float | None:
        """Return its speed: now while data moves, else the mean of the whole run."""
        return self.task.read_bytes_per_s

    @property
    def left(self) -> timedelta | None:
        """Return how long the rest takes at this speed; None when that is not known."""
        if self.task.state not in _MOVING:
            return None
        seconds = self.task.progress.seconds_left(self.task.read_bytes_per_s)
        return None if seconds is None else timedelta(seconds=seconds)


def with_sample(row: TaskRow, sample: TaskProgress) -> TaskRow:
    """Return a running task's row with its counters and its speed as they are now."""
    speed = sample.read_bytes_per_s if row.state in _MOVING else None
    return replace(row, progress=sample.progress, read_bytes_per_s=speed)


def task_pill(row: TaskRow) -> Pill:
    """Return how a task's state is drawn; those that bring VMs back have words of their own."""
    percent = row.progress.platform_percent
    if row.state is TaskState.REMOVING_SNAPSHOT and percent is not None:
        pill = state_pill(row.state)
        return Pill(f"{pill.text} {formatting.percent(percent / 100)}", pill.tone, percent / 100)
    fraction = row.progress.fraction if row.state in _MOVING and row.progress.total_bytes else None
    pill = state_pill(row.state, fraction)
    text = own_word(row.kind, row.state)
    if text is None:
        return pill
    if pill.fraction is not None:
        text = f"{text} {formatting.percent(pill.fraction)}"
    return Pill(text, pill.tone, pill.fraction, pill.outlined)


def own_word(kind: TaskKind, state: TaskState) -> str | None:
    """Return the word of a state in a kind of task that has one of its own; None where it has none."""
    word = _OWN_WORDS.get((kind, state))
    return None if word is None else QCoreApplication.translate("RestoreWords", str(word))


def spent(row: TaskRow, now: datetime) -> timedelta | None:
    """Return how long a task ran, or runs until now; None before it began."""
    return None if row.started_at is None else (row.ended_at or now) - row.started_at
