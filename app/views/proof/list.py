"""The restore points that were tried, with what each proof found: a list on the page of restores."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.contract.points import ListPoints
from app.contract.proofs import ListProofs, ProofRow
from app.domain.changes import Subject
from app.domain.tasks import KnownPoint
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import WORKING_CALM_MS, Interest, Watch
from app.views.icons import Glyph
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ask_to_prove
from app.views.proof.words import proof_pill, proof_tip
from app.views.restore.side_list import SideList
from app.views.widgets.columns import compact_time_column, pill_column
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question
from app.views.widgets.row_actions import RowAction, fill_menu
from app.views.widgets.table import Table
from app.views.words import said_text


def proof_columns() -> tuple[Column[ProofRow], ...]:
    """Return the columns of the list; what is hidden can be shown by the operator."""
    return (
        Column(
            key="vm",
            title=QCoreApplication.translate("ProofList", "VM"),
            text=lambda row: row.vm_name,
            width=132,
        ),
        *_result_columns(),
        Column(
            key="rule",
            title=QCoreApplication.translate("ProofList", "Rule"),
            text=lambda row: row.rule_name or formatting.NOTHING,
            width=116,
        ),
        Column(
            key="standby",
            title=QCoreApplication.translate("ProofList", "Standby machine"),
            text=lambda row: row.standby_name or formatting.NOTHING,
            width=116,
            hidden=True,
        ),
    )


def _result_columns() -> tuple[Column[ProofRow], ...]:
    return (
        pill_column(
            "result",
            QCoreApplication.translate("ProofList", "Result"),
            lambda row: proof_pill(row.proof),
            tooltip=lambda row: proof_tip(row.proof),
            width=120,
        ),
        compact_time_column(
            "point", QCoreApplication.translate("ProofList", "Restore point"), lambda row: row.point_at, width=112
        ),
        compact_time_column(
            "at", QCoreApplication.translate("ProofList", "Tried at"), lambda row: row.proof.at, width=104
        ),
        Column(
            key="took",
            title=QCoreApplication.translate("ProofList", "Took"),
            text=lambda row: formatting.duration(timedelta(seconds=row.proof.seconds)),
            sort=lambda row: row.proof.seconds,
            numeric=True,
            unit="s",
            width=92,
        ),
        Column(
            key="reason",
            title=QCoreApplication.translate("ProofList", "Why"),
            text=lambda row: said_text(row.proof.reason),
            tooltip=lambda row: said_text(row.proof.reason),
            width=240,
            stretch=True,
        ),
    )


class ProofList(SideList[ProofRow]):
    """Lists the restore points that were tried, the newest proof first. Thread: GUI."""

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(
            console,
            "proofs",
            QCoreApplication.translate("ProofList", "Proofs of restore"),
            proof_columns(),
            lambda row: (row.standby, row.target_path, row.point),
            pills=("result",),
            parent=parent,
        )
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.stages.create_wanted.connect(self._on_rules)
        self._question = Question(console.door, self)
        self._points_question = Question(console.door, self)
        interest = Interest(whole=frozenset({Subject.POINTS, Subject.NAMES}), calm_ms=WORKING_CALM_MS)
        self._watch = Watch(console.fresh, self, interest)
        self._watch.changed.connect(self._on_changed)

    # --- loading ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Load the list and keep it fresh."""
        self._watch.begin()
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self._watch.see()

    def leave(self) -> None:
        """Stop asking."""
        self._watch.end()
        self._question.withdraw()
        self._points_question.withdraw()

    def ask(self) -> None:
        """Ask for the proofs."""
        self._question.ask(ListProofs(), self._on_listed, self.on_failed)

    def _on_changed(self, _keys: object) -> None:
        self.ask()

    def _on_listed(self, rows: Sequence[ProofRow]) -> None:
        self.show_rows(rows)
        self.selection_changed.emit()

    def show_empty(self) -> None:
        """Say what a proof is."""
        text = self.tr(
            "A proof starts the VM of a restore point without a network, and takes it away again. Rules make "
            "proofs by themselves where that is set; the menu of a restore point makes one by hand."
        )
        title, action = self.tr("No restore point was tried yet"), self.tr("Open the backup rules")
        self.stages.show_empty(Glyph.PROVE, title, text, action=action)

    def _on_rules(self) -> None:
        self._console.go("backup")

    # --- actions ----------------------------------------------------------------------------------------------

    def open_row(self, row: ProofRow) -> None:
        """Show what a proof found, with its picture."""
        open_once(ProofDialog(self._console, row, self))

    def fill_menu(self, menu: QMenu, row: ProofRow) -> None:
        """Add what can be done about a proof to its context menu."""
        actions = (
            RowAction(glyph=Glyph.INFO, text=self.tr("Show the result"), run=self.open_row),
            RowAction(glyph=Glyph.PROVE, text=self.tr("Prove again…"), run=self._on_again),
            RowAction[ProofRow](
                glyph=Glyph.TASKS,
                text=self.tr("Show the task"),
                run=self._on_task,
                enabled=lambda row: row.proof.task is not None,
            ),
        )
        fill_menu(menu, actions, row, self._console.colors)

    def _on_again(self, row: ProofRow) -> None:
        self.banner.hide()
        query = ListPoints(standby=row.standby, target_path=row.target_path, vm=row.vm)
        self._points_question.ask(query, partial(self._on_points, row), self.banner.show_failure)

    def _on_points(self, row: ProofRow, points: tuple[KnownPoint, ...]) -> None:
        wanted = tuple(known for known in points if known.point.id == row.point)
        if wanted:
            ask_to_prove(self._console, wanted, self.banner, self)
        else:
            self.banner.show_text(self.tr("This restore point is not there any more."))

    def _on_task(self, row: ProofRow) -> None:
        if row.proof.task is not None:
            self._console.go("tasks", row.proof.task)
