"""Everything about one task: state, figures, steps, bottleneck, log, error with its remedy."""

from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.contract.log import LogRow
from app.contract.tasks import TaskDetails, TaskLogLines, TaskReport, TaskRow, TasksProgress
from app.domain.changes import Subject
from app.domain.display import lines
from app.domain.ids import TaskId
from app.models.rows import RowModel
from app.views import style
from app.views.console import Console
from app.views.frame.freshness import Interest, Keys, Pace, Watch
from app.views.icons import Glyph, icon
from app.views.log.lines import as_text, line_columns, line_text
from app.views.tasks.figures import Bars, bottleneck_text, busy_of, busy_rows, step_rows
from app.views.tasks.head import TaskHead
from app.views.tasks.lines import with_sample
from app.views.tasks.task_list import error_text
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.export import TableExporter
from app.views.widgets.pill import PillDelegate
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.widgets.scrolled import scroll_inside
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.views.words import row_error_details, row_error_hint, row_error_message
from app.workers.answers import Failure

_LINES = 500


class TaskDetailsView(QWidget):
    """Shows one task and follows it while it is seen. Thread: GUI.

    Signals:
        loaded: the task is known or has changed; carries its :class:`TaskRow`.
    """

    loaded = Signal(object)

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._task: TaskId | None = None
        self._row: TaskRow | None = None
        self._question = Question(console.door, self)
        self._lines_question = Question(console.door, self)
        self._build()
        self.watch = Watch(
            console.fresh,
            self,
            Interest(
                rows=frozenset({Subject.TASKS, Subject.LOG}), whole=frozenset({Subject.NAMES}), pace=Pace.BARS
            ),
        )
        self.watch.changed.connect(self._on_changed)
        self.watch.sampled.connect(self._on_sampled)
        console.fresh.ticked.connect(self._on_ticked)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(style.SPACE_L, style.SPACE_L, style.SPACE_L, style.SPACE_L)
        column.setSpacing(style.SPACE_M)
        self.head = TaskHead(self)
        column.addWidget(self.head)
        self.error = Banner(self)
        column.addWidget(self.error)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_M)
        row.addWidget(self._build_side())
        row.addWidget(self._build_log(), 1)
        column.addLayout(row, 1)
        self.stages = Stages(content, self._console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stages)

    def _build_side(self) -> QWidget:
        self.steps = Bars(self._console.theme, self)
        self.busy = Bars(self._console.theme, self)
        self.bottleneck = Label(self)
        self.bottleneck.setWordWrap(True)
        self.bottleneck.setProperty("role", "secondary")
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        column.setContentsMargins(style.SPACE_L, style.SPACE_M, style.SPACE_L, style.SPACE_M)
        column.setSpacing(style.SPACE_S)
        column.addWidget(_heading(self.tr("Steps"), inner))
        column.addWidget(self.steps)
        column.addSpacing(style.SPACE_S)
        column.addWidget(_heading(self.tr("Bottleneck"), inner))
        column.addWidget(self.busy)
        column.addWidget(self.bottleneck)
        column.addStretch(1)
        card = _card(self)
        scroll_inside(card, inner, margin=1)
        card.setFixedWidth(style.FIELD_WIDTH - style.SPACE_XL * 2)
        return card

    def _build_log(self) -> QWidget:
        model = RowModel[LogRow](line_columns(lambda row: row, line_text), lambda row: row.id)
        self.log: Table[LogRow] = Table[LogRow]("task-log", model, self._console.memory)
        self.log.setItemDelegateForColumn(1, PillDelegate(self.log))
        self.log.setAccessibleName(self.tr("Log"))
        card = _card(self)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(1, style.SPACE_M, 1, 1)
        layout.setSpacing(style.SPACE_S)
        heading = _heading(self.tr("Log"), card)
        heading.setIndent(style.SPACE_L)
        self.log.menu_wanted.connect(self._on_log_menu)
        self.exporter: TableExporter[LogRow] = TableExporter(self._console, self.log, "task-log", self)
        layout.addWidget(heading)
        layout.addWidget(self.log, 1)
        self.messages = MessageOverlay(card, self.exporter.strip)
        return card

    def _on_log_menu(self, line: LogRow, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction(icon(Glyph.COPY, self._console.colors), self.tr("Copy the line"))
        copy.triggered.connect(partial(QGuiApplication.clipboard().setText, as_text((line,))))
        self.exporter.fill_menu(menu)
        menu.popup(position)

    # --- loading ----------------------------------------------------------------------------------------------

    @property
    def row(self) -> TaskRow | None:
        """Return the task, once it is known."""
        return self._row

    def open(self, task: TaskId) -> None:
        """Show a task and follow it."""
        if task != self._task:
            self._withdraw()
            self._task, self._row = task, None
            self.log.rows.set_rows(())
            self.stages.show_loading()
        self.watch.begin()
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self.watch.see()

    def leave(self) -> None:
        """Stop following."""
        self.watch.end()
        self._withdraw()

    def _withdraw(self) -> None:
        self._question.withdraw()
        self._lines_question.withdraw()

    def _on_changed(self, keys: Keys) -> None:
        if keys is None or self._task in keys:
            self.refresh()

    def _on_sampled(self, running: TasksProgress) -> None:
        row = self._row
        for sample in running.tasks:
            if row is not None and sample.task == row.id and not row.state.is_final:
                self._draw(with_sample(row, sample))

    def _on_ticked(self) -> None:
        """Draw again how long the task has been running."""
        if self._row is not None and self.watch.is_seen:
            self._draw(self._row)

    def refresh(self) -> None:
        """Ask for the task and for the log lines that are not shown yet."""
        if self._task is not None:
            self._question.ask(TaskDetails(task=self._task, log_lines=0), self._on_report, self._on_failed)

    def _on_report(self, report: TaskReport) -> None:
        self._show(report.task)
        self._ask_lines(report.task.id)

    def _on_failed(self, failure: Failure) -> None:
        if self._row is None:
            self.stages.show_failure(failure)

    def _ask_lines(self, task: TaskId) -> None:
        rows = self.log.rows.rows
        after = rows[-1].id if rows else 0
        query = TaskLogLines(task=task, after=after, limit=_LINES)
        self._lines_question.ask(query, self._add_lines, _ignore)

    def _add_lines(self, lines: tuple[LogRow, ...]) -> None:
        shown = self.log.rows.rows
        fresh = [line for line in lines if not shown or line.id > shown[-1].id]
        if not fresh:
            return
        bar = self.log.verticalScrollBar()
        follows = bar.value() >= bar.maximum()
        for line in fresh:
            self.log.rows.patch(line)
        if follows:
            self.log.scrollToBottom()

    # --- showing ----------------------------------------------------------------------------------------------

    def _show(self, row: TaskRow) -> None:
        self._draw(row)
        self.stages.show_content()
        self.loaded.emit(row)

    def _draw(self, row: TaskRow) -> None:
        now = datetime.now(UTC)
        self._row = row
        self.head.show_row(row, now)
        self._show_error(row)
        self.steps.show_rows(step_rows(row, now))
        busy = busy_of(row, now)
        self.busy.show_rows(busy_rows(row.kind, busy))
        self.bottleneck.setText(bottleneck_text(row.kind, busy))

    def _show_error(self, row: TaskRow) -> None:
        if row.error is None:
            self.error.hide()
        else:
            self.error.show_problem(
                row_error_message(row.error), row_error_hint(row.error), row_error_details(row.error)
            )

    def as_text(self) -> str:
        """Return everything as plain text, for copying."""
        row = self._row
        if row is None:
            return ""
        title, *facts = self.head.texts()
        parts = [title, str(row.id), *facts]
        parts += [f"{name}: {value}" for name, value in (*self.steps.texts, *self.busy.texts)]
        parts += [self.bottleneck.text(), error_text(row), as_text(self.log.rows.rows)]
        return lines(part for part in parts if part)


def _card(parent: QWidget) -> QFrame:
    card = QFrame(parent)
    card.setProperty("role", "card")
    return card


def _heading(text: str, parent: QWidget) -> Label:
    label = Label(text, parent)
    label.setProperty("role", "heading")
    return label


def _ignore(_failure: Failure) -> None:
    """The next change asks again."""
