"""On which networks VMs run from restore points: as they were, others, or none."""

from collections.abc import Sequence
from enum import Enum

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.contract.restore import DescribeSavedVm
from app.domain.display import visible
from app.domain.ids import PlatformId, PointId
from app.domain.places import SavedHardware
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.restore.hardware import AdapterRows, clear_rows, rows_grid
from app.views.restore.places import Choice
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.workers.answers import Failure
from app.workers.door import DoorClient


class NetworkKind(Enum):
    """What becomes of a VM's network adapters."""

    AS_BEFORE = "as before"
    OTHERS = "others"
    NONE = "none"


class SavedAdapters(QObject):
    """Asks what the VMs in restore points are made of, one after the other. Thread: GUI.

    Signals:
        found: all that could be had of it is known.
    """

    found = Signal()

    def __init__(self, door: DoorClient, owner: QObject) -> None:
        super().__init__(owner)
        self._question = Question(door, self)
        self._platform: PlatformId | None = None
        self._known: dict[PointId, SavedHardware] = {}
        self._left: list[KnownPoint] = []

    def ask(self, platform: PlatformId, points: Sequence[KnownPoint]) -> None:
        """Ask about some points, as a platform reads them, in place of others."""
        if platform != self._platform:
            self._platform, self._known = platform, {}
        self._question.withdraw()
        self._left = [known for known in points if known.point.id not in self._known]
        self._go_on()

    def of(self, points: Sequence[KnownPoint]) -> tuple[SavedHardware, ...]:
        """Return what is known of some points."""
        return tuple(self._known[known.point.id] for known in points if known.point.id in self._known)

    def _go_on(self) -> None:
        if not self._left or self._platform is None:
            self.found.emit()
            return
        known = self._left[0]
        query = DescribeSavedVm(
            standby=known.standby, target_path=known.target_path, point=known.point.id, platform=self._platform
        )
        self._question.ask(query, self._on_hardware, self._on_failed)

    def _on_hardware(self, hardware: SavedHardware) -> None:
        self._known[self._left.pop(0).point.id] = hardware
        self._go_on()

    def _on_failed(self, _failure: Failure) -> None:
        """Its networks are not offered for change, and stay as they were."""
        self._left.pop(0)
        self._go_on()


