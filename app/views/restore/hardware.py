"""What a restored VM is made of and where its parts go: processors, memory, network adapters, disks."""

import re
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.domain.display import visible
from app.domain.places import DatastorePlace, SavedAdapter, SavedHardware
from app.views import formatting, style
from app.views.restore.places import Choice
from app.views.widgets.plain import Label

_MOST_CPUS = 768
_MOST_MEMORY_MIB = 24 * 1024 * 1024
_MIB_STEP = 1024
_MIB_QUANTUM = 4
"""A platform only takes multiples of it."""
_ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")


def datastore_text(place: DatastorePlace) -> str:
    """Return a datastore with its kind and space, for choosing it."""
    return (
        f"{place.name}  ({place.kind}, {formatting.size(place.free_bytes)} / {formatting.size(place.total_bytes)})"
    )


def fill_datastores(box: QComboBox, first: str, places: Sequence[DatastorePlace]) -> None:
    """Offer datastores behind a first entry without a choice, and keep what was chosen where it is still there."""
    before = box.currentData()
    with QSignalBlocker(box):
        box.clear()
        box.addItem(first, None)
        for place in places:
            box.addItem(visible(datastore_text(place)), place.id or place.name)
        box.setCurrentIndex(max(0, box.findData(before)))


class Processors(QWidget):
    """CPUs and cores per socket side by side; the memory's field stands apart. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._saved: SavedHardware | None = None
        self.cpus, self.cores = self._number(_MOST_CPUS), self._number(_MOST_CPUS)
        self.memory = self._number(_MOST_MEMORY_MIB)
        self.memory.setSingleStep(_MIB_STEP)
        self.memory.setSuffix(" MB")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE_M)
        for caption, box in ((self.tr("CPUs"), self.cpus), (self.tr("Cores per socket"), self.cores)):
            label = Label(caption, self)
            label.setBuddy(box)
            box.setAccessibleName(caption)
            row.addWidget(label)
            row.addWidget(box, 1)
        self.setFocusProxy(self.cpus)

    def _number(self, most: int) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(0, most)
        box.setSpecialValueText(self.tr("As backed up"))
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return box

    def show_saved(self, hardware: SavedHardware | None) -> None:
        """Say what "as backed up" comes to."""
        self._saved = hardware
        values = (
            ("", "", "")
            if hardware is None
            else (str(hardware.cpus), str(hardware.cores_per_socket), f"{hardware.memory_mib} MB")
        )
        for box, value in zip((self.cpus, self.cores, self.memory), values, strict=True):
            text = self.tr("As backed up: {what}").format(what=value) if value else self.tr("As backed up")
            box.setSpecialValueText(text)

    @property
    def cpu_count(self) -> int | None:
        """Return the wanted number of CPUs; None as backed up."""
        return self.cpus.value() or None

    @property
    def core_count(self) -> int | None:
        """Return the wanted cores per socket; None as backed up."""
        return self.cores.value() or None

    @property
    def memory_mib(self) -> int | None:
        """Return the wanted memory; None as backed up."""
        return self.memory.value() or None

    def problem(self) -> str:
        """Return what is wrong with CPUs and cores; empty when nothing is."""
        cpus = self.cpu_count or (self._saved.cpus if self._saved else 0)
        cores = self.core_count
        if not cores or not cpus or cpus % cores == 0:
            return ""
        text = self.tr("{cpus} CPUs cannot be shared out to sockets of {cores} cores.")
        return text.format(cpus=cpus, cores=cores)

    def memory_problem(self) -> str:
        """Return what is wrong with the memory; empty when nothing is."""
        if (self.memory_mib or 0) % _MIB_QUANTUM == 0:
            return ""
        return self.tr("Memory comes in steps of {n} MB.").format(n=_MIB_QUANTUM)


class PlacedDisk(Protocol):
    """A disk for which a datastore is chosen."""

    @property
    def key(self) -> int:
        """Return its device key."""

    @property
    def label(self) -> str:
        """Return what the platform calls it."""

    @property
    def capacity_bytes(self) -> int:
        """Return its size as the guest sees it."""


class DiskRows(QWidget):
    """One datastore per disk. Thread: GUI.

    Signals:
        changed: another datastore is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = rows_grid(self)
        self._boxes: dict[int, QComboBox] = {}

    @property
    def boxes(self) -> dict[int, QComboBox]:
        """Return the choices by the disks' keys."""
        return dict(self._boxes)

    def show_disks(self, disks: Sequence[PlacedDisk], places: Sequence[DatastorePlace]) -> None:
        """Offer a choice for each disk."""
        clear_rows(self._grid)
        self._boxes = {}
        for place, disk in enumerate(disks):
            box = QComboBox(self)
            box.setAccessibleName(self.tr("Datastore of {disk}").format(disk=disk.label))
            box.currentIndexChanged.connect(self.changed)
            label = Label(f"{disk.label}  ({formatting.size(disk.capacity_bytes)})", self)
            label.setBuddy(box)
            self._grid.addWidget(label, place, 0)
            self._grid.addWidget(box, place, 1)
            self._boxes[disk.key] = box
        self.show_places(places)

    def show_places(self, places: Sequence[DatastorePlace]) -> None:
        """Offer other datastores."""
        for box in self._boxes.values():
            fill_datastores(box, self.tr("As chosen for the VM"), places)

    def chosen(self) -> tuple[tuple[int, str], ...]:
        """Return the disks with a datastore of their own."""
        pairs = ((key, box.currentData()) for key, box in self._boxes.items())
        return tuple((key, name) for key, name in pairs if name is not None)


