"""The list of instant recoveries, on the page of restores."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.contract.instant import InstantRow
from app.domain.ids import RecoveryId, TaskId
from app.models.rows import ACTIONS_KEY
from app.views.console import Console
from app.views.icons import Glyph
from app.views.restore.instant.acting import InstantActions, can_be_stopped
from app.views.restore.instant.columns import instant_columns
from app.views.restore.instant.feed import SAMPLE_MS, InstantFeed
from app.views.restore.side_list import SideList
from app.views.widgets.row_actions import RowActionsDelegate, fill_menu
from app.views.widgets.table import Table


class InstantList(SideList[InstantRow]):
    """Lists instant recoveries, and does with them what can be done. Thread: GUI.

    Signals:
        create_wanted: the operator wants to start one.
    """

    create_wanted = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None, *, sample_ms: int = SAMPLE_MS) -> None:
        title = QCoreApplication.translate("InstantList", "Instant recoveries")
        columns = instant_columns()
        super().__init__(
            console, "instant", title, columns, lambda row: row.id, pills=("state", "days"), parent=parent
        )
        self._wanted: frozenset[TaskId] = frozenset()
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.feed = InstantFeed(console, self, sample_ms=sample_ms)
        self.feed.listed.connect(self._on_listed)
        self.feed.failed.connect(self.on_failed)
        self.actions_of_rows = InstantActions(console, self.feed, self)
        self.actions_of_rows.done.connect(self._on_done)
        self._actions = self.actions_of_rows.of_rows()
        place = [column.key for column in columns].index(ACTIONS_KEY)
        self.icons = RowActionsDelegate(self._actions, console.theme, self.table, place)
        self.stages.create_wanted.connect(self.create_wanted)
        console.fresh.ticked.connect(self.table.viewport().update)

    # --- loading ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Load the list and keep it fresh."""
        self.expect_rows()
        self.feed.begin()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self.feed.see()

    def leave(self) -> None:
        """Stop asking."""
        self.feed.leave()

    def ask(self) -> None:
        """Ask for the recoveries."""
        self.feed.ask()

    def expect(self, tasks: Sequence[TaskId]) -> None:
        """Say that recoveries were queued, and select the first of them once it is listed."""
        self._wanted = frozenset(tasks)
        self.banner.show_success(self.tr("The instant recovery was queued; it is followed in the list."))
        self.refresh()

    def _on_listed(self, rows: Sequence[InstantRow]) -> None:
        current = self.table.current_row()
        self.show_rows(rows)
        if rows:
            self._select(rows, current.id if current is not None else None)
        self.selection_changed.emit()

    def show_empty(self) -> None:
        """Say what an instant recovery is for."""
        text = self.tr(
            "A VM that is needed at once runs straight from its restore point, and moves to a datastore "
            "later, while it runs."
        )
        title, action = self.tr("No VM runs from a restore point"), self.tr("Start an instant recovery")
        self.stages.show_empty(Glyph.INSTANT, title, text, action=action)

    def _select(self, rows: Sequence[InstantRow], current: RecoveryId | None) -> None:
        expected = next((row.id for row in reversed(rows) if row.task in self._wanted), None)
        if expected is not None:
            self._wanted = frozenset()
        wanted = expected or current
        if (wanted is None or not self.table.select(wanted)) and self.table.current_row() is None:
            self.table.select(rows[0].id)

    # --- actions ----------------------------------------------------------------------------------------------

    def open_row(self, row: InstantRow) -> None:
        """Show everything about a recovery."""
        self.actions_of_rows.show_details(row)

    def fill_menu(self, menu: QMenu, row: InstantRow) -> None:
        """Add the actions of a recovery to its context menu."""
        fill_menu(menu, self._actions, row, self._console.colors)

    def can_stop(self) -> bool:
        """Return whether the selected one can be ended, or its task."""
        return self.chosen is not None and can_be_stopped(self.chosen)

    def stop_chosen(self) -> None:
        """End the selected one, or its task; asks first."""
        if self.chosen is not None:
            self.actions_of_rows.stop_or_cancel(self.chosen)

    def delete_chosen(self) -> None:
        """Take the selected one away in the way that its state allows; asks first."""
        row = self.chosen
        if row is not None and not self.actions_of_rows.take_away(row):
            self.banner.show_text(self.tr("It can neither be stopped nor deleted now."))

    def _on_done(self, text: str) -> None:
        self.banner.show_success(text)
        self.refresh()
