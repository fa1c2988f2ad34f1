"""What is offered over NBD now: the third list of the page of restores."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QCoreApplication, QPoint, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from app.contract.offers import ListOffers, Offer
from app.domain.changes import Subject
from app.models.rows import Column, RowModel
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import Interest, Watch
from app.views.icons import Glyph, icon
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.offers import OfferPlace, reading_pill, stop_offer, way_word
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.columns import count_column, pill_column, size_column
from app.views.widgets.export import TableExporter
from app.views.widgets.opening import open_once
from app.views.widgets.pill import PillDelegate
from app.views.widgets.question import Question
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure


class OfferList(QWidget):
    """Lists the restore points whose disks are offered, and ends offers. Thread: GUI.

    Signals:
        selection_changed: another offer is selected, or other ones are there.
    """

    selection_changed = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._question = Question(console.door, self)
        self._is_loaded = False
        model = RowModel[Offer](self._columns(), _key)
        self.table: Table[Offer] = Table("offers", model, console.memory, self)
        self.table.setAccessibleName(self.tr("Disks over NBD"))
        places = {column.key: place for place, column in enumerate(model.columns)}
        self.table.setItemDelegateForColumn(places["state"], PillDelegate(self.table))
        self.table.menu_wanted.connect(self._on_menu)
        self.table.row_activated.connect(self.open_offer)
        self.table.delete_wanted.connect(self.stop_chosen)
        self.table.current_changed.connect(self.selection_changed)
        self.stages = Stages(self.table, console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        self.banner = Banner(self)
        self.exporter: TableExporter[Offer] = TableExporter(console, self.table, "offers", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stages)
        self.messages = MessageOverlay(self, self.banner, self.exporter.strip)
        self.watch = Watch(console.fresh, self, Interest(whole=frozenset({Subject.OFFERS})))
        self.watch.changed.connect(self._on_changed)
        console.fresh.ticked.connect(self.table.viewport().update)

    def _columns(self) -> tuple[Column[Offer], ...]:
        return (
            Column(key="vm", title=self.tr("VM"), text=lambda row: row.vm_name, width=150, stretch=True),
            pill_column("state", self.tr("State"), lambda row: reading_pill(is_read=row.is_read), tooltip=_reads),
            Column(
                key="point",
                title=self.tr("Restore point"),
                text=lambda row: formatting.exact_time(row.point_at),
                sort=lambda row: row.point_at,
                width=160,
            ),
            count_column("disks", self.tr("Disks"), lambda row: len(row.disks)),
            size_column("size", self.tr("Size"), lambda row: sum(disk.capacity_bytes for disk in row.disks)),
            Column(key="way", title=self.tr("Way"), text=way_word, width=120),
            Column(
                key="since",
                title=self.tr("Offered since"),
                text=lambda row: formatting.short_time(row.since, datetime.now(UTC)),
                sort=lambda row: row.since,
                tooltip=lambda row: formatting.exact_time(row.since),
                width=140,
            ),
        )

    # --- loading ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Load the list and keep it fresh."""
        self.watch.begin()
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self.watch.see()

    def leave(self) -> None:
        """Stop asking."""
        self.watch.end()
        self._question.withdraw()

    def _on_changed(self, _keys: object) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Ask what is offered; while an answer is on its way, once more afterwards."""
        if not self._is_loaded:
            self.stages.show_loading()
        self._question.ask(ListOffers(), self._on_offers, self._on_failed)

    def _on_offers(self, offers: Sequence[Offer]) -> None:
        self._is_loaded = True
        current = self.table.current_row()
        self.table.rows.set_rows(offers)
        if offers:
            self.stages.show_content()
            if current is None or not self.table.select(_key(current)):
                self.table.select(_key(offers[0]))
        else:
            text = self.tr(
                "Other programs of this machine can read the disks of a restore point: choose one in a restore, "
                "and Offer disks over NBD in its menu."
            )
            self.stages.show_empty(Glyph.DISK, self.tr("No disks are offered"), text)
        self.selection_changed.emit()

    def _on_failed(self, failure: Failure) -> None:
        if not self._is_loaded:
            self.stages.show_failure(failure)

    # --- actions ----------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> Sequence[Offer]:
        """Return the selected offers."""
        return self.table.selected_rows()

    def open_offer(self, offer: Offer) -> None:
        """Show the addresses of what is offered."""
        place = OfferPlace.of_offer(offer)
        dialog = OfferDialog(self._console, place, offer.vm_name, offer.point_at, self)
        dialog.changed.connect(self.refresh)
        open_once(dialog)

    def stop_chosen(self) -> None:
        """End the selected offers; asks first where a program reads."""
        self.banner.hide()
        for offer in self.chosen:
            stop_offer(self._console, offer, self, self._on_stopped, self.banner.show_failure)

    def _on_stopped(self, _answer: object) -> None:
        self.banner.show_success(self.tr("The disks are not offered any more."))
        self.refresh()

    def _on_menu(self, offer: Offer, position: QPoint) -> None:
        menu = QMenu(self)
        colors = self._console.colors
        show = menu.addAction(icon(Glyph.INFO, colors), self.tr("Show addresses…"))
        show.triggered.connect(partial(self.open_offer, offer))
        stop = menu.addAction(icon(Glyph.STOP, colors), self.tr("Stop offering"))
        stop.triggered.connect(self.stop_chosen)
        self.exporter.fill_menu(menu)
        menu.popup(position)


def _reads(offer: Offer) -> str | None:
    if not offer.is_read:
        return None
    count = sum(disk.connections for disk in offer.disks)
    return QCoreApplication.translate("Offers", "Connections that read: {count}").format(
        count=formatting.count(count)
    )


def _key(offer: Offer) -> Hashable:
    return OfferPlace.of_offer(offer)
