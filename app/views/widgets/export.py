"""Writing a list to a CSV file: where to, how far it is, and where it went.

What is written: every row of the list that passes its filter, also rows that were not scrolled to yet, in the
columns that are shown and their order. ``app.views.widgets.sheet_cells`` says how cells are written.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, Generic, TypeVar

from PySide6.QtCore import QObject, QPoint, QStandardPaths, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from app.core.sheets import Cell
from app.domain.units import filled
from app.models.rows import Column
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.banner import Banner, Severity, mark, picture_of
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label, set_tip
from app.views.widgets.sheet_cells import sheet_row, sheet_title
from app.views.widgets.table import Table
from app.workers.answers import Failure
from app.workers.sheets import SheetWriter

Row = TypeVar("Row")

_SLICE_S: Final = 0.008
"""How long rows are made into cells before the window gets its turn again."""
_SLICE_ROWS: Final = 50


class Source(Generic[Row]):
    """Where the rows of an export come from, one page after another. Thread: GUI."""

    def next_page(
        self,
        on_rows: Callable[[Sequence[Row]], None],
        on_end: Callable[[], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Fetch the next rows and call exactly one of the three; a page may be empty before the end."""
        raise NotImplementedError


class LoadedRows(Source[Row]):
    """The rows that a list holds already."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows: Sequence[Row] | None = rows

    def next_page(
        self,
        on_rows: Callable[[Sequence[Row]], None],
        on_end: Callable[[], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Give all rows, once."""
        del on_failed
        rows, self._rows = self._rows, None
        if rows is None:
            on_end()
        else:
            on_rows(rows)


class ExportStrip(QFrame):
    """A line above a list that shows how its export goes. Hidden until there is one. Thread: GUI.

    Signals:
        cancel_wanted: the operator stops the export.
    """

    cancel_wanted = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._file: Path | None = None
        self._picture = Label(self)
        self.text = Label(self)
        self.text.setWordWrap(True)
        self.cancel = QPushButton(self.tr("Cancel"), self)
        self.folder = QPushButton(self.tr("Show in folder"), self)
        self.folder.setIcon(icon(Glyph.FOLDER, console.colors))
        for button, slot in ((self.cancel, self.cancel_wanted), (self.folder, self._on_folder)):
            button.setProperty("role", "quiet")
            button.setAutoDefault(False)
            button.clicked.connect(slot)
        self.close_button = QToolButton(self)
        self.close_button.setIcon(icon(Glyph.CLOSE, console.colors))
        self.close_button.setAccessibleName(self.tr("Close the notice"))
        set_tip(self.close_button, self.close_button.accessibleName())
        self.close_button.clicked.connect(self.hide)
        self.failure = Banner(self)
        self.failure.setProperty("role", "")  # the strip is its frame
        layout = QHBoxLayout(self)
        layout.setContentsMargins(style.SPACE_L, style.SPACE_XS, style.SPACE_S, style.SPACE_XS)
        layout.addWidget(self._picture)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.failure, 1)
        for widget in (self.cancel, self.folder, self.close_button):
            layout.addWidget(widget)
        self.hide()

    def show_progress(self, rows: int) -> None:
        """Show how many rows were written so far."""
        self._mean(Severity.INFORMATION)
        self.text.setText(
            filled(self.tr("Writing the list to a file: {count} {count:row/rows} so far."), {"count": f"{rows:,}"})
        )
        self._show(self.text, self.cancel)

    def show_written(self, file: Path, rows: int) -> None:
        """Show that the file is complete."""
        self._mean(Severity.SUCCESS)
        self._file = file
        words = self.tr("{count} {count:row was/rows were} written to {file}.")
        self.text.setText(filled(words, {"count": f"{rows:,}", "file": file}))
        self._show(self.text, self.folder, self.close_button)

    def show_failure(self, failure: Failure) -> None:
        """Show why there is no file."""
        self._mean(Severity.PROBLEM)
        self.failure.show_failure(failure)
        self._show(self.failure, self.close_button)

    def _mean(self, severity: Severity) -> None:
        mark(self, severity)
        self._picture.setPixmap(picture_of(severity))
        self._picture.setVisible(severity is not Severity.PROBLEM)  # that message has its own

    def _show(self, *wanted: QWidget) -> None:
        for widget in (self.text, self.failure, self.cancel, self.folder, self.close_button):
            widget.setVisible(widget in wanted)
        self.show()

    def _on_folder(self) -> None:
        if self._file is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._file.parent)))


