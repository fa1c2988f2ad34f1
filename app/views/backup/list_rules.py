"""The list of all rules."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from PySide6.QtCore import QModelIndex
from PySide6.QtGui import QKeySequence

from app.contract.base import Query
from app.contract.doctor import ExamineRule
from app.contract.hooks import ReadHooks
from app.contract.rules import DescribeRule, ListRules, RuleDetails, RuleRow, RunNow, StartRules
from app.contract.tasks import TasksProgress
from app.domain.changes import Subject
from app.domain.display import lines
from app.domain.hooks import AllHooks
from app.domain.ids import RuleId
from app.domain.progress import ProgressSample, fraction_of
from app.domain.states import BackupKind, TaskState
from app.domain.units import filled
from app.models.rows import ROW_ROLE, Column
from app.views import formatting, style
from app.views.backup.acting import ActingList
from app.views.backup.deletion import Deletion, DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.policy_words import kept_words, policy_words
from app.views.console import Console
from app.views.frame.freshness import Interest, Pace
from app.views.icons import Glyph
from app.views.proof.words import rule_proof_columns
from app.views.widgets.columns import count_column
from app.views.widgets.findings import FindingsDialog
from app.views.widgets.hooks import HooksDialog
from app.views.widgets.opening import open_once
from app.views.widgets.pill import PillDelegate
from app.views.widgets.row_actions import RowAction
from app.views.words import backup_kind_word, state_pill

_STATE, _RESULT, _PROOF = 1, 5, 6


class RuleList(ActingList[RuleRow]):
    """Lists all rules with their state and next run. Thread: GUI."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "rules")
        self.toolbar.add_primary(self.tr("New"), Glyph.ADD, self.on_create)
        self.delete = self.toolbar.add_action(self.tr("Delete"), Glyph.DELETE, self._on_delete_chosen)
        self.delete.setShortcut(QKeySequence.StandardKey.Delete)
        self.start = self.toolbar.add_action(self.tr("Start"), Glyph.START, self._on_start_chosen)
        self.stop = self.toolbar.add_action(self.tr("Stop"), Glyph.STOP, self._on_stop_chosen)
        pills = PillDelegate(self.table)
        for column in (_STATE, _RESULT, _PROOF):
            self.table.setItemDelegateForColumn(column, pills)
        self.table.clicked.connect(self._on_clicked)
        self.on_selection()

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("VM backup")

    # --- the list ---------------------------------------------------------------------------------------------

    def columns(self) -> Sequence[Column[RuleRow]]:
        """Return the documented columns, and more that start hidden."""
        return (
            Column(
                key="name",
                title=self.tr("Name"),
                text=lambda row: row.name,
                tooltip=_description,
                stretch=True,
                width=116,
            ),
            Column(
                key="state",
                title=self.tr("State"),
                text=lambda row: self._state(row),
                paint=lambda row: state_pill(row.state, row.fraction),
                tooltip=self._state_tooltip,
                width=144,
            ),
            Column(key="platform", title=self.tr("Platform"), text=lambda row: row.platform_name, width=96),
            Column(
                key="standby",
                title=self.tr("Standby"),
                text=lambda row: row.standby_name,
                tooltip=lambda row: f"{row.standby_name}: {row.target_path}",
                width=96,
            ),
            Column(
                key="next",
                title=self.tr("Next run"),
                text=lambda row: formatting.short_time(row.next_run, datetime.now(UTC)),
                sort=lambda row: row.next_run,
                tooltip=self._next_tooltip,
                width=112,
            ),
            Column(
                key="result",
                title=self.tr("Last result"),
                text=self._result,
                paint=lambda row: state_pill(row.last_result) if row.last_result else None,
                tooltip=self._result_tooltip,
                width=120,
            ),
            *rule_proof_columns(),
            *self._quiet_columns(),
            Column(key="actions", title=self.tr("Group actions"), text=lambda _: "", width=style.ACTION_SIZE * 9),
        )

    def _quiet_columns(self) -> tuple[Column[RuleRow], ...]:
        return (
            Column(
                key="path", title=self.tr("Target path"), text=lambda row: row.target_path, width=150, hidden=True
            ),
            Column(
                key="policy",
                title=self.tr("Policy"),
                text=lambda row: policy_words(row.policy) if row.policy else formatting.NOTHING,
                width=180,
                hidden=True,
            ),
            Column(
                key="retention",
                title=self.tr("Retention"),
                text=lambda row: kept_words(row.policy) if row.policy else formatting.NOTHING,
                width=180,
                hidden=True,
            ),
            replace(count_column("vms", self.tr("VMs"), lambda row: row.vm_count), hidden=True),
            replace(
                count_column("unviewed", self.tr("Unviewed errors"), lambda row: row.unviewed_errors, width=130),
                hidden=True,
            ),
        )

    def row_key(self, row: RuleRow) -> Hashable:
        """Return the rule's id."""
        return row.id

    def query(self) -> Query[tuple[RuleRow, ...]]:
        """Return the query for all rules."""
        return ListRules()

    def query_of(self, keys: frozenset[str]) -> Query[tuple[RuleRow, ...]]:
        """Return the query for some rules."""
        return ListRules(ids=tuple(RuleId(key) for key in keys))

    def interest(self) -> Interest:
        """Return that the list shows rules with their progress, and names of platforms and standbys."""
        rows, names = frozenset({Subject.RULES}), frozenset({Subject.NAMES})
        return Interest(rows=rows, whole=names, pace=Pace.BARS)

    def on_sampled(self, running: TasksProgress) -> None:
        """Show how far the rules are of which VMs are backed up."""
        samples: dict[RuleId, list[ProgressSample]] = {}
        for sample in running.tasks:
            if sample.rule is not None:
                samples.setdefault(sample.rule, []).append(sample.progress)
        for rule, of_rule in samples.items():
            row = self.table.rows.get(rule)
            if row is not None and row.fraction is not None:
                self.table.rows.patch(replace(row, fraction=fraction_of(of_rule)))

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what a rule is for."""
        return (
            Glyph.BACKUP,
            self.tr("No backup rule yet"),
            self.tr("A rule says which VMs are backed up, when, and to which standby machine."),
            self.tr("Create a backup rule"),
        )

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        some = bool(self.chosen_rows())
        for button in (self.delete, self.start, self.stop):
            button.setEnabled(some)

    def on_activated(self, row: RuleRow) -> None:
        """Show the rule's VMs."""
        self.console.go("backup", row.id)

    # --- words ------------------------------------------------------------------------------------------------

    def _state(self, row: RuleRow) -> str:
        return state_pill(row.state, row.fraction).text

    def _state_tooltip(self, row: RuleRow) -> str:
        return self.tr("{state}, VMs: {count}").format(state=self._state(row), count=row.vm_count)

    def _next_tooltip(self, row: RuleRow) -> str | None:
        if row.next_run is None or row.next_kind is None:
            return None
        return f"{formatting.exact_time(row.next_run)}  {backup_kind_word(row.next_kind)}"

    def _result(self, row: RuleRow) -> str:
        return state_pill(row.last_result).text if row.last_result else formatting.NOTHING

    def _result_tooltip(self, row: RuleRow) -> str | None:
        if row.last_result is None:
            return None
        if row.last_result is TaskState.FAILED:
            return self.tr("Failed {time}; click for the reason").format(time=formatting.exact_time(row.last_run))
        return formatting.exact_time(row.last_run)

    # --- actions ----------------------------------------------------------------------------------------------

    def actions_of_rows(self) -> Sequence[RowAction[RuleRow]]:
        """Return the documented group actions, left to right."""
        entries: tuple[tuple[Glyph, str, Callable[[RuleRow], None]], ...] = (
            (Glyph.LIST, self.tr("Rule list"), self.on_activated),
            (
                Glyph.START,
                self.tr("Start all VMs of the rule"),
                lambda row: self.execute(StartRules(rules=(row.id,))),
            ),
            (
                Glyph.STOP,
                self.tr("Stop all VMs of the rule"),
                lambda row: self.stopper.stop_rules((row.id,)),
            ),
            (Glyph.DELETE, self.tr("Delete rule"), lambda row: self._ask_to_delete((row,))),
            (Glyph.GROUP_RESTORE, self.tr("Group restore"), self._on_group_restore),
            (Glyph.EDIT, self.tr("Change rule"), lambda row: self._edit(row, EditorMode.CHANGE_POLICY)),
            (Glyph.ADD_VM, self.tr("Add VMs"), lambda row: self._edit(row, EditorMode.ADD_VMS)),
            (Glyph.STATISTICS, self.tr("Show statistics"), self._on_statistics),
        )
        return [RowAction(glyph=glyph, text=text, run=run) for glyph, text, run in entries]

    def more_actions(self) -> Sequence[RowAction[RuleRow]]:
        """Return what is in the context menu only."""
        kinds = (
            (BackupKind.FULL, self.tr("Full backup")),
            (BackupKind.INCREMENTAL, self.tr("Incremental backup")),
            (BackupKind.DIFFERENTIAL, self.tr("Differential backup")),
        )
        return (
            RowAction(
                glyph=Glyph.RUN_NOW,
                text=self.tr("Run now"),
                choices=tuple(
                    RowAction(glyph=Glyph.RUN_NOW, text=text, run=self._runner(kind)) for kind, text in kinds
                ),
            ),
            RowAction(glyph=Glyph.DOCTOR, text=self.tr("Examine"), run=self._on_examine),
            RowAction(glyph=Glyph.COMMANDS, text=self.tr("Commands…"), run=self._on_commands),
            RowAction(glyph=Glyph.LOG, text=self.tr("Show log"), run=self._on_log),
        )

    def _runner(self, kind: BackupKind) -> Callable[[RuleRow], None]:
        return lambda row: self.execute(RunNow(rule=row.id, kind=kind))

    def _on_group_restore(self, row: RuleRow) -> None:
        self.console.go("restore", "group", row.id)

    def _on_statistics(self, row: RuleRow) -> None:
        self.console.go("backup", row.id, "statistics")

    def _on_log(self, row: RuleRow) -> None:
        self.console.go("log", row.id)

    def _on_clicked(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        key = self.table.rows.columns[index.column()].key
        if isinstance(row, RuleRow) and key == "result" and row.last_result is TaskState.FAILED:
            self.console.go("backup", row.id, "statistics", "tasks")

    def on_create(self) -> None:
        """Make another rule."""
        self._open(RuleEditor(self.console, EditorMode.CREATE, None, self))

    def _edit(self, row: RuleRow, mode: EditorMode) -> None:
        def make(details: RuleDetails) -> None:
            self._open(RuleEditor(self.console, mode, details, self))

        self.open_with(DescribeRule(rule=row.id), make)

    def _on_examine(self, row: RuleRow) -> None:
        title = self.tr("Examine {name}").format(name=row.name)
        open_once(FindingsDialog(self.console, title, ExamineRule(rule=row.id), self))

    def _on_commands(self, row: RuleRow) -> None:
        """Set which commands run around the backups of a rule."""

        def make(book: AllHooks) -> None:
            open_once(HooksDialog(self.console, book, self, rule=row.id, rule_name=row.name))

        self.open_with(ReadHooks(), make)

    def _open(self, editor: RuleEditor) -> None:
        editor.succeeded.connect(self.refresh)
        open_once(editor)

    def _on_delete_chosen(self) -> None:
        self._ask_to_delete(self.chosen_rows())

    def _ask_to_delete(self, rows: Sequence[RuleRow]) -> None:
        if not rows:
            return
        if len(rows) == 1:
            title, word = self.tr("Delete the rule {name}").format(name=rows[0].name), rows[0].name
        else:
            title, word = (
                filled(self.tr("Delete {count} {count:rule/rules}"), {"count": len(rows)}),
                self.tr("delete"),
            )
        dialog = DeletionDialog(
            self.console, title, self.tr("Delete rule"), [Deletion(rule=row.id) for row in rows], word, self
        )
        dialog.finished.connect(self.refresh)
        open_once(dialog)

    def _on_start_chosen(self) -> None:
        self.execute(StartRules(rules=tuple(row.id for row in self.chosen_rows())))

    def _on_stop_chosen(self) -> None:
        self.stopper.stop_rules(tuple(row.id for row in self.chosen_rows()))


def _description(row: RuleRow) -> str:
    """Return what a rule does, for the tooltip of its name."""
    parts = [row.name]
    if row.policy is not None:
        parts += [policy_words(row.policy), kept_words(row.policy)]
    return lines(parts)
