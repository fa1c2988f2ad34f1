"""Base of the backup page's lists: sends commands and shows their failures over the list."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from PySide6.QtWidgets import QMenu

from app.contract.base import Command, Query
from app.views.backup.stopping import Stopper
from app.views.console import Console
from app.views.icons import Glyph
from app.views.widgets.banner import Banner
from app.views.widgets.list_page import ListPage
from app.views.widgets.row_actions import RowAction, RowActionsDelegate, fill_menu
from app.views.widgets.undo import UndoStrip
from app.workers.answers import Failure

Row = TypeVar("Row")
R = TypeVar("R")


class ActingList(ListPage[Row]):
    """A list whose rows have actions. Thread: GUI."""

    key = "backup"
    glyph = Glyph.BACKUP

    def __init__(self, console: Console, name: str) -> None:
        super().__init__(console, name)
        self._opening = self.make_question()
        self.banner = Banner(self)
        self.messages.add(self.banner)
        self.undo = UndoStrip(console, self)
        self.messages.add(self.undo)
        self.stopper = Stopper(console, self.undo, self.refresh, self.on_refused, self)
        self.table.setAccessibleName(self.tr("List"))
        self.table.rows.checked_changed.connect(self.on_selection)
        self.row_actions = tuple(self.actions_of_rows())
        self.icons = RowActionsDelegate(
            self.row_actions, console.theme, self.table, len(self.table.rows.columns) - 1
        )

    def actions_of_rows(self) -> Sequence[RowAction[Row]]:
        """Return the actions of a row, in the order of their icons."""
        raise NotImplementedError

    def more_actions(self) -> Sequence[RowAction[Row]]:
        """Return actions that are in the context menu only."""
        return ()

    def fill_menu(self, menu: QMenu, row: Row) -> None:
        """Offer all actions of a row."""
        fill_menu(menu, self.row_actions, row, self.console.colors)
        more = self.more_actions()
        if more:
            menu.addSeparator()
            fill_menu(menu, more, row, self.console.colors)

    def execute(self, command: Command[Any]) -> None:
        """Carry a command out, and show the rows as they are then."""
        self.banner.hide()
        self.undo.hide()
        self.console.door.execute(command, owner=self, on_done=self._on_executed, on_failed=self.on_refused)

    def open_with(self, query: Query[R], make: Callable[[R], None]) -> None:
        """Ask what a dialog needs and let ``make`` open it: once, and not over another page."""
        if self._opening.is_open:
            return
        self.banner.hide()

        def taken(answer: R) -> None:
            if self.isVisible():
                make(answer)

        self._opening.ask(query, taken, self.on_refused)

    def on_refused(self, failure: Failure) -> None:
        """Show over the list why a command was refused."""
        self.banner.show_failure(failure)
        self.refresh()

    def _on_executed(self, _answer: object) -> None:
        self.refresh()
