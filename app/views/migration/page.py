"""The page of migrations."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Final

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu

from app.contract.base import Query
from app.contract.migration import ListMigrations, MigrationRow
from app.domain.changes import Subject
from app.domain.ids import MigrationId
from app.domain.migration import MigrationAction
from app.models.rows import ACTIONS_KEY, Column
from app.views.console import Console
from app.views.frame.freshness import Interest
from app.views.icons import Glyph
from app.views.migration.acting import Listed, MigrationActions, may
from app.views.migration.columns import migration_columns
from app.views.migration.dialog import MigrationDialog
from app.views.migration.words import is_moving
from app.views.widgets.banner import Banner
from app.views.widgets.list_page import ListPage
from app.views.widgets.opening import open_once
from app.views.widgets.pause import Pause
from app.views.widgets.pill import PillDelegate
from app.views.widgets.row_actions import RowActionsDelegate, fill_menu
from app.workers.answers import Failure

SAMPLE_MS: Final = 1000
"""So long after an answer the figures are asked for again while something is copied or followed."""
_NEW: Final = "new"


class MigrationPage(ListPage[MigrationRow]):
    """Lists migrations, starts them, and does with them what can be done. Thread: GUI."""

    key = "migration"
    glyph = Glyph.MIGRATION

    def __init__(self, console: Console, *, sample_ms: int = SAMPLE_MS) -> None:
        super().__init__(console, "migrations")
        self.listed = Listed(self)
        self.acting = MigrationActions(console, self.listed, self)
        self.acting.done.connect(self._on_done)
        self._sample = Pause(sample_ms, self)
        self._sample.timeout.connect(self._on_sample)
        self.banner = Banner(self)
        self.messages.add(self.banner)
        self.acting.unknown.connect(self.banner.show_text)
        self.table.setAccessibleName(self.tr("Migrations"))
        self.table.setSelectionMode(self.table.SelectionMode.SingleSelection)
        places = {column.key: place for place, column in enumerate(self.table.rows.columns)}
        self.table.setItemDelegateForColumn(places["state"], PillDelegate(self.table))
        self._actions = self.acting.of_rows()
        self.icons = RowActionsDelegate(self._actions, console.theme, self.table, places[ACTIONS_KEY])
        self._build_tools()
        self.on_selection()

    def _build_tools(self) -> None:
        bar = self.toolbar
        self.new = bar.add_primary(self.tr("New"), Glyph.ADD, self.on_create)
        self.tools = {
            MigrationAction.CUT_OVER: bar.add_action(
                self.tr("Cut over"),
                Glyph.MIGRATION,
                partial(self._act, self.acting.cut_over),
                tooltip=self.tr("Let the target take the place of the source"),
            ),
            MigrationAction.STOP: bar.add_action(
                self.tr("Stop"), Glyph.STOP, partial(self._act, self.acting.stop)
            ),
            MigrationAction.RESUME: bar.add_action(
                self.tr("Resume"),
                Glyph.START,
                partial(self._act, self.acting.resume),
                tooltip=self.tr("Go on with what was copied"),
            ),
            MigrationAction.DISCARD: bar.add_action(
                self.tr("Delete"), Glyph.DELETE, partial(self._act, self.acting.discard)
            ),
        }
        self.details = bar.add_action(self.tr("Details"), Glyph.INFO, partial(self._act, self.acting.show_details))

    # --- the list ---------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("VM migration")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p><b>New</b> copies VMs to another platform, host or datastore while they run. What changes "
            "meanwhile is copied again, pass after pass, until the rest is small.</p>"
            "<p>Then comes the <b>cut-over</b>, by itself or when you ask for it: the source is shut down, the "
            "rest is copied and compared, and the target is started in its place. The source stays, powered off "
            "and "
            "under another name. When something fails before the target is started, all of it is undone.</p>"
            "<p><b>Stop</b> keeps what was copied, and <b>Resume</b> copies only what is missing. <b>Delete</b> "
            "takes the unfinished target VM away; the source stays as it is.</p>"
        )

    def columns(self) -> Sequence[Column[MigrationRow]]:
        """Return the columns of the list."""
        return migration_columns()

    def is_checkable(self) -> bool:
        """Return that migrations are dealt with one by one."""
        return False

    def row_key(self, row: MigrationRow) -> Hashable:
        """Return the migration's id."""
        return row.id

    def query(self) -> Query[tuple[MigrationRow, ...]]:
        """Return the query for the migrations."""
        return ListMigrations()

    def interest(self) -> Interest:
        """Return that the list shows migrations with the names of platforms."""
        return Interest(whole=frozenset({Subject.MIGRATION, Subject.NAMES}))

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what the page is for."""
        return (
            Glyph.MIGRATION,
            self.tr("No VM was migrated yet"),
            self.tr(
                "Move VMs to another platform, host or datastore while they run; they are off for the cut-over "
                "only."
            ),
            self.tr("Migrate VMs"),
        )

    def fill_menu(self, menu: QMenu, row: MigrationRow) -> None:
        """Offer what the icons of the row offer."""
        fill_menu(menu, self._actions, row, self.console.colors)

    def on_activated(self, row: MigrationRow) -> None:
        """Show everything about a migration."""
        self.acting.show_details(row)

    def on_create(self) -> None:
        """Ask which VMs to migrate, and where to."""
        dialog = MigrationDialog(self.console, self)
        dialog.queued.connect(self._on_queued)
        open_once(dialog)

    def on_delete(self) -> None:
        """Ask whether to delete the selected migration."""
        for row in self.chosen_rows()[:1]:
            if may(MigrationAction.DISCARD, row):
                self.acting.discard(row)
            else:
                self.banner.show_text(self.tr("It cannot be deleted while a task works at it; stop it first."))

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        row = next(iter(self.chosen_rows()), None)
        for action, button in self.tools.items():
            button.setEnabled(row is not None and may(action, row))
        self.details.setEnabled(row is not None)

    def _act(self, act: Callable[[MigrationRow], None]) -> None:
        for row in self.chosen_rows()[:1]:
            act(row)

    # --- loading ----------------------------------------------------------------------------------------------

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list; ``new`` opens the dialog, anything else is the id of a migration to select."""
        is_new = path[:1] == (_NEW,)
        super().open(() if is_new else path)
        if is_new:
            self.on_create()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while the page was not seen."""
        super().showEvent(event)
        self._on_sample()

    def leave(self) -> None:
        """Ask no more."""
        super().leave()
        self._sample.stop()

    def ask_rows(
        self, on_rows: Callable[[tuple[MigrationRow, ...]], None], on_failed: Callable[[Failure], None]
    ) -> None:
        """Ask for the migrations, and again a second after the answer while something moves."""

        def take(rows: tuple[MigrationRow, ...]) -> None:
            on_rows(rows)
            self.listed.listed.emit(rows)
            self._go_on_sampling()

        def fail(failure: Failure) -> None:
            on_failed(failure)
            self._go_on_sampling()

        self.question.ask(self.query(), take, fail)

    def _go_on_sampling(self) -> None:
        if any(map(is_moving, self.table.rows.rows)):
            self._sample.restart()

    def _on_sample(self) -> None:
        """Ask for figures that move; what is not seen is not asked for until it is shown."""
        assert self.watch is not None
        if self.watch.is_seen and any(map(is_moving, self.table.rows.rows)) and not self.question.is_open:
            self.refresh()

    # --- what was begun ---------------------------------------------------------------------------------------

    def _on_queued(self, migrations: Sequence[MigrationId]) -> None:
        self.banner.show_success(self.tr("The migration was queued; it is followed in the list."))
        self.open(tuple(migrations[:1]))

    def _on_done(self, text: str) -> None:
        self.banner.show_success(text)
        self.refresh()
