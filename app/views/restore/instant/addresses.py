"""The address of the engine's machine at which hosts connect to it."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QWidget

from app.contract.instant import ServingAddress
from app.domain.display import visible


class AddressBox(QComboBox):
    """Offers the addresses of the engine's machine, the preferred one chosen. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_chosen_by_hand = False
        self.activated.connect(self._on_activated)
        self.show_addresses(())

    def show_addresses(self, addresses: Sequence[ServingAddress]) -> None:
        """Offer other addresses; what the operator chose stays where it is still there."""
        before = self.currentData() if self._is_chosen_by_hand else None
        preferred = next((found.address for found in addresses if found.is_preferred), "")
        with QSignalBlocker(self):
            self.clear()
            for found in addresses:
                text = self.tr("{address}  ({adapter})").format(address=found.address, adapter=found.adapter)
                self.addItem(visible(text), found.address)
            self.addItem(self.tr("The one that routes to each host"), "")
            place = self.findData(before) if before is not None else -1
            self.setCurrentIndex(place if place >= 0 else self.findData(preferred))

    @property
    def address(self) -> str:
        """Return the chosen address; empty: the one that routes to each host."""
        chosen: str = self.currentData()
        return chosen

    def _on_activated(self, _place: int) -> None:
        self._is_chosen_by_hand = True
