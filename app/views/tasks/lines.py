"""Tasks as lists show them: with names, speed and time left."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QObject, Signal

from app.contract.platforms import ListPlatforms
from app.contract.standbys import ListStandbys
from app.contract.tasks import TaskRow
from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.domain.states import TaskKind, TaskState
from app.models.speeds import SpeedMeter
from app.views import formatting
from app.views.console import Console
from app.views.widgets.pill import Pill
from app.views.words import state_pill
from app.workers.answers import Failure

_MOVING = (TaskState.RUNNING, TaskState.VERIFYING)
_RESTORE_WORDS = {
    TaskState.PREPARING: QT_TRANSLATE_NOOP("RestoreWords", "Preparing"),
    TaskState.RUNNING: QT_TRANSLATE_NOOP("RestoreWords", "Restoring"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task with what its row does not know itself."""

    task: TaskRow
    platform_name: str
    standby_name: str
    bytes_per_s: float | None
    """Now while data moves, else the mean of the whole run."""
    left: timedelta | None


def task_pill(row: TaskRow) -> Pill:
    """Return how a task's state is drawn; restores have words of their own."""
    fraction = row.progress.fraction if row.state in _MOVING and row.progress.total_bytes else None
    pill = state_pill(row.state, fraction)
    word = _RESTORE_WORDS.get(row.state) if row.kind is TaskKind.RESTORE else None
    if word is None:
        return pill
    text = QCoreApplication.translate("RestoreWords", str(word))
    if pill.fraction is not None:
        text = f"{text} {formatting.percent(pill.fraction)}"
    return Pill(text, pill.tone, pill.fraction, pill.outlined)


def spent(row: TaskRow, now: datetime) -> timedelta | None:
    """Return how long a task ran, or runs until now; None before it began."""
    return None if row.started_at is None else (row.ended_at or now) - row.started_at


def mean_speed(row: TaskRow) -> float | None:
    """Return the bytes per second of a whole run that has ended; None when nothing was moved."""
    if row.started_at is None or row.ended_at is None or not row.progress.done_bytes:
        return None
    seconds = (row.ended_at - row.started_at).total_seconds()
    return row.progress.done_bytes / seconds if seconds > 0 else None


class SiteNames(QObject):
    """Names of platforms and standby machines, asked for once and again when an unknown one turns up.

    Thread: GUI.

    Signals:
        learned: names are known that were not.
    """

    learned = Signal()

    def __init__(self, console: Console, parent: QObject) -> None:
        super().__init__(parent)
        self._console = console
        self._platforms: dict[PlatformId, str] = {}
        self._standbys: dict[StandbyId, str] = {}
        self._wanted_at = 0.0

    def platform(self, platform: PlatformId | None) -> str:
        """Return a platform's name; a dash while it is not known."""
        if platform is None:
            return formatting.NOTHING
        name = self._platforms.get(platform)
        return self._unknown() if name is None else name

    def standby(self, standby: StandbyId) -> str:
        """Return a standby machine's name; a dash while it is not known."""
        name = self._standbys.get(standby)
        return self._unknown() if name is None else name

    def _unknown(self) -> str:
        now = time.monotonic()
        if not self._wanted_at or now - self._wanted_at > 5:
            self._wanted_at = now
            door = self._console.door
            door.ask(ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self._on_failed)
            door.ask(ListStandbys(), owner=self, on_done=self._on_standbys, on_failed=self._on_failed)
        return formatting.NOTHING

    def _on_platforms(self, platforms: Iterable[Platform]) -> None:
        self._platforms = {one.id: one.name for one in platforms}
        self.learned.emit()

    def _on_standbys(self, standbys: Iterable[Standby]) -> None:
        self._standbys = {one.id: one.name for one in standbys}
        self.learned.emit()

    def _on_failed(self, failure: Failure) -> None:
        """Names stay dashes; the list itself says that the engine is away."""


class LineMaker:
    """Makes lines of rows, and measures speeds from one call to the next. Thread: GUI."""

    def __init__(self, names: SiteNames) -> None:
        self._names = names
        self._meter = SpeedMeter()

    def lines(self, rows: Iterable[TaskRow]) -> tuple[TaskLine, ...]:
        """Make the lines of a list."""
        made = tuple(self.line(row) for row in rows)
        self._meter.keep_only({one.task.id for one in made if not one.task.state.is_final})
        return made

    def line(self, row: TaskRow) -> TaskLine:
        """Make one line."""
        speed = self._speed(row)
        left = None
        if speed is not None and row.state in _MOVING:
            left = formatting.time_left(row.progress.done_bytes, row.progress.total_bytes, speed)
        return TaskLine(
            task=row,
            platform_name=self._names.platform(row.platform),
            standby_name=self._names.standby(row.standby),
            bytes_per_s=speed,
            left=left,
        )

    def _speed(self, row: TaskRow) -> float | None:
        if row.state.is_final:
            return mean_speed(row)
        if row.state not in _MOVING:
            return None
        return self._meter.note(row.id, row.progress.done_bytes, time.monotonic())
