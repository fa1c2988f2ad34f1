"""The boxes for datacenter, host and datastore of a new VM."""

from collections.abc import Iterable

from PySide6.QtCore import QObject, QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from app.domain.display import visible
from app.domain.places import DatastorePlace, HostPlace, PlatformPlaces
from app.domain.restore_point import VmFacts
from app.views.restore.hardware import fill_datastores
from app.views.restore.places import (
    Choice,
    datacenter_choices,
    datacenter_value,
    datastore_choices,
    host_choices,
    host_value,
    network_choices,
)


class HostBoxes(QObject):
    """Offers the datacenters of a platform, and the hosts of the chosen one. Thread: GUI.

    Signals:
        narrowed: other datastores or networks may be offered now.
    """

    narrowed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._places: PlatformPlaces | None = None
        self._facts: VmFacts | None = None
        self.datacenter, self.host = QComboBox(parent), QComboBox(parent)
        self.datacenter.currentIndexChanged.connect(self._on_datacenter)
        self.host.currentIndexChanged.connect(self._on_host)

    def show_places(self, places: PlatformPlaces | None) -> None:
        """Offer the places of another platform; None where they are not known."""
        self._places = places
        self._offer(self.datacenter, datacenter_choices(places))
        self._on_datacenter()

    def show_saved(self, facts: VmFacts | None) -> None:
        """Let the entries without a choice say what they come to for another restore point."""
        self._facts = facts
        self._show_firsts()

    def networks(self) -> tuple[Choice, ...]:
        """Return the networks of what is chosen."""
        return network_choices(self._hosts(of_host=True), self._places)

    def datastores(self) -> tuple[DatastorePlace, ...]:
        """Return the datastores of what is chosen."""
        return datastore_choices(self._hosts(of_host=True), self._places)

    def fill(self) -> None:
        """Offer what depends on the chosen host."""

    def firsts(self) -> tuple[tuple[QComboBox, str], ...]:
        """Return the boxes, each with what its entry without a choice comes to."""
        facts = self._facts
        return ((self.datacenter, facts.datacenter if facts else ""), (self.host, facts.host if facts else ""))

    def first_text(self, value: str) -> str:
        """Return the words of an entry without a choice, with what it comes to where that is known."""
        return self.tr("As backed up: {what}").format(what=value) if value else self.tr("As backed up")

    def _on_datacenter(self) -> None:
        before = self.host.currentData()
        self._offer(self.host, host_choices(self._hosts(of_host=False), self._places), before)
        self._on_host()

    def _on_host(self) -> None:
        self.fill()
        self._show_firsts()
        self.narrowed.emit()

    def _offer(self, box: QComboBox, choices: Iterable[Choice], before: object = None) -> None:
        """Offer choices behind an entry without one, and keep what was chosen before where it is still there."""
        with QSignalBlocker(box):
            box.clear()
            box.addItem("", None)
            for choice in choices:
                box.addItem(visible(choice.text), choice.value)
            box.setCurrentIndex(max(0, box.findData(before)))

    def _hosts(self, *, of_host: bool) -> tuple[HostPlace, ...]:
        """Return the hosts that fit the chosen datacenter, and with ``of_host`` the chosen host."""
        datacenter, host = self.datacenter.currentData(), self.host.currentData() if of_host else None
        return tuple(
            place
            for place in (self._places.hosts if self._places else ())
            if datacenter in (None, datacenter_value(place)) and host in (None, host_value(place))
        )

    def _show_firsts(self) -> None:
        for box, value in self.firsts():
            box.setItemText(0, self.first_text(value))


class PlaceBoxes(HostBoxes):
    """Offers the datastores of the chosen host as well. Thread: GUI."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.datastore = QComboBox(parent)

    def fill(self) -> None:
        """Offer the datastores."""
        fill_datastores(self.datastore, "", self.datastores())

    def firsts(self) -> tuple[tuple[QComboBox, str], ...]:
        """Return the boxes, each with what its entry without a choice comes to."""
        return (*super().firsts(), (self.datastore, self._facts.datastore if self._facts else ""))