class NetworkRows(QWidget):
    """Another network for each of those that several VMs had. Thread: GUI.

    Signals:
        changed: another network is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None, *, kept: str = "") -> None:
        """Build; ``kept`` are the words for a network that stays as it was."""
        super().__init__(parent)
        self._kept = kept or self.tr("As backed up")
        self._grid = rows_grid(self)
        self._boxes: dict[str, QComboBox] = {}

    @property
    def boxes(self) -> dict[str, QComboBox]:
        """Return the choices by the names of the networks that were."""
        return dict(self._boxes)

    def show_saved(self, names: Sequence[str], networks: Sequence[Choice]) -> None:
        """Offer a choice for each network that was."""
        if tuple(names) != tuple(self._boxes):
            clear_rows(self._grid)
            self._boxes = {}
            for place, name in enumerate(names):
                box = self._boxes[name] = QComboBox(self)
                box.setAccessibleName(visible(self.tr("Instead of {network}").format(network=name)))
                box.currentIndexChanged.connect(self.changed)
                label = Label(name, self)
                label.setBuddy(box)
                self._grid.addWidget(label, place, 0)
                self._grid.addWidget(box, place, 1)
        self.show_networks(networks)

    def show_networks(self, networks: Sequence[Choice]) -> None:
        """Offer other networks."""
        for box in self._boxes.values():
            before = box.currentData()
            box.clear()
            box.addItem(self._kept, None)
            for network in networks:
                box.addItem(visible(network.text), network.value)
            box.setCurrentIndex(max(0, box.findData(before)))

    def chosen(self) -> tuple[tuple[str, str], ...]:
        """Return the networks that others take the place of."""
        pairs = ((name, box.currentData()) for name, box in self._boxes.items())
        return tuple((name, value) for name, value in pairs if value is not None)


class NetworkChoice(QWidget):
    """As they were, others, or none; others per adapter of one VM, or per network of several. Thread: GUI.

    Signals:
        changed: something else is chosen.
        wanted: what the VMs are made of has to be known now.
    """

    changed = Signal()
    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_group = False
        self._networks: tuple[Choice, ...] = ()
        self._shown: tuple[SavedHardware, ...] | None = None
        self.kind: ChoiceBar[NetworkKind] = ChoiceBar(
            self.tr("Network"),
            (
                (NetworkKind.AS_BEFORE, self.tr("As backed up")),
                (NetworkKind.OTHERS, self.tr("Other networks")),
                (NetworkKind.NONE, self.tr("Not connected")),
            ),
            chosen=NetworkKind.AS_BEFORE,
            parent=self,
        )
        self.adapters, self.rows = AdapterRows(self), NetworkRows(self)
        self.note = Label(self)
        self.note.setProperty("role", "help")
        self.note.setWordWrap(True)
        line = QHBoxLayout()
        line.addWidget(self.kind)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addLayout(line)
        for widget in (self.adapters, self.rows, self.note):
            column.addWidget(widget)
        self.setFocusProxy(self.kind)
        self.kind.chosen.connect(self._on_kind)
        for part in (self.adapters, self.rows):
            part.changed.connect(self.changed)
        self._show_parts()

    # --- showing ----------------------------------------------------------------------------------------------

    def show_networks(self, networks: Sequence[Choice]) -> None:
        """Offer other networks."""
        self._networks = tuple(networks)
        self.adapters.show_networks(networks)
        self.rows.show_networks(networks)

    def show_nothing(self, *, is_group: bool) -> None:
        """Forget what VMs are made of, which are others now."""
        self._is_group = is_group
        self._shown = None
        self._show_parts()
        if self.kind.value is NetworkKind.OTHERS:
            self.wanted.emit()

    def show_saved(self, saved: Sequence[SavedHardware]) -> None:
        """Offer a choice for the adapters of one VM, or for the networks of several."""
        found = tuple(saved)
        if found == self._shown:
            return
        self._shown = found
        if self._is_group:
            names = {adapter.network for hardware in found for adapter in hardware.adapters if adapter.network}
            self.rows.show_saved(sorted(names), self._networks)
        else:
            self.adapters.show_adapters(found[0].adapters if found else (), self._networks)
        self._show_parts()
        self.changed.emit()

    def _on_kind(self, _kind: object) -> None:
        self._show_parts()
        if self.kind.value is NetworkKind.OTHERS and self._shown is None:
            self.wanted.emit()
        self.changed.emit()

    def _show_parts(self) -> None:
        is_open = self.kind.value is NetworkKind.OTHERS
        is_known = bool(self._shown)
        self.adapters.setVisible(is_open and is_known and not self._is_group)
        self.rows.setVisible(is_open and is_known and self._is_group)
        text = ""
        if self.kind.value is NetworkKind.NONE:
            text = self.tr(
                "The adapters are there, and are connected to nothing: two VMs do not answer to one address."
            )
        elif is_open and self._shown is None:
            text = self.tr("Looking up the network adapters…")
        elif is_open and not is_known:
            text = self.tr("The network adapters cannot be read now; they stay as backed up.")
        self.note.setText(text)
        self.note.setVisible(bool(text))

    # --- the choice -------------------------------------------------------------------------------------------

    @property
    def is_isolated(self) -> bool:
        """Return whether the VMs are connected to nothing."""
        return self.kind.value is NetworkKind.NONE

    def adapter_networks(self) -> tuple[tuple[int, str], ...]:
        """Return the adapters of one VM with another network."""
        return self.adapters.networks() if self._is_open and not self._is_group else ()

    def adapter_addresses(self) -> tuple[tuple[int, str], ...]:
        """Return the adapters of one VM with another address."""
        return self.adapters.addresses() if self._is_open and not self._is_group else ()

    def networks(self) -> tuple[tuple[str, str], ...]:
        """Return the networks of several VMs that others take the place of."""
        return self.rows.chosen() if self._is_open and self._is_group else ()

    @property
    def _is_open(self) -> bool:
        return self.kind.value is NetworkKind.OTHERS and bool(self._shown)

    def show_problems(self) -> bool:
        """Say below each address when it is invalid; return whether all are valid."""
        return not self._is_open or self._is_group or self.adapters.show_problems()
