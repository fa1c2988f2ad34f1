"""A page that is one list: loads it, keeps it fresh, and says so when it is empty or cannot be had."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu

from app.contract.base import Query
from app.contract.tasks import TasksProgress
from app.models.rows import Column, RowModel
from app.views.console import Console
from app.views.frame.freshness import Interest, Keys, Watch
from app.views.icons import Glyph
from app.views.page import Page
from app.views.widgets.export import LoadedRows, Source, TableExporter
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure

Row = TypeVar("Row")

MOST_PATCHED: Final = 40
"""Of more changed rows at once the whole list is asked for."""


class ListPage(Page, Generic[Row]):
    """A page with a tool bar and one table. Subclasses name the query, the columns and the empty state.

    Thread: GUI.

    Attributes:
        watch: Tells what has changed while the page is seen.
        question: Asks for the rows.
    """

    def __init__(self, console: Console, name: str) -> None:
        super().__init__(console)
        self.question = self.make_question()
        self._loaded = False
        self._due: Keys = frozenset()
        """What is to be asked for; nothing while it is empty."""
        self._wanted: Hashable = None
        model = RowModel[Row](self.columns(), self.row_key, checkable=self.is_checkable())
        self.table: Table[Row] = Table[Row](name, model, console.memory)
        self.stages = Stages(self.table, console.theme, self)
        self.exporter: TableExporter[Row] = TableExporter(console, self.table, name, self, self.export_source)
        self.messages.add(self.exporter.strip)
        self.body.addWidget(self.stages)
        self.toolbar.offer_export(self.ask_to_export)
        self.toolbar.offer_columns(self.table.column_menu)
        self.toolbar.filter_changed.connect(self.table.set_filter)
        self.toolbar.list_wanted.connect(self.table.setFocus)
        self.table.menu_wanted.connect(self._on_menu)
        self.table.row_activated.connect(self.on_activated)
        self.table.current_changed.connect(self._on_selected)
        self.table.selectionModel().selectionChanged.connect(self._on_selected)
        self.table.delete_wanted.connect(self.on_delete)
        self.stages.create_wanted.connect(self.on_create)
        self.stages.retry_wanted.connect(self.refresh)
        self.watch: Watch = Watch(console.fresh, self, self.interest())
        self.watch.changed.connect(self._on_changed)
        self.watch.sampled.connect(self.on_sampled)
        console.fresh.ticked.connect(self.table.viewport().update)

    # --- for subclasses ---------------------------------------------------------------------------------------

    def columns(self) -> Sequence[Column[Row]]:
        """Return the columns of the list."""
        raise NotImplementedError

    def row_key(self, row: Row) -> Hashable:
        """Return what identifies a row."""
        raise NotImplementedError

    def query(self) -> Query[tuple[Row, ...]]:
        """Return the query for the rows."""
        raise NotImplementedError

    def interest(self) -> Interest:
        """Return which changes concern the list."""
        raise NotImplementedError

    def query_of(self, keys: frozenset[str]) -> Query[tuple[Row, ...]] | None:  # noqa: ARG002 - for long lists
        """Return the query for the rows of some keys; None where the list is short and asked for as a whole."""
        return None

    def is_partial(self) -> bool:
        """Return whether only the first rows are loaded; such lists override :meth:`is_beyond` as well."""
        return False

    def is_beyond(self, row: Row) -> bool:  # noqa: ARG002 - for lists that hold only their first rows
        """Return whether a row that is not loaded comes after the last one that is."""
        return False

    def on_sampled(self, running: TasksProgress) -> None:
        """Show how far everything is that runs, in lists that show that."""

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Return icon, title, text and button of the empty state; an empty button text offers none."""
        raise NotImplementedError

    def is_checkable(self) -> bool:
        """Return whether rows have check boxes."""
        return True

    def fill_menu(self, menu: QMenu, row: Row) -> None:
        """Add the actions of a row to its context menu."""

    def on_activated(self, row: Row) -> None:
        """React to Enter or a double click on a row."""

    def on_create(self) -> None:
        """React to the button of the empty state."""

    def on_delete(self) -> None:
        """React to the Delete key; only ever by a question."""

    def export_source(self) -> Source[Row]:
        """Return the rows that an export writes; lists that hold only their first rows override this."""
        return LoadedRows(self.table.shown_rows())

    def ask_to_export(self) -> None:
        """Ask where the list is to be written, and write it there."""
        self.exporter.ask()

    def on_selection(self) -> None:
        """React to another selection or to other rows, such as by enabling buttons."""

    def chosen_rows(self) -> Sequence[Row]:
        """Return the checked rows, or where none is checked the selected ones."""
        return self.table.rows.checked_rows or self.table.selected_rows()

    # --- loading ----------------------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list and keep it fresh; a path selects the row with that key."""
        self._wanted = path[0] if path else None
        self.watch.begin()
        self.refresh()

    def refresh(self) -> None:
        """Ask for the rows; while an answer is on its way, once more afterwards: that one may know too little."""
        self._on_changed(None)

    def _on_changed(self, keys: Keys) -> None:
        self._due = None if keys is None or self._due is None else self._due | keys
        if not self.question.is_open:
            self._ask()

    def _ask(self) -> None:
        """Ask for what is due: for some rows where all of them are there and few, else for all."""
        due, self._due = self._due, frozenset()
        if not self._loaded:
            self.stages.show_loading()
        is_some = due is not None and self._loaded and len(due) <= MOST_PATCHED and self._are_found(due)
        if due is None or not is_some or not self.ask_some(due):
            self.ask_rows(self._on_rows, self.on_not_answered)

    def _are_found(self, keys: frozenset[str]) -> bool:
        """Whether the places of some rows are known: of those that are loaded, and of those after the last one."""
        return self.is_partial() or all(self.table.rows.get(key) is not None for key in keys)

    def ask_some(self, keys: frozenset[str]) -> bool:
        """Ask for the rows of some keys; return False where only all can be asked for."""
        query = self.query_of(keys)
        if query is None:
            return False
        self.question.ask(query, partial(self.on_some, keys), self.on_not_answered)
        return True

    def on_some(self, keys: frozenset[str], rows: Sequence[Row]) -> None:
        """Show the rows of some keys as they are now; those that are not among the answer are gone."""
        found = {self.row_key(row): row for row in rows}
        for key in keys:
            row = found.get(key)
            if row is None:
                self.table.rows.remove(key)
            elif self.table.rows.get(key) is not None:
                self.table.rows.patch(row)
            elif not self.is_beyond(row):
                self._due = None  # it has a place among the rows, which an answer for all of them shows
        self._show_stage()
        self.on_selection()
        self._go_on()

    def ask_rows(self, on_rows: Callable[[tuple[Row, ...]], None], on_failed: Callable[[Failure], None]) -> None:
        """Ask for the rows and call one of the two; pages whose rows are made of several answers override this."""
        self.question.ask(self.query(), on_rows, on_failed)

    def _on_rows(self, rows: tuple[Row, ...]) -> None:
        self._loaded = True
        current = self.table.current_row()
        self.table.rows.set_rows(rows)
        self._show_stage()
        if rows:
            self._select_again(current)
        self.on_selection()
        self._go_on()

    def _show_stage(self) -> None:
        if self.table.rows.rows:
            self.stages.show_content()
        else:
            glyph, title, text, action = self.empty_state()
            self.stages.show_empty(glyph, title, text, action=action)

    def _go_on(self) -> None:
        if self._due != frozenset():
            self._ask()

    def _select_again(self, current: Row | None) -> None:
        wanted: Hashable = self._wanted
        if self._due == frozenset():
            self._wanted = None
        if wanted is None and current is not None:
            wanted = self.row_key(current)
        if (wanted is None or not self.table.select(wanted)) and self.table.current_row() is None:
            for row in self.table.shown_rows()[:1]:
                self.table.select(self.row_key(row))

    def on_not_answered(self, failure: Failure) -> None:
        """Say that the rows cannot be had, unless some are shown."""
        if not self._loaded:
            self.stages.show_failure(failure)
        # A list that is shown already stays: a later answer replaces it, and the status bar shows the outage.
        has_news, self._due = self._due != frozenset(), None  # with the next change all rows are asked for
        if has_news:
            self._ask()

    def _on_menu(self, row: Row, position: QPoint) -> None:
        self.exporter.pop_up(self, position, lambda menu: self.fill_menu(menu, row))

    def _on_selected(self, _row: object) -> None:
        self.on_selection()
