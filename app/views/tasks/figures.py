"""The steps of a task with their durations, and where its bottleneck is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.contract.tasks import TaskRow
from app.domain.states import TaskKind, TaskState
from app.views import formatting, style
from app.views.console import ThemeSwitch
from app.views.tasks.lines import own_word
from app.views.words import state_word

_MOVING = (TaskState.RUNNING, TaskState.VERIFYING)
_BUSY: Final = 0.6
"""From this part of the time on a stage counts as the bottleneck."""


@dataclass(frozen=True, slots=True)
class Step:
    """A state that a task went through."""

    state: TaskState
    at: datetime
    span: timedelta | None
    """None for a final state."""
    is_current: bool


def steps_of(row: TaskRow, now: datetime) -> tuple[Step, ...]:
    """Return the steps of a task, oldest first."""
    stages = row.stages
    steps = []
    for place, stage in enumerate(stages):
        is_last = place + 1 == len(stages)
        until = now if is_last else stages[place + 1].at
        span = None if stage.state.is_final else until - stage.at
        steps.append(Step(stage.state, stage.at, span, is_last and not stage.state.is_final))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Busy:
    """Which part of the moving time the stages of a transfer worked, 0 to 1."""

    source: float
    processing: float
    target: float


def busy_of(row: TaskRow, now: datetime) -> Busy | None:
    """Return how busy the stages were while data moved; None when none did."""
    moving = sum(
        (step.span for step in steps_of(row, now) if step.state in _MOVING and step.span is not None), timedelta()
    )
    seconds = moving.total_seconds()
    sample = row.progress
    if seconds <= 0 or not (sample.source_busy_s or sample.processing_busy_s or sample.target_busy_s):
        return None
    return Busy(
        *(
            min(1.0, busy_s / seconds)
            for busy_s in (sample.source_busy_s, sample.processing_busy_s, sample.target_busy_s)
        )
    )


def stage_names(kind: TaskKind) -> tuple[str, str, str]:
    """Return what source, processing and target are in a task of a kind."""
    host = QCoreApplication.translate("Figures", "Platform and network")
    standby = QCoreApplication.translate("Figures", "Standby machine")
    processing = QCoreApplication.translate("Figures", "Processing")
    if kind in (TaskKind.RESTORE, TaskKind.INSTANT_FINISH):
        return standby, processing, host
    if kind is TaskKind.INSTANT_KEEP:
        return QCoreApplication.translate("Figures", "Overlay"), processing, standby
    if kind is TaskKind.MIGRATION:
        source = QCoreApplication.translate("Figures", "Source platform and network")
        return source, processing, QCoreApplication.translate("Figures", "Target platform and network")
    return host, processing, standby


def bottleneck_text(kind: TaskKind, busy: Busy | None) -> str:
    """Say where the bottleneck is."""
    if busy is None:
        return QCoreApplication.translate("Figures", "No data has moved yet.")
    parts = (busy.source, busy.processing, busy.target)
    most = max(parts)
    if most < _BUSY:
        return QCoreApplication.translate(
            "Figures", "No part is at its limit: the task waits for answers more than it works."
        )
    name = stage_names(kind)[parts.index(most)]
    text = QCoreApplication.translate("Figures", "The bottleneck is: {name}, busy {percent} of the time.")
    return text.format(name=name, percent=f"{most * 100:.0f}%")


class Bars(QWidget):
    """Rows with a name, a value and a bar. Thread: GUI."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: tuple[tuple[str, str, float, str], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Return the names and values that are shown."""
        return tuple((name, value) for name, value, _, _ in self._rows)

    def show_rows(self, rows: Sequence[tuple[str, str, float, str]]) -> None:
        """Show rows: name, value, part of the bar (0 to 1), name of its colour."""
        fresh = tuple(rows)
        if fresh == self._rows:
            return
        if len(fresh) != len(self._rows):
            self.updateGeometry()
        self._rows = fresh
        self.setAccessibleName("; ".join(f"{name}: {value}" for name, value, _, _ in fresh))
        self.update()

    def sizeHint(self) -> QSize:
        """Return the room for all rows."""
        return QSize(style.FIELD_WIDTH // 2, len(self._rows) * self._row_height())

    def minimumSizeHint(self) -> QSize:
        """Return the same: rows are never cut off."""
        return self.sizeHint()

    def _row_height(self) -> int:
        return style.CONTROL_HEIGHT

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style.tabular_font(style.SECONDARY_PX))
        colors = self._theme.colors
        height = self._row_height()
        for place, (name, value, part, color) in enumerate(self._rows):
            line = QRectF(0, place * height, self.width(), height - style.SPACE_S)
            painter.setPen(QColor(colors.text))
            room = int(line.width() - painter.fontMetrics().horizontalAdvance(value) - style.SPACE_M)
            fitting = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, room)
            painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), fitting)
            painter.setPen(QColor(colors.secondary))
            painter.drawText(line, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), value)
            bar = QRectF(0, (place + 1) * height - style.SPACE_S, self.width(), style.SPACE_XS)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.skeleton))
            painter.drawRoundedRect(bar, 2, 2)
            bar.setWidth(bar.width() * min(1.0, max(0.0, part)))
            painter.setBrush(QColor(getattr(colors, color)))
            painter.drawRoundedRect(bar, 2, 2)


def step_rows(row: TaskRow, now: datetime) -> list[tuple[str, str, float, str]]:
    """Return the steps of a task as rows of :class:`Bars`; the bars compare their durations."""
    steps = steps_of(row, now)
    longest = max((step.span for step in steps if step.span), default=timedelta())
    rows = []
    for step in steps:
        if step.span is None:
            rows.append(
                (step_word(row, step.state), formatting.exact_time(step.at), 1.0, _final_color(step.state))
            )
            continue
        part = step.span / longest if longest else 0.0
        color = "accent_fill" if step.is_current else "idle"
        rows.append((step_word(row, step.state), formatting.duration(step.span), part, color))
    return rows


def step_word(row: TaskRow, state: TaskState) -> str:
    """Return the word of a step, which for restores is another than for backups."""
    return own_word(row.kind, state) or state_word(state)


def _final_color(state: TaskState) -> str:
    if state is TaskState.COMPLETED:
        return "completed"
    return "failed" if state is TaskState.FAILED else "idle"


def busy_rows(kind: TaskKind, busy: Busy | None) -> list[tuple[str, str, float, str]]:
    """Return how busy the stages were as rows of :class:`Bars`."""
    if busy is None:
        return []
    parts = (busy.source, busy.processing, busy.target)
    most = max(parts)
    return [
        (name, f"{part * 100:.0f}%", part, "pending" if part == most and part >= _BUSY else "accent_fill")
        for name, part in zip(stage_names(kind), parts, strict=True)
    ]
