"""Which VM is brought back: where its backups are stored, and the restore point with its information."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QFormLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from app.contract.base import Query
from app.contract.points import ListPoints, ListRecoverableVms
from app.contract.rules import ListRules, ListVmPoints, RuleRow
from app.contract.standbys import ListStandbys
from app.domain.changes import Subject
from app.domain.display import visible
from app.domain.ids import PointId, RuleId, StandbyId, VmId
from app.domain.standbys import Standby
from app.domain.tasks import KnownPoint, PointTally
from app.models.rows import RowModel
from app.views import formatting, style
from app.views.frame.freshness import Interest, Watch
from app.views.icons import Glyph
from app.views.restore.point_actions import PointActions
from app.views.restore.points import point_columns, point_facts
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.list_dialog import in_card
from app.views.widgets.pill import PillDelegate
from app.views.widgets.plain import Label, MarkupBrowser, markup_of
from app.views.widgets.question import Question
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure

R = TypeVar("R")

_VERIFICATION, _PROOF = 3, 4


class PointSource(QWidget):
    """The source VM, and its restore point with its information. Thread: GUI.

    Signals:
        point_chosen: another point is selected, or none; carries the :class:`KnownPoint` or None.
        source_chosen: another VM is chosen; carries its :class:`PointTally`.
    """

    point_chosen = Signal(object)
    source_chosen = Signal(object)

    def __init__(
        self,
        dialog: FormDialog,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        point: PointId | None = None,
    ) -> None:
        super().__init__(dialog)
        self._console = dialog.console
        self._again = Question(self._console.door, self)
        self._wanted_rule, self._wanted_vm, self._wanted_point = rule, vm, point
        self._rules: dict[RuleId, str] = {}
        self._tallies: tuple[PointTally, ...] = ()
        self._standbys: dict[StandbyId, str] = {}
        self._own_points: tuple[KnownPoint, ...] = ()
        self._missing: set[type] = set()
        self._is_listed = False
        self._build(dialog)
        self._watch = Watch(self._console.fresh, self, Interest(whole=frozenset({Subject.POINTS})))
        self._watch.changed.connect(self._on_points_changed)
        self._watch.begin()
        self._ask()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, dialog: FormDialog) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, style.SPACE_L, 0, 0)
        column.setSpacing(style.SPACE_M)
        form = dialog.add_form(column)
        self.build_first(dialog, form)
        self.source = QComboBox(self)
        self.source.setEditable(True)
        self.source.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        completer = QCompleter(self.source.model(), self.source)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.source.setCompleter(completer)
        self.source.currentIndexChanged.connect(self._on_source)
        self._source = dialog.add_field(form, self.tr("Source VM"), self.source, required=True)
        self._place = Label(formatting.NOTHING, self)
        self._place.setProperty("role", "secondary")
        self._place.setContentsMargins(0, style.SPACE_S, 0, 0)
        dialog.add_field(form, self.tr("Standby machine"), self._place)
        self._folder = Label(formatting.NOTHING, self)
        self._folder.setProperty("role", "secondary")
        self._folder.setContentsMargins(0, style.SPACE_S, 0, 0)
        dialog.add_field(form, self.tr("Data directory"), self._folder)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_M)
        row.addWidget(self._build_points(), 5)
        row.addWidget(self._build_facts(), 3)
        heading = Label(self.tr("Choose a restore point *"), self)
        heading.setProperty("role", "heading")
        column.addWidget(heading)
        column.addLayout(row, 1)
        self.points_problem = Label(self)
        self.points_problem.setProperty("role", "problem")
        self.points_problem.hide()
        column.addWidget(self.points_problem)

    def build_first(self, dialog: FormDialog, form: QFormLayout) -> None:
        """Add the fields that stand before the source VM."""

    def _build_points(self) -> QWidget:
        model = RowModel[KnownPoint](point_columns(), lambda known: (known.standby, known.point.id))
        self.points: Table[KnownPoint] = Table[KnownPoint]("restore-points", model, self._console.memory)
        self.points.setSelectionMode(Table.SelectionMode.SingleSelection)
        pills = PillDelegate(self.points)
        for column in (_VERIFICATION, _PROOF):
            self.points.setItemDelegateForColumn(column, pills)
        self.points.setAccessibleName(self.tr("Restore points"))
        self.points.current_changed.connect(self._on_point)
        self.actions_of_points = PointActions(self._console, self.points, self)
        self.actions_of_points.changed.connect(self._on_points_changed)
        self.stages = Stages(self.points, self._console.theme, self)
        self.stages.retry_wanted.connect(self._on_retry)
        return in_card(self.stages, self)

    def _build_facts(self) -> QWidget:
        self.facts = MarkupBrowser(self)
        self.facts.setAccessibleName(self.tr("Point information"))
        self.facts.setPlaceholderText(self.tr("Point information is shown once a restore point is selected."))
        return self.facts

    # --- loading ----------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self.stages.show_loading()
        self._ask_for_list(ListRecoverableVms(), self._on_tallies, self._on_failed)
        self._ask_for_list(ListStandbys(), self._on_standbys)
        self._ask_for_list(ListRules(), self._on_rules)
        if self._wanted_rule is not None and self._wanted_vm is not None:
            self._ask_for_list(ListVmPoints(rule=self._wanted_rule, vm=self._wanted_vm), self._on_own_points)

    def _ask_for_list(
        self, query: Query[R], take: Callable[[R], None], fail: Callable[[Failure], None] | None = None
    ) -> None:
        """Ask for what the list of VMs needs; without ``fail`` it does without, and shows fewer names."""
        kind = type(query)
        self._missing.add(kind)

        def taken(answer: R) -> None:
            if not self._is_listed:
                take(answer)
                self._settle(kind)

        def without(_failure: Failure) -> None:
            self._settle(kind)

        self._console.door.ask(query, owner=self, on_done=taken, on_failed=fail or without)

    def _on_retry(self) -> None:
        if self._is_listed:
            self._ask_points()
        else:
            self._ask()

    def _on_tallies(self, tallies: tuple[PointTally, ...]) -> None:
        self._tallies = tallies

    def _on_standbys(self, standbys: Sequence[Standby]) -> None:
        self._standbys = {standby.id: standby.name for standby in standbys}

    def _on_rules(self, rules: Sequence[RuleRow]) -> None:
        self._rules = {rule.id: rule.name for rule in rules}

    @property
    def _wanted_rule_name(self) -> str:
        return self._rules.get(self._wanted_rule, "") if self._wanted_rule is not None else ""

    def _on_own_points(self, points: tuple[KnownPoint, ...]) -> None:
        """Take the points of the VM that the dialog was opened for, also those under ids it had before."""
        self._own_points = points

    def _on_failed(self, failure: Failure) -> None:
        self.stages.show_failure(failure)

    def _settle(self, kind: type) -> None:
        """Fill the list of VMs once everything about it is there; what was typed meanwhile stays."""
        self._missing.discard(kind)
        if self._missing or self._is_listed:
            return
        self._is_listed = True
        typed = self.source.currentText()
        self._join_own()
        names = [tally.vm_name for tally in self._tallies]
        with QSignalBlocker(self.source):
            for tally in self._tallies:
                text = tally.vm_name
                if names.count(text) > 1 or len(self._tallies) < 100:
                    text = f"{text}  ({tally.rule_name}, {self._standbys.get(tally.standby, formatting.NOTHING)})"
                self.source.addItem(visible(text), tally)
            self.source.setCurrentIndex(self.source.findText(typed) if typed else self._wanted_place())
            if typed:
                self.source.setEditText(typed)
        if not typed and (line := self.source.lineEdit()) is not None:
            line.setCursorPosition(0)
        self._on_source()

    def _join_own(self) -> None:
        """Make one entry of the VM that the dialog was opened for, whatever ids it had."""
        ids = {known.point.facts.vm for known in self._own_points}
        own = [tally for tally in self._tallies if tally.vm in ids and tally.rule_name == self._wanted_rule_name]
        if not own or self._wanted_vm is None:
            return
        newest = max(own, key=lambda tally: tally.newest)
        joined = replace(newest, vm=self._wanted_vm, count=sum(tally.count for tally in own))
        self._tallies = tuple(
            joined if tally is newest else tally for tally in self._tallies if tally is newest or tally not in own
        )

    def _wanted_place(self) -> int:
        """Return the entry that the dialog was opened for, else none."""
        chain = self._wanted_point.partition("/")[0] if self._wanted_point else ""

        def fits(tally: PointTally) -> int:
            if self._wanted_vm is not None and tally.vm == self._wanted_vm:
                return 1 + (tally.rule_name == self._wanted_rule_name)
            named = chain.startswith(f"{tally.rule_name}_") and f"_{tally.vm}_" in chain
            return 2 if chain and named else 0

        ranked = [(fits(tally), tally.newest, place) for place, tally in enumerate(self._tallies)]
        best = max(ranked, default=(0, None, -1))
        return best[2] if best[0] else -1

    @property
    def tally(self) -> PointTally | None:
        """Return the chosen source; None where the text names none."""
        place = self.source.currentIndex()
        if place < 0 or self.source.itemText(place) != self.source.currentText():
            return None
        tally: PointTally = self.source.itemData(place)
        return tally

    def _on_source(self) -> None:
        tally = self.tally
        self.point_chosen.emit(None)
        self.points.rows.set_rows(())
        if tally is None:
            self._place.setText(formatting.NOTHING)
            self._folder.setText(formatting.NOTHING)
            self._show_no_points()
            return
        self._place.setText(self._standbys.get(tally.standby, formatting.NOTHING))
        self._folder.setText(tally.target_path or "/")
        self.source_chosen.emit(tally)
        self._ask_points()

    def _show_no_points(self) -> None:
        if self._tallies:
            title = self.tr("No VM chosen")
            text = self.tr("Choose the VM to bring back; its restore points appear here.")
        else:
            title = self.tr("Nothing to restore yet")
            text = self.tr("No VM has a restore point. The first backup makes one.")
        self.stages.show_empty(Glyph.POINT, title, text)

    def _ask_points(self) -> None:
        tally = self.tally
        if tally is None:
            return
        if self._own_points and self._is_wanted(tally):
            self._show_points(tally, self._own_points)
            return
        self.stages.show_loading()

        def fail(failure: Failure) -> None:
            if tally == self.tally:
                self._on_failed(failure)

        self._console.door.ask(
            _points_query(tally), owner=self, on_done=partial(self._on_points, tally), on_failed=fail
        )

    def _is_wanted(self, tally: PointTally) -> bool:
        """Return whether a source is the VM that the dialog was opened for."""
        return tally.vm == self._wanted_vm and tally.rule_name == self._wanted_rule_name

    def _on_points(self, tally: PointTally, found: tuple[KnownPoint, ...]) -> None:
        if tally == self.tally:
            self._show_points(tally, [known for known in found if known.point.rule_name == tally.rule_name])

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self._watch.see()

    def _on_points_changed(self, _keys: object = None) -> None:
        """Look again at what the source has, such as what a proof has found meanwhile; what is shown stays."""
        tally = self.tally
        if tally is None or not self._is_listed:
            return
        if self._own_points and self._is_wanted(tally) and self._wanted_rule and self._wanted_vm:
            query = ListVmPoints(rule=self._wanted_rule, vm=self._wanted_vm)
            self._again.ask(query, partial(self._on_own_again, tally), _keep)
        else:
            self._again.ask(_points_query(tally), partial(self._on_points, tally), _keep)

    def _on_own_again(self, tally: PointTally, found: tuple[KnownPoint, ...]) -> None:
        self._own_points = found
        if tally == self.tally:
            self._show_points(tally, found)

    def _show_points(self, tally: PointTally, found: Sequence[KnownPoint]) -> None:
        self.points.rows.set_rows(found)
        self._show_facts(self.point)
        self.stages.show_content()
        if self._wanted_point is not None:
            self.points.select((tally.standby, self._wanted_point))
            self._wanted_point = None

    # --- the point --------------------------------------------------------------------------------------------

    @property
    def point(self) -> KnownPoint | None:
        """Return the selected point."""
        return self.points.current_row() if self.points.rows.rows else None

    def _on_point(self, known: KnownPoint | None) -> None:
        self.points_problem.hide()
        self._show_facts(known)
        self.point_chosen.emit(known)

    def _show_facts(self, known: KnownPoint | None) -> None:
        color = self._console.colors.secondary
        rows = [
            f'<tr><td style="color:{color};padding-right:{style.SPACE_M}px">{name}</td>'
            f'<td style="padding-bottom:{style.SPACE_XS}px">{_breakable(markup_of(value))}</td></tr>'
            for name, value in (point_facts(known) if known is not None else ())
        ]
        self.facts.show_markup(f"<table>{''.join(rows)}</table>" if rows else "")

    @property
    def rule(self) -> RuleId | None:
        """Return the rule that the dialog was opened from, while a VM of it is chosen."""
        tally = self.tally
        return self._wanted_rule if tally is not None and tally.rule_name == self._wanted_rule_name else None

    # --- problems ---------------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is missing in the fields."""
        return {} if self.tally is not None else {self._source: self.tr("Choose a VM that has restore points.")}

    def show_point_problem(self) -> bool:
        """Say below the table when no usable point is selected; return whether that is so."""
        text = "" if self.point is not None or self.tally is None else self.tr("Select a restore point.")
        self.points_problem.setText(text)
        self.points_problem.setVisible(bool(text))
        return bool(text)


def _points_query(tally: PointTally) -> ListPoints:
    """Return the query for what a source has; points of other rules are among its answers."""
    return ListPoints(standby=tally.standby, target_path=tally.target_path, vm=tally.vm, origin=tally.origin)


def _keep(_failure: Failure) -> None:
    """What is shown stays; the next change asks again."""


def _breakable(text: str) -> str:
    """Let long ids and paths be broken where they have marks."""
    for mark in ("-", "/", "_"):
        text = text.replace(mark, f"{mark}\u200b")
    return text