class TableExporter(QObject, Generic[Row]):
    """Exports one table. Thread: GUI.

    Attributes:
        strip: Shows how the export goes; the owner of the table places it.
    """

    def __init__(
        self,
        console: Console,
        table: Table[Row],
        name: str,
        owner: QWidget,
        make_source: Callable[[], Source[Row]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            console: the console.
            table: what is exported.
            name: for the file: ``standfast-<name>-<time>.csv``.
            owner: the page or dialog; when it goes, a file that is not complete goes with it.
            make_source: where the rows come from; None for those that the table shows.
        """
        super().__init__(owner)
        self._console = console
        self._table = table
        self._name = name
        self._owner = owner
        self._make_source = make_source or (lambda: LoadedRows(table.shown_rows()))
        self._writer: SheetWriter | None = None
        self._source: Source[Row] = LoadedRows(())
        self._columns: tuple[Column[Row], ...] = ()
        self._waiting: list[Row] = []
        self.strip = ExportStrip(console, owner)
        self.strip.cancel_wanted.connect(self.cancel)
        # Bound to nothing that is gone when the owner is: a method of this object would be disconnected before.
        owner.destroyed.connect(partial(TableExporter.abandon, self))

    @property
    def is_running(self) -> bool:
        """Return whether a file is being written."""
        return self._writer is not None

    def pop_up(self, parent: QWidget, position: QPoint, fill: Callable[[QMenu], None]) -> None:
        """Open a context menu with what ``fill`` puts into it, and the export at its end."""
        menu = QMenu(parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        fill(menu)
        self.fill_menu(menu)
        menu.popup(position)

    def fill_menu(self, menu: QMenu) -> None:
        """Offer the export at the end of a context menu."""
        if not menu.isEmpty():
            menu.addSeparator()
        glyph = icon(Glyph.EXPORT, self._console.colors)
        menu.addAction(glyph, self.tr("Export the list…")).triggered.connect(self.ask)

    def ask(self) -> None:
        """Ask where to, and write the list there."""
        if self.is_running:
            return
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        name = f"standfast-{self._name}-{datetime.now():%Y%m%d-%H%M%S}.csv"  # noqa: DTZ005 - a name for the operator
        dialog = QFileDialog(self._owner, self.tr("Export the list to a file"), folder, "CSV (*.csv)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(str(Path(folder) / name))
        dialog.fileSelected.connect(self.write_to)
        open_once(dialog)

    def write_to(self, path: str) -> None:
        """Write the list to a file."""
        if self.is_running:
            return
        self._columns = self._table.shown_columns()
        self._source = self._make_source()
        self._writer = SheetWriter(self._console.door, Path(path).absolute(), self)
        self.strip.show_progress(0)
        titles = [sheet_title(column) for column in self._columns]
        self._writer.begin(titles, self._fetch, self._on_failed)

    def abandon(self) -> None:
        """Throw an incomplete file away; touches no widget, for its owner may be gone."""
        if self._writer is not None:
            self._writer.give_up()

    def cancel(self) -> None:
        """Stop, and leave nothing behind."""
        writer, self._writer = self._writer, None
        self._waiting = []
        if writer is not None:
            writer.give_up()
            self.strip.hide()

    # --- a page: fetched, made into cells bit by bit, written -------------------------------------------------

    def _fetch(self) -> None:
        if self.is_running:
            self._source.next_page(self._on_rows, self._on_end, self._on_failed)

    def _on_rows(self, rows: Sequence[Row]) -> None:
        if self.is_running:
            self._waiting = list(rows)
            self._waiting.reverse()
            self._go_on()

    def _go_on(self) -> None:
        """Make as many rows into cells as the window can spare time for, and have them written."""
        writer = self._writer
        if writer is None:
            return
        made: list[Sequence[Cell]] = []
        began = perf_counter()
        while self._waiting and perf_counter() - began < _SLICE_S:
            made.extend(
                sheet_row(self._columns, self._waiting.pop()) for _ in range(min(_SLICE_ROWS, len(self._waiting)))
            )
        if not made:
            self._fetch()
            return
        writer.add(made, self._on_written, self._on_failed)
        self.strip.show_progress(writer.written)

    def _on_written(self) -> None:
        if self._waiting:
            self._go_on()
        else:
            # By way of the event loop: a source that answers at once would call deeper and deeper.
            QTimer.singleShot(0, self, self._fetch)

    def _on_end(self) -> None:
        if self._writer is not None:
            self._writer.end(self._on_complete, self._on_failed)

    def _on_complete(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self.strip.show_written(writer.path, writer.written)

    def _on_failed(self, failure: Failure) -> None:
        writer, self._writer = self._writer, None
        self._waiting = []
        if writer is not None:
            writer.give_up()
            self.strip.show_failure(failure)
