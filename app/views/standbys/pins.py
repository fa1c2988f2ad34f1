"""Restore points of a standby machine that are in use for long, here or by other consoles: its pins."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from typing import Final

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from app.contract.pins import ListPins, PinRow
from app.domain.display import lines
from app.domain.ids import StandbyId
from app.models.rows import Column, RowModel
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.standbys.pin_ending import question_about
from app.views.standbys.pin_words import (
    about_holder,
    about_pin,
    holder_word,
    pin_name,
    problem_pill,
    purpose_words,
)
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.export import TableExporter
from app.views.widgets.list_dialog import lay_out_list
from app.views.widgets.opening import open_once
from app.views.widgets.pause import Pause
from app.views.widgets.pill import PillDelegate
from app.views.widgets.plain import set_tip, set_title
from app.views.widgets.question import Question
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure

_LOOK_MS: Final = 5_000
"""So long after an answer the list is asked for again: other consoles announce nothing here."""
_TIME_WIDTH: Final = 168


class PinsDialog(QDialog):
    """Lists the restore points of a standby machine that are in use, and ends pins whose console is gone.

    Thread: GUI.
    """

    def __init__(
        self,
        console: Console,
        standby: StandbyId,
        name: str,
        parent: QWidget | None = None,
        *,
        look_ms: int = _LOOK_MS,
    ) -> None:
        """Prepare; the list is asked for as long as the dialog is shown.

        Args:
            console: the console.
            standby: the standby machine.
            name: how the operator calls it.
            parent: the widget it belongs to.
            look_ms: how long after an answer the list is asked for again.
        """
        super().__init__(parent)
        self.console = console
        self._standby = standby
        self._name = name
        self._is_loaded = False
        self._question = Question(console.door, self)
        self._until_next = Pause(look_ms, self)
        self._until_next.timeout.connect(self._ask)
        self.setModal(True)
        set_title(self, self.tr("Restore points in use at {name}").format(name=name))
        self.resize(style.DIALOG_WIDTH + style.SPACE_XL * 4, style.DIALOG_HEIGHT)
        self._build_table()
        self._build()
        offer_help(self)

    def _build_table(self) -> None:
        model = RowModel[PinRow](self._columns(), _key)
        self.table: Table[PinRow] = Table("pins", model, self.console.memory, self)
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.table.setAccessibleName(self.tr("Restore points in use"))
        self.table.setItemDelegateForColumn(0, PillDelegate(self.table))
        self.table.selectionModel().selectionChanged.connect(self._on_selected)
        self.table.delete_wanted.connect(self._on_end)
        self.table.menu_wanted.connect(self._on_menu)
        self.console.fresh.ticked.connect(self.table.viewport().update)
        self.stages = Stages(self.table, self.console.theme, self)
        self.stages.retry_wanted.connect(self._begin)

    def _build(self) -> None:
        self.banner = Banner(self)
        self.exporter: TableExporter[PinRow] = TableExporter(self.console, self.table, "pins", self)
        meaning = self.tr(
            "A restore point in use is not deleted, and retention leaves it, until the work that uses it ends "
            "here or on another console. Repositories that cannot be opened now are not looked at."
        )
        card = lay_out_list(self, meaning, self.stages, self._build_buttons())
        self.messages = MessageOverlay(card, self.banner, self.exporter.strip)

    def _build_buttons(self) -> QHBoxLayout:
        self.end = QPushButton(self.tr("End pin…"), self)
        self.end.setAutoDefault(False)
        self.end.setEnabled(False)
        self.end.clicked.connect(self._on_end)
        self.close_button = QPushButton(self.tr("Close"), self)
        self.close_button.setAutoDefault(False)
        self.close_button.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.end)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        return buttons

    def _columns(self) -> tuple[Column[PinRow], ...]:
        return (
            Column(
                key="vm",
                title=self.tr("VM"),
                text=pin_name,
                paint=problem_pill,
                tooltip=about_pin,
                stretch=True,
                width=150,
            ),
            Column(
                key="point",
                title=self.tr("Backed up at"),
                text=lambda row: formatting.exact_time(row.point_at),
                sort=lambda row: row.point_at,
                width=_TIME_WIDTH,
            ),
            Column(key="purpose", title=self.tr("Used for"), text=purpose_words, width=140),
            Column(key="holder", title=self.tr("Used by"), text=holder_word, tooltip=about_holder, width=168),
            Column(
                key="since",
                title=self.tr("In use since"),
                text=_since,
                sort=lambda row: row.since,
                tooltip=lambda row: formatting.exact_time(row.since),
                width=120,
            ),
            Column(
                key="path",
                title=self.tr("Directory"),
                text=lambda row: row.target_path or "/",
                width=140,
                hidden=True,
            ),
        )

    # --- loading ----------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for the list, now and again while it is seen."""
        super().showEvent(event)
        self._begin()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop asking."""
        super().hideEvent(event)
        self._until_next.stop()
        self._question.withdraw()

    def _begin(self) -> None:
        if not self._is_loaded:
            self.stages.show_loading()
        self._ask()

    def _ask(self) -> None:
        self._question.ask(ListPins(standby=self._standby), self._on_pins, self._on_no_pins)

    def _on_pins(self, pins: Sequence[PinRow]) -> None:
        self._until_next.restart()
        self.banner.settle_unread()
        was_chosen = self.table.current_row()
        self.table.rows.set_rows(pins)
        if pins:
            self.stages.show_content()
            self._choose(pins, was_chosen)
        else:
            text = self.tr(
                "Those that a restore, a verification, an export or NBD reads are listed here meanwhile."
            )
            self.stages.show_empty(Glyph.PIN, self.tr("No restore point is in use"), text)
        if not self._is_loaded:
            self.table.setFocus()
        self._is_loaded = True
        self._on_selected()

    def _choose(self, pins: Sequence[PinRow], was_chosen: PinRow | None) -> None:
        if self.table.current_row() is not None:
            return
        if was_chosen is None or not self.table.select(_key(was_chosen)):
            self.table.select(_key(pins[0]))

    def _on_no_pins(self, failure: Failure) -> None:
        self._until_next.restart()
        if self._is_loaded:
            self.banner.show_unread(failure)
        else:
            self.stages.show_failure(failure)

    # --- ending -----------------------------------------------------------------------------------------------

    def _chosen(self) -> PinRow | None:
        return next(iter(self.table.selected_rows()), None)

    def _on_selected(self, _now: object = None, _before: object = None) -> None:
        chosen = self._chosen()
        self.end.setEnabled(chosen is not None and not chosen.is_at_work)
        set_tip(self.end, "" if chosen is None else self._why_not(chosen))

    def _why_not(self, row: PinRow) -> str:
        """Return why a pin cannot be ended; empty where it can."""
        return lines(self._work_words()) if row.is_at_work else ""

    def _work_words(self) -> tuple[str, str]:
        return (
            self.tr("This console uses it right now."),
            self.tr("Stop that work, or wait for its end: the pin ends with it."),
        )

    def _on_menu(self, row: PinRow, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        entry = menu.addAction(icon(Glyph.UNPIN, self.console.colors), self.tr("End pin…"))
        entry.setEnabled(not row.is_at_work)
        set_tip(entry, self._why_not(row))
        entry.triggered.connect(self._on_end)
        self.exporter.fill_menu(menu)
        menu.popup(position)

    def _on_end(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        self.banner.hide()
        if chosen.is_at_work:
            self.banner.show_text(*self._work_words())
            return
        question = question_about(self.console, chosen, self._name, self)
        question.succeeded.connect(self._on_ended)
        open_once(question)

    def _on_ended(self) -> None:
        self.banner.show_success(self.tr("The pin was ended."))
        self._ask()


def _key(row: PinRow) -> Hashable:
    return row.target_path, row.id


def _since(row: PinRow) -> str:
    """Return since when a pin is there; by a clock that is ahead of this one, the time it shows."""
    now = datetime.now(UTC)
    if row.since is not None and row.since > now:
        return formatting.exact_time(row.since)
    return formatting.short_time(row.since, now)
