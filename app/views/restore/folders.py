"""The folder of a new VM in the inventory: where it was, at the top of the datacenter, or where other VMs are."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QWidget

from app.domain.display import visible
from app.domain.restore_point import VmFacts
from app.domain.vms import VmSummary


class FolderBox(QComboBox):
    """Offers the folders of a datacenter in which there are VMs. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._vms: tuple[VmSummary, ...] = ()
        self._datacenter: str | None = None
        self._facts: VmFacts | None = None
        self._paths: list[tuple[str, ...] | None] = []
        self._fill()

    @property
    def folder(self) -> tuple[str, ...] | None:
        """Return the folder below the datacenter; None as backed up."""
        place = self.currentIndex()
        return self._paths[place] if 0 <= place < len(self._paths) else None

    def show_vms(self, vms: Sequence[VmSummary]) -> None:
        """Offer the folders of another platform."""
        self._vms = tuple(vms)
        self._fill()

    def show_datacenter(self, datacenter: str | None) -> None:
        """Offer the folders of a datacenter, by its id or name; None for all."""
        if datacenter != self._datacenter:
            self._datacenter = datacenter
            self._fill()

    def show_saved(self, facts: VmFacts | None) -> None:
        """Let the entry without a choice say what it comes to."""
        self._facts = facts
        self.setItemText(0, self._first())

    def first_text(self, path: str) -> str:
        """Return the words of the entry without a choice, with what it comes to where that is known."""
        return self.tr("As backed up: {what}").format(what=path) if path else self.tr("As backed up")

    def _first(self) -> str:
        return visible(self.first_text("/".join(self._facts.folder or ()) if self._facts is not None else ""))

    def _fill(self) -> None:
        before = self.folder
        found: set[tuple[str, ...]] = set()
        for vm in self._vms:
            if self._datacenter in (None, vm.datacenter_id or vm.datacenter):
                found |= {vm.folder[:length] for length in range(1, len(vm.folder) + 1)}
        self._paths = [None, (), *sorted(found, key=lambda path: [name.casefold() for name in path])]
        with QSignalBlocker(self):
            self.clear()
            self.addItem(self._first())
            self.addItem(self.tr("Top folder of the datacenter"))
            for path in self._paths[2:]:
                self.addItem(visible("/".join(path or ())))
            self.setCurrentIndex(self._paths.index(before) if before in self._paths else 0)
        self.currentIndexChanged.emit(self.currentIndex())
