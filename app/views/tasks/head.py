"""The head of a task's details: what it is called, its state, how far it is, and its figures."""

from datetime import datetime
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLayout, QProgressBar, QVBoxLayout, QWidget

from app.contract.tasks import TaskRow
from app.domain.states import TaskKind
from app.views import formatting, style
from app.views.tasks.lines import TaskLine, spent, task_pill
from app.views.tasks.task_list import kind_text
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.pill import PillLabel
from app.views.widgets.plain import Label

_FACT_COLUMNS: Final = 4


class TaskHead(QFrame):
    """Shows the name, the state, the progress and the figures of a task. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._facts: dict[str, ElidedLabel] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_L, style.SPACE_M, style.SPACE_L, style.SPACE_M)
        layout.setSpacing(style.SPACE_M)
        layout.addLayout(self._build_title())
        layout.addLayout(self._build_progress())
        layout.addLayout(self._build_facts())

    def _build_title(self) -> QLayout:
        self._title = ElidedLabel(parent=self)
        self._title.setProperty("role", "title")
        self.state = PillLabel(self)
        line = QHBoxLayout()
        line.addWidget(self._title, 1)
        line.addWidget(self.state)
        return line

    def _build_progress(self) -> QLayout:
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(style.SPACE_S)
        self._moved = Label(self)
        self._moved.setFont(style.tabular_font(style.SECONDARY_PX))
        self._moved.setProperty("role", "secondary")
        line = QHBoxLayout()
        line.addWidget(self.progress, 1)
        line.addWidget(self._moved)
        return line

    def _build_facts(self) -> QLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(style.SPACE_XL)
        grid.setVerticalSpacing(style.SPACE_S)
        for place, (key, name) in enumerate(self._fact_names()):
            grid.addLayout(self._build_fact(key, name), place // _FACT_COLUMNS, place % _FACT_COLUMNS)
        for place in range(_FACT_COLUMNS):
            grid.setColumnStretch(place, 1)
        return grid

    def _build_fact(self, key: str, name: str) -> QLayout:
        caption = Label(name, self)
        caption.setProperty("role", "secondary")
        value = ElidedLabel(Qt.TextElideMode.ElideMiddle, self)
        value.setText(formatting.NOTHING)
        value.setFont(style.tabular_font())
        self._facts[key] = value
        cell = QVBoxLayout()
        cell.setSpacing(0)
        cell.addWidget(caption)
        cell.addWidget(value)
        return cell

    def _fact_names(self) -> tuple[tuple[str, str], ...]:
        return (
            ("rule", self.tr("Rule")),
            ("platform", self.tr("Virtual platform")),
            ("standby", self.tr("Standby machine")),
            ("point", self.tr("Restore point")),
            ("start", self.tr("Start time")),
            ("end", self.tr("End time")),
            ("spent", self.tr("Duration")),
            ("left", self.tr("Time left")),
            ("read", self.tr("Read")),
            ("written", self.tr("Written")),
            ("speed", self.tr("Speed")),
            ("saved", self.tr("Saved by deduplication and compression")),
        )

    def show_row(self, row: TaskRow, now: datetime) -> None:
        """Show a task as it is at a moment."""
        self._title.setText(title_of(row))
        self.state.show_pill(task_pill(row))
        self._show_progress(row)
        self._show_facts(TaskLine(task=row), now)

    def _show_progress(self, row: TaskRow) -> None:
        sample = row.progress
        is_moving = sample.total_bytes > 0 and not row.state.is_final
        self.progress.setVisible(is_moving)
        self._moved.setVisible(is_moving)
        self.progress.setValue(round(sample.fraction * 1000))
        text = self.tr("{done} of {total}")
        self._moved.setText(
            text.format(done=formatting.size(sample.done_bytes), total=formatting.size(sample.total_bytes))
        )

    def _show_facts(self, line: TaskLine, now: datetime) -> None:
        row = line.task
        sample = row.progress
        values = {
            "rule": row.rule_name or formatting.NOTHING,
            "platform": line.platform_name,
            "standby": f"{line.standby_name}  {row.target_path}".strip(),
            "point": row.point or formatting.NOTHING,
            "start": formatting.exact_time(row.started_at),
            "end": formatting.exact_time(row.ended_at),
            "spent": formatting.duration(spent(row, now)),
            "left": formatting.duration(line.left),
            "read": formatting.size(sample.read_bytes),
            "written": formatting.size(sample.written_bytes),
            "speed": formatting.speed(line.bytes_per_s),
            "saved": _saved_text(row),
        }
        for key, value in values.items():
            self._facts[key].setText(value)

    def texts(self) -> tuple[str, ...]:
        """Return what is shown as lines of plain text, for copying; the first is the name with the state."""
        names = dict(self._fact_names())
        facts = (f"{names[key]}: {label.text()}" for key, label in self._facts.items())
        return (f"{self._title.text()} — {self.state.text}", *facts)


def title_of(row: TaskRow) -> str:
    """Return what a task is called: its own name, or what it does with which VM."""
    if row.name:
        return row.name
    target = f" → {row.target_name}" if row.target_name else ""
    return f"{kind_text(row)} · {row.vm_name}{target}"


def _saved_text(row: TaskRow) -> str:
    sample = row.progress
    if row.kind is not TaskKind.BACKUP or not sample.read_bytes:
        return formatting.NOTHING
    return formatting.percent(max(0.0, 1 - sample.written_bytes / sample.read_bytes))
