"""规则列表: the VMs of one rule, with the traffic of the selected one below."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import QSplitter

from app.contract.base import Query
from app.contract.rules import DescribeRule, ListRuleVms, ListVmPoints, RuleDetails, RuleVmRow, RunNow, StartVms
from app.contract.tasks import TasksProgress
from app.domain.changes import Subject
from app.domain.display import lines
from app.domain.ids import RuleId, VmId
from app.domain.progress import fraction_of
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import KnownPoint
from app.domain.units import filled
from app.models.rows import Column
from app.views import formatting, style
from app.views.backup.acting import ActingList
from app.views.backup.deletion import Deletion, DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.traffic import TrafficPanel
from app.views.console import Console
from app.views.frame.freshness import Interest, Pace
from app.views.frame.history import Address
from app.views.icons import Glyph
from app.views.page import Crumb
from app.views.proof.starting import ask_to_prove
from app.views.proof.words import vm_proof_columns
from app.views.widgets.columns import capacity_words, compact_time_column, size_column
from app.views.widgets.opening import open_once
from app.views.widgets.pill import Pill, PillDelegate
from app.views.widgets.row_actions import RowAction
from app.views.words import row_error_message, state_pill
from app.workers.answers import Failure

_STATE, _PLATFORM, _STANDBY, _PROOF = 1, 2, 3, 8
_NARROW_STATE = 128
_NARROW, _WIDE = 68, 106
"""Platform and standby are the same for all VMs of a rule, so they give way first in a small window."""
_MEDIUM_TABLE = style.WINDOW_WIDTH - style.NAVIGATION_WIDTH - style.SPACE_XL
_WIDE_TABLE = 1180
_TABLE_SHARE, _PANEL_SHARE = 3, 2


class VmList(ActingList[RuleVmRow]):
    """The VMs of one rule. Thread: GUI."""

    def __init__(self, console: Console, rule: RuleId) -> None:
        self._rule = rule
        self._details: RuleDetails | None = None
        self._room: int | None = None
        super().__init__(console, "rule-vms")
        self._name_question = self.make_question()
        self.toolbar.add_action(self.tr("Back"), Glyph.BACK, self._on_back)
        self.delete = self.toolbar.add_action(self.tr("Delete"), Glyph.DELETE, self._on_delete_chosen)
        self.delete.setShortcut(QKeySequence.StandardKey.Delete)
        self.start = self.toolbar.add_action(self.tr("Start"), Glyph.START, self._on_start_chosen)
        self.stop = self.toolbar.add_action(self.tr("Stop"), Glyph.STOP, self._on_stop_chosen)
        pills = PillDelegate(self.table)
        for column in (_STATE, _PROOF):
            self.table.setItemDelegateForColumn(column, pills)
        self._build_split()
        self.on_selection()

    def _build_split(self) -> None:
        self.panel = TrafficPanel(self.console, self)
        self._split = QSplitter(Qt.Orientation.Vertical, self)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self.stages)
        self._split.addWidget(self.panel)
        self._split.setStretchFactor(0, _TABLE_SHARE)
        self._split.setStretchFactor(1, _PANEL_SHARE)
        if not self.console.memory.restore_splitter("rule-vms", self._split):
            self._split.setSizes([_TABLE_SHARE * style.CHART_HEIGHT // 2, _PANEL_SHARE * style.CHART_HEIGHT // 2])
        self._split.splitterMoved.connect(self._on_split_moved)
        self.body.addWidget(self._split, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give states, platform and standby more room in a wide window, and take it in a small one."""
        super().resizeEvent(event)
        width = event.size().width()
        room = sum(width >= least for least in (_MEDIUM_TABLE, _WIDE_TABLE))
        if room != self._room:
            self._room = room
            for column in (_PLATFORM, _STANDBY):
                self.table.setColumnWidth(column, _WIDE if room > 1 else _NARROW)
            self.table.setColumnWidth(_STATE, style.PILL_WIDTH + 2 * style.SPACE_S if room else _NARROW_STATE)

    # --- place ------------------------------------------------------------------------------------------------

    @property
    def rule(self) -> RuleId:
        """Return the rule whose VMs are shown."""
        return self._rule

    def title(self) -> str:
        """Return the rule's name, once it is known."""
        return self._details.row.name if self._details else formatting.NOTHING

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the way from the list of rules."""
        return Crumb(self.tr("VM backup"), Address("backup")), Crumb(self.title())

    def open(self, path: tuple[str, ...]) -> None:
        """Show the VMs; a path selects the VM with that id."""
        super().open(path)
        self.panel.wake()
        self._name_question.ask(DescribeRule(rule=self._rule), self._on_described, self._on_nameless)

    def leave(self) -> None:
        """Stop asking."""
        super().leave()
        self.panel.sleep()

    def _on_described(self, details: RuleDetails) -> None:
        self._details = details
        self.crumbs_changed.emit()

    def _on_nameless(self, _failure: Failure) -> None:
        """The breadcrumb stays without a name; the list says that the engine is away."""

    # --- the list ---------------------------------------------------------------------------------------------

    def columns(self) -> Sequence[Column[RuleVmRow]]:
        """Return the documented columns."""
        return (
            Column(key="name", title=self.tr("VM name"), text=lambda row: row.name, stretch=True, width=104),
            Column(
                key="state",
                title=self.tr("State"),
                text=lambda row: self._pill(row).text,
                paint=self._pill,
                tooltip=self._state_tooltip,
                width=_NARROW_STATE,
            ),
            Column(key="platform", title=self.tr("Platform"), text=lambda row: row.platform_name, width=_NARROW),
            Column(key="standby", title=self.tr("Standby"), text=lambda row: row.standby_name, width=_NARROW),
            size_column(
                "size",
                self.tr("Data size"),
                lambda row: row.disk_bytes,
                width=80,
                tooltip=lambda _: capacity_words(),
            ),
            compact_time_column("started", self.tr("Start time"), lambda row: row.started_at, width=104),
            Column(
                key="speed",
                title=self.tr("Speed"),
                text=lambda row: formatting.speed(row.read_bytes_per_s),
                sort=lambda row: row.read_bytes_per_s,
                numeric=True,
                unit="B/s",
                width=88,
            ),
            compact_time_column("ended", self.tr("End time"), lambda row: row.ended_at, width=104),
            *vm_proof_columns(),
            Column(
                key="actions",
                title=self.tr("Actions"),
                text=lambda _: "",
                width=style.ACTION_SIZE * 9 + style.SPACE_S,
            ),
        )

    def row_key(self, row: RuleVmRow) -> Hashable:
        """Return the VM's id."""
        return row.vm

    def query(self) -> Query[tuple[RuleVmRow, ...]]:
        """Return the query for the rule's VMs."""
        return ListRuleVms(rule=self._rule)

    def interest(self) -> Interest:
        """Return that the list shows the VMs of one rule with their progress."""
        return Interest(only={Subject.RULES: self._rule}, whole=frozenset({Subject.NAMES}), pace=Pace.BARS)

    def on_sampled(self, running: TasksProgress) -> None:
        """Show how far the backups of the VMs are, and how fast."""
        for sample in running.tasks:
            row = self.table.rows.get(sample.vm)
            if (
                row is not None
                and sample.rule == self._rule
                and row.task == sample.task
                and row.fraction is not None
            ):
                fresh = replace(
                    row,
                    fraction=fraction_of([sample.progress]),
                    read_bytes_per_s=sample.read_bytes_per_s,
                    seconds_left=sample.progress.seconds_left(sample.read_bytes_per_s),
                )
                self.table.rows.patch(fresh)

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say that there is nothing to protect."""
        return (
            Glyph.VM,
            self.tr("No VM in this rule"),
            self.tr("Add the VMs to be backed up as this rule says."),
            self.tr("Add VMs"),
        )

    def on_create(self) -> None:
        """Add VMs."""
        self._edit(EditorMode.ADD_VMS)

    def on_selection(self) -> None:
        """Enable what fits the selection, and show the selected VM's traffic."""
        some = bool(self.chosen_rows())
        for button in (self.delete, self.start, self.stop):
            button.setEnabled(some)
        current = self.table.current_row()
        if current is not None or not self.table.rows.rows:
            self.panel.show_vm(current)
        self.panel.setVisible(bool(self.table.rows.rows))

    def _pill(self, row: RuleVmRow) -> Pill:
        """Return how a VM's state is drawn: a failed one that is tried again says when."""
        pill = state_pill(row.state, row.fraction)
        if row.next_try is None or row.state is not TaskState.FAILED:
            return pill
        at = f"{row.next_try.at.astimezone():%H:%M}"
        return replace(pill, text=self.tr("Retry at {time}").format(time=at))

    def _state_tooltip(self, row: RuleVmRow) -> str:
        told = [state_pill(row.state, row.fraction).text]
        if row.next_try is not None:
            again = self.tr("It is tried again at {at} by itself: try {number} of {times}")
            at = formatting.exact_time(row.next_try.at)
            told.append(again.format(at=at, number=row.next_try.number, times=row.next_try.of))
        if row.error is not None:
            told.append(row_error_message(row.error))
        return lines(tuple(told))

    # --- actions ----------------------------------------------------------------------------------------------

    def actions_of_rows(self) -> Sequence[RowAction[RuleVmRow]]:
        """Return the documented actions, left to right."""
        return (
            RowAction(glyph=Glyph.START, text=self.tr("Start rule"), run=self._on_start),
            RowAction(glyph=Glyph.STOP, text=self.tr("Stop rule"), run=self._on_stop),
            RowAction(glyph=Glyph.DELETE, text=self.tr("Delete rule"), run=self._on_delete),
            RowAction(glyph=Glyph.RESTORE, text=self.tr("Restore VM"), run=self._on_restore, enabled=_has_points),
            RowAction(
                glyph=Glyph.INSTANT, text=self.tr("Instant recovery"), run=self._on_instant, enabled=_has_points
            ),
            RowAction(glyph=Glyph.RUN_NOW, text=self.tr("Run now"), choices=self._kinds()),
            RowAction(glyph=Glyph.LOG, text=self.tr("Show log"), run=self._on_log),
            RowAction(glyph=Glyph.EDIT, text=self.tr("Change rule"), run=self._on_change),
            RowAction(glyph=Glyph.STATISTICS, text=self.tr("Show statistics"), run=self._on_statistics),
        )

    def more_actions(self) -> Sequence[RowAction[RuleVmRow]]:
        """Return what is in the context menu only."""
        return (RowAction(glyph=Glyph.PROVE, text=self.tr("Prove…"), run=self._on_prove, enabled=_has_points),)

    def _kinds(self) -> tuple[RowAction[RuleVmRow], ...]:
        entries = (
            (BackupKind.FULL, self.tr("Full backup")),
            (BackupKind.INCREMENTAL, self.tr("Incremental backup")),
            (BackupKind.DIFFERENTIAL, self.tr("Differential backup")),
        )
        return tuple(RowAction(glyph=Glyph.RUN_NOW, text=text, run=self._runner(kind)) for kind, text in entries)

    def _runner(self, kind: BackupKind) -> Callable[[RuleVmRow], None]:
        return lambda row: self.execute(RunNow(rule=row.rule, vms=(row.vm,), kind=kind))

    def _on_start(self, row: RuleVmRow) -> None:
        self.execute(StartVms(rule=row.rule, vms=(row.vm,)))

    def _on_stop(self, row: RuleVmRow) -> None:
        self.stopper.stop_vms(row.rule, (row,))

    def _on_delete(self, row: RuleVmRow) -> None:
        self._ask_to_delete((row,))

    def _on_restore(self, row: RuleVmRow) -> None:
        self.console.go("restore", "new", row.rule, row.vm)

    def _on_instant(self, row: RuleVmRow) -> None:
        self.console.go("restore", "instant", row.rule, row.vm)

    def _on_prove(self, row: RuleVmRow) -> None:
        """Ask which restore point of a VM is to be proven; the newest is chosen first."""

        def make(points: tuple[KnownPoint, ...]) -> None:
            if not points:
                self.banner.show_text(self.tr("{name} has no restore point any more.").format(name=row.name))
                return
            ask_to_prove(self.console, points, self.banner, self)

        self.open_with(ListVmPoints(rule=row.rule, vm=row.vm), make)

    def _on_log(self, row: RuleVmRow) -> None:
        self.console.go("log", row.rule, row.vm)

    def _on_change(self, _row: RuleVmRow) -> None:
        self._edit(EditorMode.CHANGE_POLICY)

    def _on_statistics(self, row: RuleVmRow) -> None:
        self.console.go("backup", row.rule, row.vm, "statistics")

    def on_activated(self, row: RuleVmRow) -> None:
        """Show what was done for the VM."""
        self._on_statistics(row)

    def _edit(self, mode: EditorMode) -> None:
        def make(details: RuleDetails) -> None:
            self._on_described(details)
            editor = RuleEditor(self.console, mode, details, self)
            editor.succeeded.connect(self.refresh)
            open_once(editor)

        self.open_with(DescribeRule(rule=self._rule), make)

    # --- tool bar ---------------------------------------------------------------------------------------------

    def _chosen(self) -> tuple[VmId, ...]:
        return tuple(row.vm for row in self.chosen_rows())

    def _on_back(self) -> None:
        self.console.go("backup")

    def _on_start_chosen(self) -> None:
        self.execute(StartVms(rule=self._rule, vms=self._chosen()))

    def _on_stop_chosen(self) -> None:
        self.stopper.stop_vms(self._rule, self.chosen_rows())

    def _on_delete_chosen(self) -> None:
        self._ask_to_delete(self.chosen_rows())

    def _ask_to_delete(self, rows: Sequence[RuleVmRow]) -> None:
        if not rows:
            return
        goes_whole = len(rows) == len(self.table.rows.rows)
        name = rows[0].name if len(rows) == 1 else self.title()
        if goes_whole:
            name = self.title()
            title = self.tr("Delete the rule {name}").format(name=name)
        elif len(rows) == 1:
            title = self.tr("Remove {name} from the rule").format(name=name)
        else:
            title = filled(
                self.tr("Remove {count} {count:VM/VMs} from the rule {name}"), {"count": len(rows), "name": name}
            )
        action = self.tr("Delete rule") if goes_whole else self.tr("Remove")
        deletion = Deletion(rule=self._rule, vms=() if goes_whole else tuple(row.vm for row in rows))
        dialog = DeletionDialog(self.console, title, action, [deletion], name, self)
        dialog.succeeded.connect(self._on_back if goes_whole else self.refresh)
        open_once(dialog)

    def _on_split_moved(self) -> None:
        self.console.memory.save_splitter("rule-vms", self._split)


def _has_points(row: RuleVmRow) -> bool:
    return row.point_count > 0
