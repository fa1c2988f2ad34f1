"""A list of tasks, all of them or of one kind; the part that 任务 and 虚机恢复 share."""

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMenu

from app.contract.tasks import CancelTask, ListTasks, RetryTask, TaskRow, TasksProgress
from app.domain.changes import Subject
from app.domain.display import lines
from app.domain.ids import TaskId
from app.domain.states import TaskKind, TaskState
from app.domain.units import filled
from app.models.rows import Column
from app.views import formatting, style
from app.views.console import Console
from app.views.frame.freshness import Interest, Pace
from app.views.icons import Glyph, icon
from app.views.tasks.all_rows import AllTasks
from app.views.tasks.lines import TaskLine, spent, task_pill, with_sample
from app.views.widgets.banner import Banner
from app.views.widgets.columns import source_words
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.export import LoadedRows, Source
from app.views.widgets.list_page import ListPage
from app.views.widgets.opening import open_once
from app.views.widgets.pill import PillDelegate
from app.views.words import row_error_hint, row_error_message, task_kind_word
from app.workers.answers import Failure

PAGE_ROWS = 300


class TaskList(ListPage[TaskLine]):
    """A list of tasks that grows when it is scrolled to its end. Thread: GUI."""

    kinds: tuple[TaskKind, ...] | None = None

    def __init__(self, console: Console, name: str) -> None:
        super().__init__(console, name)
        self._limit = PAGE_ROWS
        self._is_all = False
        self.banner = Banner(self)
        self.messages.add(self.banner)
        places = {column.key: place for place, column in enumerate(self.table.rows.columns)}
        self.table.setItemDelegateForColumn(places["state"], PillDelegate(self.table))
        self.table.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    # --- rows -------------------------------------------------------------------------------------------------

    def wanted_states(self) -> tuple[TaskState, ...] | None:
        """Return the states to show; None for all."""
        return None

    def wanted_kinds(self) -> tuple[TaskKind, ...] | None:
        """Return the kinds to show; None for all."""
        return self.kinds

    def row_key(self, row: TaskLine) -> Hashable:
        """Return the task's id."""
        return row.task.id

    def interest(self) -> Interest:
        """Return that the list shows tasks with their progress, and names of platforms and standbys."""
        return Interest(rows=frozenset({Subject.TASKS}), whole=frozenset({Subject.NAMES}), pace=Pace.BARS)

    def on_sampled(self, running: TasksProgress) -> None:
        """Show how far the tasks of the list are."""
        for sample in running.tasks:
            line = self.table.rows.get(sample.task)
            if line is not None and not line.task.state.is_final:
                self.table.rows.patch(TaskLine(task=with_sample(line.task, sample)))

    def is_partial(self) -> bool:
        """Return whether there are older tasks."""
        return not self._is_all

    def is_beyond(self, row: TaskLine) -> bool:
        """Return whether a task is older than the oldest that is loaded."""
        loaded = self.table.rows.rows
        return bool(loaded) and row.task.created_at < loaded[-1].task.created_at

    def ask_some(self, keys: frozenset[str]) -> bool:
        """Ask for some tasks: those of them that still fit the choice are answered."""

        def take(rows: tuple[TaskRow, ...]) -> None:
            self.on_some(keys, [TaskLine(task=row) for row in rows])

        ids = tuple(TaskId(key) for key in keys)
        query = ListTasks(states=self.wanted_states(), kinds=self.wanted_kinds(), ids=ids, limit=len(ids))
        self.question.ask(query, take, self.on_not_answered)
        return True

    def ask_rows(
        self, on_rows: Callable[[tuple[TaskLine, ...]], None], on_failed: Callable[[Failure], None]
    ) -> None:
        """Ask for the newest tasks."""
        limit = self._limit

        def take(rows: tuple[TaskRow, ...]) -> None:
            self._is_all = len(rows) < limit
            on_rows(tuple(TaskLine(task=row) for row in rows))

        query = ListTasks(states=self.wanted_states(), kinds=self.wanted_kinds(), limit=limit)
        self.question.ask(query, take, on_failed)

    def export_source(self) -> Source[TaskLine]:
        """Return the shown tasks, in their order; while older ones are not loaded, all from the engine."""
        if self._is_all:
            return LoadedRows(self.table.shown_rows())
        words = self.toolbar.filter.text()
        return AllTasks(
            self.console.door,
            self,
            self.wanted_states(),
            self.wanted_kinds(),
            lambda line: self.table.passes(line, words),
        )

    def choose_again(self) -> None:
        """Load from the start after another choice of tasks."""
        self._limit = PAGE_ROWS
        self.refresh()

    def _on_scrolled(self, value: int) -> None:
        bar = self.table.verticalScrollBar()
        is_at_end = value >= bar.maximum() > 0
        # Also while an answer is on its way: an operator who is at the end does not scroll once more.
        if not self._is_all and is_at_end and len(self.table.rows.rows) >= self._limit:
            self._limit += PAGE_ROWS
            self.refresh()

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what the list is for."""
        return (Glyph.TASKS, self.tr("No task yet"), self.tr("Backups, restores and verifications are here."), "")

    # --- columns ----------------------------------------------------------------------------------------------

    def state_column(self) -> Column[TaskLine]:
        """Return the state, as a pill or a bar."""
        return Column(
            key="state",
            title=self.tr("State"),
            text=lambda line: task_pill(line.task).text,
            paint=lambda line: task_pill(line.task),
            tooltip=lambda line: row_error_message(line.task.error) if line.task.error else None,
            width=style.PILL_WIDTH + 2 * style.SPACE_S,
        )

    def site_columns(self, *, platform_hidden: bool = False) -> tuple[Column[TaskLine], ...]:
        """Return where from and where to; what is hidden can be shown by the operator."""
        return (
            Column(
                key="platform",
                title=self.tr("Virtual platform"),
                text=lambda line: line.platform_name,
                width=110,
                hidden=platform_hidden,
            ),
            Column(
                key="standby",
                title=self.tr("Standby machine"),
                text=lambda line: line.standby_name,
                width=110,
                hidden=True,
            ),
        )

    def progress_columns(self) -> tuple[Column[TaskLine], ...]:
        """Return how much, how fast, how long."""
        return (
            Column(
                key="speed",
                title=self.tr("Speed"),
                text=lambda line: formatting.speed(line.bytes_per_s),
                sort=lambda line: line.bytes_per_s,
                numeric=True,
                unit="B/s",
                width=92,
            ),
            Column(
                key="left",
                title=self.tr("Time left"),
                text=lambda line: formatting.duration(line.left),
                sort=lambda line: line.left,
                numeric=True,
                unit="s",
                width=90,
            ),
            Column(
                key="size",
                title=self.tr("Source data"),
                tooltip=lambda _: source_words(),
                text=lambda line: formatting.size(line.task.progress.total_bytes or None),
                sort=lambda line: line.task.progress.total_bytes or None,
                numeric=True,
                unit="B",
                width=92,
            ),
        )

    def time_columns(self) -> tuple[Column[TaskLine], ...]:
        """Return when."""

        def now() -> datetime:
            return datetime.now(UTC)

        return (
            Column(
                key="start",
                title=self.tr("Start time"),
                text=lambda line: formatting.short_time(line.task.started_at, now()),
                sort=lambda line: line.task.started_at,
                tooltip=lambda line: formatting.exact_time(line.task.started_at),
                width=106,
            ),
            Column(
                key="end",
                title=self.tr("End time"),
                text=lambda line: formatting.short_time(line.task.ended_at, now()),
                sort=lambda line: line.task.ended_at,
                tooltip=lambda line: formatting.exact_time(line.task.ended_at),
                width=106,
            ),
            Column(
                key="spent",
                title=self.tr("Duration"),
                text=lambda line: formatting.duration(spent(line.task, now())),
                sort=lambda line: spent(line.task, now()),
                numeric=True,
                unit="s",
                width=104,
                hidden=True,
            ),
        )

    # --- actions ----------------------------------------------------------------------------------------------

    def fill_menu(self, menu: QMenu, row: TaskLine) -> None:
        """Offer what can be done with a task."""
        colors = self.console.colors
        details = menu.addAction(icon(Glyph.INFO, colors), self.tr("Details"))
        details.triggered.connect(partial(self.on_activated, row))
        stop = menu.addAction(icon(Glyph.STOP, colors), self.tr("Stop"))
        stop.setEnabled(row.task.state.can_be_stopped)
        stop.triggered.connect(partial(self.ask_to_stop, (row.task,)))
        again = menu.addAction(icon(Glyph.RETRY, colors), self.tr("Run again"))
        again.setEnabled(row.task.state.is_final)
        again.triggered.connect(partial(self.run_again, row.task))
        log = menu.addAction(icon(Glyph.LOG, colors), self.tr("View the log"))
        log.triggered.connect(partial(self.console.go, "log", "task", row.task.id))

    def on_activated(self, row: TaskLine) -> None:
        """Show everything about a task."""
        self.console.go("tasks", row.task.id)

    def ask_to_stop(self, tasks: Sequence[TaskRow]) -> None:
        """Stop tasks after a question; those that have ended already are left alone."""
        live = [task for task in tasks if task.state.can_be_stopped]
        if not live:
            return
        title = (
            self.tr("Stop the task of {vm}").format(vm=live[0].vm_name)
            if len(live) == 1
            else filled(self.tr("Stop {count} {count:task/tasks}"), {"count": len(live)})
        )
        dialog = ConfirmDialog(
            self.console,
            title,
            self.tr("Stop"),
            lambda done, failed: self._stop_all(live, done, failed),
            consequences=_consequences(live),
            parent=self,
        )
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)

    def _stop_all(
        self, tasks: Sequence[TaskRow], on_done: Callable[[object], None], on_failed: Callable[[Failure], None]
    ) -> None:
        waiting = [CancelTask(task=task.id) for task in tasks]

        def next_one(_answer: object = None) -> None:
            if waiting:
                command = waiting.pop()
                self.console.door.execute(command, owner=self, on_done=next_one, on_failed=on_failed)
            else:
                on_done(None)

        next_one()

    def run_again(self, task: TaskRow) -> None:
        """Queue once more what an ended task was asked for, and go there."""
        command = RetryTask(task=task.id)
        self.console.door.execute(command, owner=self, on_done=self._on_again, on_failed=self.banner.show_failure)

    def _on_again(self, task: TaskId) -> None:
        self.console.go("tasks", task)


def _consequences(tasks: Sequence[TaskRow]) -> tuple[str, ...]:
    texts = []
    if any(task.kind is TaskKind.BACKUP for task in tasks):
        texts.append(
            QCoreApplication.translate(
                "TaskList", "A backup leaves no restore point; its snapshot is removed from the VM."
            )
        )
    if any(task.kind is TaskKind.RESTORE for task in tasks):
        texts.append(
            QCoreApplication.translate(
                "TaskList", "A restore removes the VM it was creating; the original VM stays as it is."
            )
        )
    if any(task.kind is TaskKind.INSTANT_START for task in tasks):
        texts.append(
            QCoreApplication.translate(
                "TaskList", "A start of an instant recovery removes what it has made on the platform."
            )
        )
    if any(task.kind is TaskKind.INSTANT_FINISH for task in tasks):
        texts.append(
            QCoreApplication.translate("TaskList", "A VM that is moved goes on running from its restore point.")
        )
    if any(task.kind is TaskKind.MIGRATION for task in tasks):
        texts.append(
            QCoreApplication.translate(
                "TaskList", "A migration keeps what was copied; it can be resumed. Its source VM runs on."
            )
        )
    texts.append(QCoreApplication.translate("TaskList", "What was stopped can be run again."))
    return tuple(texts)


def error_text(task: TaskRow) -> str:
    """Return a task's error with its remedy, for copying; empty when there is none."""
    if task.error is None:
        return ""
    told = (task.error.code, row_error_message(task.error), row_error_hint(task.error), task.error.details)
    return lines(part for part in told if part)


def kind_text(task: TaskRow) -> str:
    """Return what a task does."""
    return task_kind_word(task.kind)
