"""To which networks migrated VMs are connected: those of the sources' names, or others."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.contract.migration import DescribeSource
from app.domain.ids import PlatformId, VmId
from app.domain.places import SavedHardware
from app.domain.vms import VmSummary
from app.views import style
from app.views.migration.facts import SourceFacts
from app.views.restore.instant.networks import NetworkRows
from app.views.restore.places import Choice
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.plain import Label
from app.workers.door import DoorClient


class NetworkMapping(QWidget):
    """The networks of the same names, or another for each of those that the sources have. Thread: GUI.

    Signals:
        changed: another network is chosen.
    """

    changed = Signal()

    def __init__(self, door: DoorClient, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: SourceFacts[SavedHardware] = SourceFacts(door, self, _query, self._on_found)
        self._platform: PlatformId | None = None
        self._vms: tuple[VmSummary, ...] = ()
        self._networks: tuple[Choice, ...] = ()
        self._is_known = False
        self.others: ChoiceBar[bool] = ChoiceBar(
            self.tr("Network"),
            ((False, self.tr("The same as the source")), (True, self.tr("Other networks"))),
            chosen=False,
            parent=self,
        )
        self.others.chosen.connect(self._on_others)
        self.rows = NetworkRows(self, kept=self.tr("The network of the same name"))
        self.rows.changed.connect(self.changed)
        self.rows.hide()
        self.note = Label(self)
        self.note.setProperty("role", "help")
        self.note.setWordWrap(True)
        self.note.hide()
        line = QHBoxLayout()
        line.addWidget(self.others)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addLayout(line)
        column.addWidget(self.rows)
        column.addWidget(self.note)
        self.setFocusProxy(self.others)

    def show_vms(self, platform: PlatformId | None, vms: Sequence[VmSummary]) -> None:
        """Offer the networks of other VMs."""
        if (platform, tuple(vms)) == (self._platform, self._vms):
            return
        self._platform, self._vms = platform, tuple(vms)
        self._is_known = False
        self._on_others()

    def show_networks(self, networks: Sequence[Choice]) -> None:
        """Offer other networks in their place."""
        self._networks = tuple(networks)
        self.rows.show_networks(networks)

    def chosen(self) -> tuple[tuple[str, str], ...]:
        """Return the networks that others take the place of."""
        return self.rows.chosen() if self.others.value and self._is_known else ()

    def _on_others(self, _others: object = None) -> None:
        if self.others.value and not self._is_known and self._platform is not None and self._vms:
            self._say(self.tr("Looking up the network adapters…"))
            self._facts.ask(self._platform, self._vms)
        elif not self.others.value:
            self._say("")
        self._show_rows()
        self.changed.emit()

    def _on_found(self) -> None:
        known = [hardware for hardware in map(self._facts.of, self._vms) if hardware is not None]
        names = {adapter.network for hardware in known for adapter in hardware.adapters if adapter.network}
        self._is_known = True
        self.rows.show_saved(sorted(names), self._networks)
        if len(known) < len(self._vms):
            self._say(self.tr("Not all network adapters can be read now; the others keep their networks' names."))
        else:
            self._say("" if names else self.tr("These VMs are connected to no network."))
        self._show_rows()
        self.changed.emit()

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text) and self.others.value)

    def _show_rows(self) -> None:
        self.rows.setVisible(self.others.value and self._is_known and bool(self.rows.boxes))


def _query(platform: PlatformId, vm: VmId) -> DescribeSource:
    return DescribeSource(platform=platform, vm=vm)
