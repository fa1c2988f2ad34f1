"""What is offered over NBD now, on the page of restores."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.contract.offers import ListOffers, Offer
from app.domain.changes import Subject
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import Interest, Watch
from app.views.icons import Glyph, icon
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.offers import OfferPlace, reading_pill, stop_offer, way_word
from app.views.restore.side_list import SideList
from app.views.widgets.columns import count_column, pill_column, size_column
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question


class OfferList(SideList[Offer]):
    """Lists the restore points whose disks are offered, and ends offers. Thread: GUI."""

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("OfferList", "Disks over NBD")
        super().__init__(console, "offers", title, _columns(), _key, pills=("state",), parent=parent)
        self._question = Question(console.door, self)
        self.watch = Watch(console.fresh, self, Interest(whole=frozenset({Subject.OFFERS})))
        self.watch.changed.connect(self._on_changed)
        console.fresh.ticked.connect(self.table.viewport().update)

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

    def ask(self) -> None:
        """Ask what is offered."""
        self._question.ask(ListOffers(), self._on_offers, self.on_failed)

    def _on_changed(self, _keys: object) -> None:
        self.refresh()

    def _on_offers(self, offers: Sequence[Offer]) -> None:
        current = self.table.current_row()
        self.show_rows(offers)
        if offers and (current is None or not self.table.select(_key(current))):
            self.table.select(_key(offers[0]))
        self.selection_changed.emit()

    def show_empty(self) -> None:
        """Say how disks are offered."""
        text = self.tr(
            "Other programs of this machine can read the disks of a restore point: choose one in a restore, "
            "and Offer disks over NBD in its menu."
        )
        self.stages.show_empty(Glyph.DISK, self.tr("No disks are offered"), text)

    # --- actions ----------------------------------------------------------------------------------------------

    def open_row(self, row: Offer) -> None:
        """Show the addresses of what is offered."""
        dialog = OfferDialog(self._console, OfferPlace.of_offer(row), row.vm_name, row.point_at, self)
        dialog.changed.connect(self.refresh)
        open_once(dialog)

    def fill_menu(self, menu: QMenu, row: Offer) -> None:
        """Add what can be done with an offer to its context menu."""
        colors = self._console.colors
        show = menu.addAction(icon(Glyph.INFO, colors), self.tr("Show addresses…"))
        show.triggered.connect(partial(self.open_row, row))
        stop = menu.addAction(icon(Glyph.STOP, colors), self.tr("Stop offering"))
        stop.triggered.connect(self.stop_chosen)

    def can_open(self) -> bool:
        """Return whether one is selected."""
        return len(self.table.selected_rows()) == 1

    def can_stop(self) -> bool:
        """Return whether any are selected."""
        return bool(self.table.selected_rows())

    def stop_chosen(self) -> None:
        """End the selected offers; asks first where a program reads."""
        self.banner.hide()
        for offer in self.table.selected_rows():
            stop_offer(self._console, offer, self, self._on_stopped, self.banner.show_failure)

    def _on_stopped(self, _answer: object) -> None:
        self.banner.show_success(self.tr("The disks are not offered any more."))
        self.refresh()


def _columns() -> tuple[Column[Offer], ...]:
    return (
        Column(
            key="vm",
            title=QCoreApplication.translate("OfferList", "VM"),
            text=lambda row: row.vm_name,
            width=150,
            stretch=True,
        ),
        pill_column(
            "state",
            QCoreApplication.translate("OfferList", "State"),
            lambda row: reading_pill(is_read=row.is_read),
            tooltip=_reads,
        ),
        Column(
            key="point",
            title=QCoreApplication.translate("OfferList", "Restore point"),
            text=lambda row: formatting.exact_time(row.point_at),
            sort=lambda row: row.point_at,
            width=160,
        ),
        count_column("disks", QCoreApplication.translate("OfferList", "Disks"), lambda row: len(row.disks)),
        size_column(
            "size",
            QCoreApplication.translate("OfferList", "Size"),
            lambda row: sum(disk.capacity_bytes for disk in row.disks),
        ),
        Column(key="way", title=QCoreApplication.translate("OfferList", "Way"), text=way_word, width=120),
        Column(
            key="since",
            title=QCoreApplication.translate("OfferList", "Offered since"),
            text=lambda row: formatting.short_time(row.since, datetime.now(UTC)),
            sort=lambda row: row.since,
            tooltip=lambda row: formatting.exact_time(row.since),
            width=140,
        ),
    )


def _reads(offer: Offer) -> str | None:
    if not offer.is_read:
        return None
    count = sum(disk.connections for disk in offer.disks)
    return QCoreApplication.translate("Offers", "Connections that read: {count}").format(
        count=formatting.count(count)
    )


def _key(offer: Offer) -> Hashable:
    return OfferPlace.of_offer(offer)
