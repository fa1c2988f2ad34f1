"""To which datastores the disks of migrated VMs go: all to one, or each to one of its own."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.contract.platforms import DescribeVm
from app.domain.ids import PlatformId, VmId
from app.domain.places import DatastorePlace
from app.domain.vms import VmDetails, VmSummary
from app.views import style
from app.views.migration.facts import SourceFacts
from app.views.restore.hardware import DiskRows
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.plain import Label
from app.workers.door import DoorClient


class DiskChoice(QWidget):
    """One datastore for all disks, or one per disk. Thread: GUI.

    Signals:
        changed: another datastore is chosen.
    """

    changed = Signal()

    def __init__(self, door: DoorClient, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: SourceFacts[VmDetails] = SourceFacts(door, self, _query, self._on_found)
        self._platform: PlatformId | None = None
        self._vms: tuple[VmSummary, ...] = ()
        self._places: tuple[DatastorePlace, ...] = ()
        self.rows: dict[VmId, DiskRows] = {}
        self._parts: list[QWidget] = []
        self.each: ChoiceBar[bool] = ChoiceBar(
            self.tr("Disks"),
            ((False, self.tr("All on one datastore")), (True, self.tr("A datastore for each"))),
            chosen=False,
            parent=self,
        )
        self.each.chosen.connect(self._on_each)
        self.note = Label(self)
        self.note.setProperty("role", "help")
        self.note.setWordWrap(True)
        line = QHBoxLayout()
        line.addWidget(self.each)
        line.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(style.SPACE_S)
        self._column.addLayout(line)
        self._column.addWidget(self.note)
        self.note.hide()
        self.setFocusProxy(self.each)

    def show_vms(self, platform: PlatformId | None, vms: Sequence[VmSummary]) -> None:
        """Offer the disks of other VMs."""
        if (platform, tuple(vms)) == (self._platform, self._vms):
            return
        self._platform, self._vms = platform, tuple(vms)
        self._clear()
        self._on_each()

    def show_places(self, places: Sequence[DatastorePlace]) -> None:
        """Offer other datastores."""
        self._places = tuple(places)
        for rows in self.rows.values():
            rows.show_places(places)

    def chosen(self, vm: VmSummary) -> tuple[tuple[int, str], ...]:
        """Return the disks of a VM with a datastore of their own."""
        rows = self.rows.get(vm.id)
        return rows.chosen() if rows is not None and self.each.value else ()

    def _on_each(self, _each: object = None) -> None:
        if self.each.value and self._platform is not None and self._vms:
            if not self.rows:
                self._say(self.tr("Looking up the disks…"))
            self._facts.ask(self._platform, self._vms)
        else:
            self._say("")
        self._show_parts()
        self.changed.emit()

    def _on_found(self) -> None:
        if not self.rows:
            self._build_rows()
        lacks = [vm.name for vm in self._vms if self._facts.of(vm) is None]
        words = self.tr("The disks of {vm} cannot be read now; they go where the VM goes.")
        self._say(words.format(vm=", ".join(lacks)) if lacks else "")
        self._show_parts()

    def _build_rows(self) -> None:
        for vm in self._vms:
            details = self._facts.of(vm)
            if details is None:
                continue
            if len(self._vms) > 1:
                self._put(Label(vm.name, self))
            rows = self.rows[vm.id] = DiskRows(self)
            rows.show_disks(details.disks, self._places)
            rows.changed.connect(self.changed)
            self._put(rows)

    def _put(self, part: QWidget) -> None:
        self._parts.append(part)
        self._column.addWidget(part)

    def _clear(self) -> None:
        self.rows = {}
        for part in self._parts:
            part.hide()
            part.deleteLater()
        self._parts = []

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _show_parts(self) -> None:
        for part in self._parts:
            part.setVisible(self.each.value)


def _query(platform: PlatformId, vm: VmId) -> DescribeVm:
    return DescribeVm(platform=platform, vm=vm)