class AdapterRows(QWidget):
    """A network and a MAC address per network adapter. Thread: GUI.

    Signals:
        changed: another network is chosen, or another address typed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = rows_grid(self)
        self._adapters: tuple[SavedAdapter, ...] = ()
        self._rows: dict[int, tuple[QComboBox, QLineEdit, Label]] = {}

    @property
    def keys(self) -> frozenset[int]:
        """Return the adapters whose fields are shown."""
        return frozenset(self._rows)

    def row(self, key: int) -> tuple[QComboBox, QLineEdit]:
        """Return the fields of an adapter."""
        network, address, _ = self._rows[key]
        return network, address

    def show_adapters(self, adapters: Sequence[SavedAdapter], networks: Sequence[Choice]) -> None:
        """Offer the fields of each adapter."""
        clear_rows(self._grid)
        self._adapters = tuple(adapters)
        self._rows = {}
        for place, adapter in enumerate(adapters):
            network = QComboBox(self)
            network.setAccessibleName(self.tr("Network of {adapter}").format(adapter=adapter.label))
            address = QLineEdit(adapter.mac_address, self)
            address.setPlaceholderText(self.tr("A new address"))
            address.setAccessibleName(self.tr("MAC address of {adapter}").format(adapter=adapter.label))
            network.currentIndexChanged.connect(self.changed)
            address.textChanged.connect(self.changed)
            problem = Label(self)
            problem.setProperty("role", "problem")
            problem.hide()
            cell = QVBoxLayout()
            cell.setSpacing(0)
            cell.addWidget(address)
            cell.addWidget(problem)
            self._grid.addWidget(Label(adapter.label, self), place, 0, Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(network, place, 1, Qt.AlignmentFlag.AlignTop)
            self._grid.addLayout(cell, place, 2)
            self._rows[adapter.key] = (network, address, problem)
        self.show_networks(networks)

    def show_networks(self, networks: Sequence[Choice]) -> None:
        """Offer other networks."""
        for adapter in self._adapters:
            box = self._rows[adapter.key][0]
            before = box.currentData()
            box.clear()
            box.addItem(
                visible(self.tr("As backed up: {network}").format(network=adapter.network or formatting.NOTHING)),
                None,
            )
            for network in networks:
                box.addItem(visible(network.text), network.value)
            box.setCurrentIndex(max(0, box.findData(before)))

    def show_problems(self) -> bool:
        """Say below each address when it is invalid; return whether all are valid."""
        fine = True
        for _, address, problem in self._rows.values():
            text = address.text().strip()
            is_fine = not text or _ADDRESS.fullmatch(text) is not None
            problem.setText("" if is_fine else self.tr("Like 00:50:56:12:34:56, or empty."))
            problem.setVisible(not is_fine)
            fine = fine and is_fine
        return fine

    def networks(self) -> tuple[tuple[int, str], ...]:
        """Return the adapters with another network than they had."""
        pairs = ((key, row[0].currentData()) for key, row in self._rows.items())
        return tuple((key, name) for key, name in pairs if name is not None)

    def addresses(self) -> tuple[tuple[int, str], ...]:
        """Return the adapters with another address than they had; an empty one makes a new address."""
        found = []
        for adapter in self._adapters:
            text = self._rows[adapter.key][1].text().strip().lower().replace("-", ":")
            if text != adapter.mac_address.lower():
                found.append((adapter.key, text))
        return tuple(found)


def rows_grid(parent: QWidget) -> QGridLayout:
    """Return the layout of rows that have a caption and one or two fields."""
    grid = QGridLayout(parent)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(style.SPACE_M)
    grid.setVerticalSpacing(style.SPACE_S)
    grid.setColumnStretch(1, 3)
    grid.setColumnStretch(2, 2)
    return grid


def clear_rows(grid: QGridLayout) -> None:
    """Take all rows out, and destroy what is in them."""
    while (item := grid.takeAt(0)) is not None:
        inner = item.layout()
        widgets = [item.widget()]
        if inner is not None:
            cells = [inner.itemAt(place) for place in range(inner.count())]
            widgets = [cell.widget() for cell in cells if cell is not None]
            inner.deleteLater()
        for widget in widgets:
            if widget is not None:
                widget.deleteLater()
