"""The order in which the ways to a platform's disks are tried, and a probe of each."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.contract.errors import ErrorRow
from app.contract.platforms import PlatformRow
from app.contract.transports import ProbedDisk, ProbedMode, ProbeTransports, SetTransports
from app.domain.display import visible
from app.domain.messages import Message
from app.domain.states import PLAIN_MODES, TransportMode
from app.domain.transports import LAN_FREE, whole_order
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.form import FormDialog
from app.views.widgets.plain import Label, set_cell_tip
from app.views.words import row_error_message, said_text, transport_word
from app.workers.answers import Failure

_MODE, _SPEED, _REASON = range(3)
_SHOWN_ROWS: Final = 4
"""At the least; all are shown where the screen has room."""


class TransportsDialog(FormDialog):
    """Orders a platform's transport modes and tries them. Thread: GUI."""

    def __init__(self, console: Console, row: PlatformRow, parent: QWidget | None = None) -> None:
        self._row = row
        super().__init__(console, "", "", parent)
        self.set_heading(self.tr("Transport modes of {name}").format(name=row.platform.name))
        self.primary.setText(self.tr("Save order"))
        self._build_list()
        self._show(whole_order(row.platform.transports))

    @property
    def order(self) -> tuple[TransportMode, ...]:
        """The modes as they are listed now."""
        return tuple(map(self._mode_of, self._items()))

    def _items(self) -> list[QTreeWidgetItem]:
        listed = (self._list.topLevelItem(index) for index in range(self._list.topLevelItemCount()))
        return [item for item in listed if item is not None]

    def _build_list(self) -> None:
        note = Label(
            self.tr(
                "The first mode that opens a disk is taken. LAN-free modes are tried only for rules and restores "
                "that want them, and modes that send data unencrypted only where the platform allows it."
            ),
            self,
        )
        note.setProperty("role", "help")
        note.setWordWrap(True)
        self._list = QTreeWidget(self)
        self._list.setRootIsDecorated(False)
        self._list.setUniformRowHeights(True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setHeaderLabels([self.tr("Mode"), self.tr("Speed"), self.tr("Outcome")])
        self._list.setAccessibleName(self.tr("Transport modes, the first is tried first"))
        self._list.setMinimumSize(style.DIALOG_WIDTH, _SHOWN_ROWS * style.ROW_HEIGHT)
        self._list.setSizeAdjustPolicy(QTreeWidget.SizeAdjustPolicy.AdjustToContents)
        header = self._list.header()
        header.setStretchLastSection(True)
        header.resizeSection(_MODE, style.PILL_WIDTH)
        header.resizeSection(_SPEED, style.PILL_WIDTH)
        self._list.currentItemChanged.connect(self._on_current)
        colors = self.console.colors
        self.up = QPushButton(icon(Glyph.UP, colors), self.tr("Earlier"), self)
        self.down = QPushButton(icon(Glyph.DOWN, colors), self.tr("Later"), self)
        self.up.clicked.connect(self._on_up)
        self.down.clicked.connect(self._on_down)
        sides = QVBoxLayout()
        for button in (self.up, self.down):
            button.setAutoDefault(False)
            sides.addWidget(button)
        sides.addStretch(1)
        middle = QHBoxLayout()
        middle.addWidget(self._list, 1)
        middle.addLayout(sides)
        self.outcome = Label(self)
        self.outcome.setProperty("role", "secondary")
        self.outcome.setWordWrap(True)
        self.probe = QPushButton(self.tr("Probe"), self)
        self.probe.setAutoDefault(False)
        self.probe.clicked.connect(self._on_probe)
        self.extra_buttons.addWidget(self.probe)
        self.body.addWidget(note)
        self.body.addLayout(middle, 1)
        self.body.addWidget(self.outcome)

    # --- the order --------------------------------------------------------------------------------------------

    def _show(self, order: tuple[TransportMode, ...]) -> None:
        for mode in order:
            item = QTreeWidgetItem([transport_word(mode), formatting.NOTHING, self._about(mode)])
            item.setData(_MODE, Qt.ItemDataRole.UserRole, mode.value)
            self._list.addTopLevelItem(item)
        self._list.setCurrentItem(self._items()[0])

    def _about(self, mode: TransportMode) -> str:
        if mode in LAN_FREE and mode in PLAIN_MODES:
            return self.tr("LAN-free way, unencrypted")
        if mode in LAN_FREE:
            return self.tr("LAN-free way")
        return self.tr("unencrypted") if mode in PLAIN_MODES else ""

    @staticmethod
    def _mode_of(item: QTreeWidgetItem) -> TransportMode:
        return TransportMode(item.data(_MODE, Qt.ItemDataRole.UserRole))

    def _on_current(self) -> None:
        index = self._list.indexOfTopLevelItem(self._list.currentItem())
        self.up.setEnabled(index > 0)
        self.down.setEnabled(0 <= index < self._list.topLevelItemCount() - 1)

    def _on_up(self) -> None:
        self._move(-1)

    def _on_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        index = self._list.indexOfTopLevelItem(self._list.currentItem())
        if not 0 <= index + by < self._list.topLevelItemCount():
            return
        item = self._list.takeTopLevelItem(index)
        assert item is not None
        self._list.insertTopLevelItem(index + by, item)
        self._list.setCurrentItem(item)
        self._on_current()

    # --- the probe --------------------------------------------------------------------------------------------

    def _on_probe(self) -> None:
        self.probe.setEnabled(False)
        self.banner.hide()
        self.outcome.setText(self.tr("Opening a disk in every mode; a mode that does not answer takes a while…"))
        query = ProbeTransports(platform=self._row.platform.id)
        self.console.door.ask(query, owner=self, on_done=self._on_probed, on_failed=self._on_not_probed)

    def _on_probed(self, probed: ProbedDisk) -> None:
        self.probe.setEnabled(True)
        text = self.tr("{disk} of {vm} was read from its beginning.")
        self.outcome.setText(text.format(disk=visible(probed.disk), vm=visible(probed.vm_name)))
        found = {one.mode: one for one in probed.modes}
        for item in self._items():
            one = found.get(self._mode_of(item))
            if one is not None:
                self._show_outcome(item, one)

    def _show_outcome(self, item: QTreeWidgetItem, one: ProbedMode) -> None:
        colors = self.console.colors
        if one.error is None:
            item.setText(_SPEED, formatting.speed(one.bytes_per_s or 0))
            item.setText(_REASON, self.tr("works"))
            item.setIcon(_MODE, icon(Glyph.SUCCESS, colors, colors.completed))
            return
        reason = _reason(one.error)
        item.setText(_SPEED, formatting.NOTHING)
        item.setText(_REASON, reason)
        set_cell_tip(item, _REASON, reason)
        item.setIcon(_MODE, icon(Glyph.WARNING, colors, colors.pending))

    def _on_not_probed(self, failure: Failure) -> None:
        self.probe.setEnabled(True)
        self.outcome.setText("")
        self.banner.show_failure(failure)

    # --- saving -----------------------------------------------------------------------------------------------

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Save the order."""
        command = SetTransports(platform=self._row.platform.id, transports=self.order)
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def _reason(error: ErrorRow) -> str:
    """Return why a mode does not work; that no other was allowed is no part of it."""
    reasons = dict(error.params).get("reasons")
    return said_text(reasons) if isinstance(reasons, Message) else row_error_message(error)
