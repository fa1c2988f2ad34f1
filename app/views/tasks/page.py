"""The page of all tasks, and of one."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QWidget

from app.contract.proofs import ListProofs, ProofRow
from app.contract.tasks import TaskRow
from app.domain.ids import TaskId
from app.domain.states import TaskKind, TaskState
from app.models.rows import Column
from app.views.console import Console
from app.views.frame.history import Address
from app.views.icons import Glyph
from app.views.page import Crumb
from app.views.proof.result import ProofDialog
from app.views.tasks.details import TaskDetailsView
from app.views.tasks.head import title_of
from app.views.tasks.lines import TaskLine
from app.views.tasks.task_list import TaskList, kind_text
from app.views.widgets.opening import open_once
from app.views.words import task_kind_word

_WAITING = (TaskState.STARTING, TaskState.IDLE, TaskState.PENDING)
_ENDED = (TaskState.COMPLETED, TaskState.STOPPED, TaskState.FAILED)
_RUNNING = tuple(state for state in TaskState if state not in (*_WAITING, *_ENDED, TaskState.UNKNOWN))


class TasksPage(TaskList):
    """What runs, what failed, why, how fast, where is the bottleneck? Thread: GUI."""

    key = "tasks"
    glyph = Glyph.TASKS

    def __init__(self, console: Console) -> None:
        super().__init__(console, "tasks")
        self._proofs = self.make_question()
        self.states = QComboBox(self)
        self.kind = QComboBox(self)
        self.details = TaskDetailsView(console, self)
        self.details.loaded.connect(self._on_loaded)
        self.details.hide()
        self.body.addWidget(self.details, 1)
        self._build_tools()
        self._show_details(shown=False)

    def _build_tools(self) -> None:
        bar = self.toolbar
        self.back = bar.add_action(self.tr("Back"), Glyph.BACK, lambda: self.console.go("tasks"))
        self.stop = bar.add_action(self.tr("Stop"), Glyph.STOP, self._on_stop)
        self.again = bar.add_action(
            self.tr("Run again"),
            Glyph.RETRY,
            self._on_again_clicked,
            tooltip=self.tr("Queue the same request again"),
        )
        self.copy = bar.add_action(self.tr("Copy details"), Glyph.COPY, self._on_copy)
        self.log = bar.add_action(self.tr("View the log"), Glyph.LOG, self._on_log)
        self.proof = bar.add_action(self.tr("Result of the proof"), Glyph.PROVE, self._on_proof)
        for text, states in (
            (self.tr("All states"), None),
            (self.tr("Running"), _RUNNING),
            (self.tr("Waiting"), _WAITING),
            (self.tr("Failed"), (TaskState.FAILED,)),
            (self.tr("Completed"), (TaskState.COMPLETED,)),
            (self.tr("Stopped"), (TaskState.STOPPED,)),
            (self.tr("Unknown"), (TaskState.UNKNOWN,)),
        ):
            self.states.addItem(text, states)
        self.kind.addItem(self.tr("All kinds"), None)
        for kind in TaskKind:
            self.kind.addItem(task_kind_word(kind), (kind,))
        for box, name in ((self.states, self.tr("States to show")), (self.kind, self.tr("Kinds to show"))):
            box.setAccessibleName(name)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.currentIndexChanged.connect(self.choose_again)
            bar.add_widget(box)

    # --- the list ---------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Tasks")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>Every backup, restore and verification: what runs, what waits, what failed and why.</p>"
            "<p>A double click shows a task's steps with their durations, how busy its parts are, and its log "
            "while it is written. <b>Run again</b> queues the same request once more.</p>"
        )

    def wanted_states(self) -> tuple[TaskState, ...] | None:
        """Return the states that the operator chose."""
        chosen: tuple[TaskState, ...] | None = self.states.currentData()
        return chosen

    def wanted_kinds(self) -> tuple[TaskKind, ...] | None:
        """Return the kinds that the operator chose."""
        chosen: tuple[TaskKind, ...] | None = self.kind.currentData()
        return chosen

    def columns(self) -> Sequence[Column[TaskLine]]:
        """Return the columns of the list."""
        return (
            Column(key="vm", title=self.tr("VM"), text=lambda line: line.task.vm_name, width=130, stretch=True),
            self.state_column(),
            Column(key="kind", title=self.tr("Kind"), text=lambda line: kind_text(line.task), width=96),
            Column(key="rule", title=self.tr("Rule"), text=lambda line: line.task.rule_name, width=112),
            *self.site_columns(),
            *self.progress_columns(),
            *self.time_columns(),
        )

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what the list is for, or that nothing fits the choice."""
        if self.wanted_states() is not None or self.wanted_kinds() is not None:
            title = self.tr("No such task")
            return (Glyph.TASKS, title, self.tr("No task fits the chosen states and kinds."), self.tr("Show all"))
        return (
            Glyph.TASKS,
            self.tr("No task yet"),
            self.tr("Every backup, restore and verification is listed here. Rules start them on their own."),
            self.tr("Open the backup rules"),
        )

    def on_create(self) -> None:
        """Show all tasks, or go where tasks come from."""
        if self.wanted_states() is None and self.wanted_kinds() is None:
            self.console.go("backup")
        self.states.setCurrentIndex(0)
        self.kind.setCurrentIndex(0)

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        if self.details.isVisibleTo(self):
            return
        rows = [line.task for line in self.chosen_rows()]
        self.stop.setEnabled(any(row.state.can_be_stopped for row in rows))
        self.again.setEnabled(len(rows) == 1 and rows[0].state.is_final)
        self.log.setEnabled(len(rows) == 1)
        self._offer_proof(rows[0] if len(rows) == 1 else None)

    # --- one task ---------------------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list, or the task that the address names."""
        self.banner.hide()
        self._show_details(shown=bool(path))
        if path:
            super().leave()
            self.details.open(TaskId(path[0]))
        else:
            self.details.leave()
            super().open(())
        self.crumbs_changed.emit()

    def leave(self) -> None:
        """Stop asking."""
        super().leave()
        self.details.leave()

    def refresh(self) -> None:
        """Load again what is shown."""
        if self.details.isVisibleTo(self):
            self.details.refresh()
        else:
            super().refresh()

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the way to what is shown."""
        row = self.details.row
        if not self.details.isVisibleTo(self):
            return super().crumbs()
        name = title_of(row) if row is not None else self.tr("Task")
        return (Crumb(self.title(), Address(self.key)), Crumb(name))

    def _show_details(self, *, shown: bool) -> None:
        self.stages.setVisible(not shown)
        self.details.setVisible(shown)
        only_list: tuple[QWidget, ...] = (self.states, self.kind)
        for widget in only_list:
            widget.setVisible(not shown)
        for widget in (self.back, self.copy):
            widget.setVisible(shown)
        self.toolbar.show_list_tools(shown=not shown)
        self._offer_proof(None)
        self.on_selection()

    def _on_loaded(self) -> None:
        row = self.details.row
        if row is not None and self.details.isVisibleTo(self):
            self.stop.setEnabled(row.state.can_be_stopped)
            self.again.setEnabled(row.state.is_final)
            self.log.setEnabled(True)
            self._offer_proof(row)
            self.crumbs_changed.emit()

    # --- actions ----------------------------------------------------------------------------------------------

    def _acted_on(self) -> list[TaskRow]:
        """Return the task that is shown, else those that are chosen in the list."""
        if self.details.isVisibleTo(self):
            return [self.details.row] if self.details.row is not None else []
        return [line.task for line in self.chosen_rows()]

    def _offer_proof(self, row: TaskRow | None) -> None:
        """Offer what a proof found, for a task that was one."""
        self.proof.setVisible(row is not None and row.kind is TaskKind.PROOF and row.state.is_final)

    def _on_proof(self) -> None:
        for task in self._acted_on()[:1]:
            query = ListProofs(vm=task.vm)
            self._proofs.ask(query, partial(self._on_proofs, task), self.banner.show_failure)

    def _on_proofs(self, task: TaskRow, rows: tuple[ProofRow, ...]) -> None:
        row = next((row for row in rows if row.proof.task == task.id), None)
        if row is not None:
            open_once(ProofDialog(self.console, row, self))
        else:
            self.banner.show_text(self.tr("This task has no result, or a later proof has replaced it."))

    def _on_stop(self) -> None:
        self.ask_to_stop(self._acted_on())

    def on_delete(self) -> None:
        """Ask whether to stop the chosen tasks; one that has ended stays in the list."""
        self._on_stop()

    def _on_again_clicked(self) -> None:
        for task in self._acted_on()[:1]:
            self.run_again(task)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.details.as_text())

    def _on_log(self) -> None:
        for task in self._acted_on()[:1]:
            self.console.go("log", "task", task.id)
