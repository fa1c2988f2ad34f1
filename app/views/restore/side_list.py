"""A list that stands beside the restores, under a tab of its own on their page."""

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from app.models.rows import Column, RowModel
from app.views.console import Console
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.export import TableExporter
from app.views.widgets.pill import PillDelegate
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure

Row = TypeVar("Row")


class SideList(QWidget, Generic[Row]):
    """A table with its stages, its messages and its export. Thread: GUI.

    Subclasses override :meth:`begin`, :meth:`leave`, :meth:`ask` and what can be done with a row.

    Attributes:
        table: the rows.
        exporter: writes them into a file.

    Signals:
        selection_changed: something else is selected, or other rows are there.
    """

    selection_changed = Signal()

    def __init__(
        self,
        console: Console,
        name: str,
        title: str,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], Hashable],
        *,
        pills: Collection[str],
        parent: QWidget | None = None,
    ) -> None:
        """Show nothing yet.

        Args:
            console: the console.
            name: under which the table's layout is remembered, and a file named.
            title: what is listed.
            columns: of the table.
            key: returns what identifies a row.
            pills: keys of the columns that are drawn as pills.
            parent: the page.
        """
        super().__init__(parent)
        self._console = console
        self._is_loaded = False
        model = RowModel[Row](columns, key)
        self.table: Table[Row] = Table(name, model, console.memory, self)
        self.table.setAccessibleName(title)
        drawn = PillDelegate(self.table)
        for place, column in enumerate(model.columns):
            if column.key in pills:
                self.table.setItemDelegateForColumn(place, drawn)
        # Not when the current row is another: then the selection is still the former one.
        self.table.selectionModel().selectionChanged.connect(self.selection_changed)
        self.table.menu_wanted.connect(self._on_menu)
        self.table.row_activated.connect(self.open_row)
        self.table.delete_wanted.connect(self.delete_chosen)
        self.stages = Stages(self.table, console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        self.banner = Banner(self)
        self.exporter: TableExporter[Row] = TableExporter(console, self.table, name, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stages)
        self.messages = MessageOverlay(self, self.banner, self.exporter.strip)

    # --- loading ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Load the list and keep it fresh."""
        raise NotImplementedError

    def leave(self) -> None:
        """Stop asking."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask for the rows; while an answer is on its way, once more afterwards."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Ask for the list again."""
        self.expect_rows()
        self.ask()

    def expect_rows(self) -> None:
        """Show that the list is loaded, the first time that takes longer than a blink."""
        if not self._is_loaded:
            self.stages.show_loading()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows, or where there are none the subclass's words about that."""
        self._is_loaded = True
        self.table.rows.set_rows(rows)
        if rows:
            self.stages.show_content()
        else:
            self.show_empty()

    def show_empty(self) -> None:
        """Say what the list is for."""
        raise NotImplementedError

    def on_failed(self, failure: Failure) -> None:
        """Say why there is no list; one that is shown stays."""
        if not self._is_loaded:
            self.stages.show_failure(failure)

    # --- what can be done -------------------------------------------------------------------------------------

    @property
    def chosen(self) -> Row | None:
        """Return the selected row; the first where several are."""
        return next(iter(self.table.selected_rows()), None)

    def open_row(self, row: Row) -> None:
        """Show the details of a row."""
        raise NotImplementedError

    def fill_menu(self, menu: QMenu, row: Row) -> None:
        """Add the actions of a row to its context menu."""
        raise NotImplementedError

    def can_open(self) -> bool:
        """Return whether there are details of what is selected."""
        return self.chosen is not None

    def open_chosen(self) -> None:
        """Show the details of what is selected."""
        if self.chosen is not None:
            self.open_row(self.chosen)

    def can_stop(self) -> bool:
        """Return whether what is selected can be ended."""
        return False

    def stop_chosen(self) -> None:
        """End what is selected; asks first where that costs something."""

    def delete_chosen(self) -> None:
        """React to the Delete key; only ever by a question."""
        self.stop_chosen()

    def _on_menu(self, row: Row, position: QPoint) -> None:
        self.exporter.pop_up(self, position, lambda menu: self.fill_menu(menu, row))
