"""Offering the disks of a restore point over NBD: begin, addresses to copy, and the end."""

import os
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.contract.offers import ListOffers, Offer, OfferPoint
from app.domain.changes import Subject
from app.views import formatting, style
from app.views.console import Console
from app.views.frame.freshness import Interest, Watch
from app.views.restore.offered_disk import OfferedDiskRow
from app.views.restore.offers import OfferPlace, stop_offer
from app.views.widgets.banner import Banner
from app.views.widgets.clipboard import copy_plain, copy_secret
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.form import grow_later
from app.views.widgets.plain import Label, set_title
from app.views.widgets.question import Question
from app.views.widgets.scrolled import scroll_inside
from app.workers.answers import Failure

_MOST_ROWS_SEEN = 4


class OfferDialog(QDialog):
    """Offers the disks of one restore point, shows their addresses, and ends it. Thread: GUI.

    Closing it ends nothing: what is offered stays so, and is in the list of offers.

    Signals:
        changed: disks are offered now, or no more.
    """

    changed = Signal()

    def __init__(
        self, console: Console, place: OfferPlace, vm_name: str, point_at: datetime, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._console = console
        self._place = place
        self.offer: Offer | None = None
        self.rows: dict[int, OfferedDiskRow] = {}
        self._question = Question(console.door, self)
        self._changes = 0
        self.setModal(True)
        set_title(self, self.tr("Offer disks over NBD"))
        self._build(
            self.tr("{vm}, restore point of {time}").format(vm=vm_name, time=formatting.exact_time(point_at))
        )
        interest = Interest(whole=frozenset({Subject.OFFERS}), asks_in_outage=True)
        self.watch = Watch(console.fresh, self, interest)
        self.watch.changed.connect(self._on_changed)
        self.watch.begin()
        self.finished.connect(self.watch.end)
        offer_help(self)
        self._show_offer(None)
        self._ask()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, subject: str) -> None:
        heading = Label(self.windowTitle(), self)
        heading.setProperty("role", "title")
        about = Label(subject, self)
        about.setProperty("role", "heading")
        about.setWordWrap(True)
        self._text = Label(self)
        self._text.setWordWrap(True)
        self.banner = Banner(self)
        self.over_tcp = QCheckBox(self.tr("By a TCP port, for programs that know no Unix sockets"), self)
        self._advice = Label(
            self.tr("Every user of this machine can reach a TCP port: the addresses are secrets then."), self
        )
        self._advice.setProperty("role", "help")
        self._advice.setWordWrap(True)
        self._build_disks()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_M)
        for widget in (heading, self.banner, about, self._text, self.over_tcp, self._advice):
            layout.addWidget(widget)
        layout.addWidget(self.disks, 1)
        layout.addStretch(0)
        layout.addLayout(self._build_buttons())
        self.setMinimumWidth(style.DIALOG_WIDTH)

    def _build_disks(self) -> None:
        inside = QWidget(self)
        self._lines = QVBoxLayout(inside)
        self._lines.setContentsMargins(0, style.SPACE_XS, 0, style.SPACE_XS)
        self._lines.setSpacing(0)
        self._inside = inside
        self.disks = QFrame(self)
        self.disks.setProperty("role", "card")
        scroll = scroll_inside(self.disks, inside, margin=1)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _build_buttons(self) -> QHBoxLayout:
        self.stop = QPushButton(self.tr("Stop offering"), self)
        self.stop.setAutoDefault(False)
        self.stop.clicked.connect(self._on_stop)
        self.close_button = QPushButton(self.tr("Close"), self)
        self.close_button.setAutoDefault(False)
        self.close_button.clicked.connect(self.accept)
        self.primary = QPushButton(self.tr("Offer disks"), self)
        self.primary.setProperty("role", "primary")
        self.primary.setDefault(True)
        self.primary.clicked.connect(self._on_offer)
        buttons = QHBoxLayout()
        buttons.setSpacing(style.SPACE_S)
        buttons.addWidget(self.stop)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.primary)
        return buttons

    # --- what is shown ----------------------------------------------------------------------------------------

    def _show_offer(self, offer: Offer | None) -> None:
        self.offer = offer
        is_offered = offer is not None
        self.over_tcp.setVisible(not is_offered and os.name != "nt")  # there are no Unix sockets on Windows
        self._advice.setVisible(offer is None or offer.over_tcp)
        self.disks.setVisible(is_offered)
        self.stop.setVisible(is_offered)
        self.primary.setVisible(not is_offered)
        self._set_busy(busy=False)
        if offer is None:
            self._text.setText(
                self.tr(
                    "Other programs of the engine's user on this machine can then read the disks, but not change "
                    "them, until you stop it or the engine ends."
                )
            )
        else:
            text = self.tr("Offered since {time}; it goes on when this dialog is closed.")
            self._text.setText(text.format(time=formatting.exact_time(offer.since)))
        self._show_disks(offer)
        grow_later(self)

    def _show_disks(self, offer: Offer | None) -> None:
        disks = () if offer is None else offer.disks
        if [disk.address for disk in disks] == [row.disk.address for row in self.rows.values()]:
            for disk in disks:
                self.rows[disk.key].show_disk(disk)
            return
        for row in self.rows.values():
            self._lines.removeWidget(row)
            row.deleteLater()
        self.rows = {}
        for disk in disks:
            row = self.rows[disk.key] = OfferedDiskRow(self._console, disk, self._inside)
            row.copy_wanted.connect(self._on_copy)
            self._lines.addWidget(row)
            row.show()
        seen = [row.sizeHint().height() for row in self.rows.values()][:_MOST_ROWS_SEEN]
        self.disks.setMinimumHeight(sum(seen) + 2 * style.SPACE_S)

    def _set_busy(self, *, busy: bool) -> None:
        for widget in (self.primary, self.stop, self.over_tcp):
            widget.setEnabled(not busy)
        if busy:
            self.setCursor(Qt.CursorShape.BusyCursor)
        else:
            self.unsetCursor()

    # --- looking ----------------------------------------------------------------------------------------------

    def _on_changed(self, _keys: object) -> None:
        self._ask()

    def _ask(self) -> None:
        self._question.ask(ListOffers(), partial(self._on_offers, self._changes), self._on_not_found)

    def _on_offers(self, changes: int, offers: Sequence[Offer]) -> None:
        self.banner.settle_unread()
        if changes != self._changes:  # it was begun or ended meanwhile, which the answer may not know
            self._ask()
            return
        offer = next((offer for offer in offers if OfferPlace.of_offer(offer) == self._place), None)
        if offer is None and self.offer is None:
            return
        if offer is None:
            self.banner.show_warning(self.tr("The disks are not offered any more."))
            self.changed.emit()
        self._show_offer(offer)

    def _on_not_found(self, failure: Failure) -> None:
        self.banner.show_unread(failure)
        grow_later(self)

    # --- actions ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._changes += 1
        self.banner.hide()
        self._set_busy(busy=True)

    def _on_offer(self) -> None:
        self._begin()
        command = OfferPoint(
            standby=self._place.standby,
            target_path=self._place.target_path,
            point=self._place.point,
            over_tcp=self.over_tcp.isChecked(),
        )
        self._console.door.execute(command, owner=self, on_done=self._on_offered, on_failed=self._on_failed)

    def _on_offered(self, offer: Offer) -> None:
        self._changes += 1
        self._show_offer(offer)
        self.close_button.setFocus()
        self.changed.emit()

    def _on_stop(self) -> None:
        if self.offer is not None:
            self.banner.hide()
            self._changes += 1
            stop_offer(self._console, self.offer, self, self._on_stopped, self._on_failed)

    def _on_stopped(self, _answer: object) -> None:
        self._changes += 1
        self._show_offer(None)
        self.banner.show_success(self.tr("The disks are not offered any more."))
        grow_later(self)
        self.changed.emit()

    def _on_failed(self, failure: Failure) -> None:
        self._set_busy(busy=False)
        self.banner.show_failure(failure)
        grow_later(self)

    def _on_copy(self, address: str) -> None:
        if self.offer is not None and self.offer.over_tcp:
            copy_secret(address)
            hint = self.tr("It is a secret: who knows it can read the disk. It is taken away after a minute.")
        else:
            copy_plain(address)
            hint = self.tr("Programs of the engine's user can read the disk with it.")
        self.banner.show_success(self.tr("The address is on the clipboard."), hint)
        grow_later(self)
