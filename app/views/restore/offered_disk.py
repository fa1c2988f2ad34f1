"""One offered disk in the dialog: what it is, whether it is read, and its address to copy."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.contract.offers import OfferedDisk
from app.domain.display import visible
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.restore.offers import reading_pill
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.pill import PillLabel
from app.views.widgets.plain import Label


class OfferedDiskRow(QWidget):
    """Shows a disk that is offered. Thread: GUI.

    The address cannot be selected: over TCP it is a secret, which leaves by the button only.

    Signals:
        copy_wanted: the address is wanted on the clipboard; carries it.
    """

    copy_wanted = Signal(str)

    def __init__(self, console: Console, disk: OfferedDisk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.disk = disk
        name = Label(disk.label, self)
        name.setProperty("role", "heading")
        size = Label(formatting.size(disk.capacity_bytes), self)
        size.setProperty("role", "secondary")
        self.state = PillLabel(self)
        self.address = ElidedLabel(Qt.TextElideMode.ElideMiddle, self)
        self.address.setFont(style.fixed_font())
        self.address.setText(disk.address)
        self.copy = QPushButton(icon(Glyph.COPY, console.colors), self.tr("Copy"), self)
        self.copy.setAutoDefault(False)
        self.copy.setAccessibleName(self.tr("Copy the address of {disk}").format(disk=visible(disk.label)))
        self.copy.clicked.connect(self._on_copy)
        about = QHBoxLayout()
        about.setSpacing(style.SPACE_S)
        for widget in (name, size):
            about.addWidget(widget)
        about.addStretch(1)
        about.addWidget(self.state)
        way = QHBoxLayout()
        way.setSpacing(style.SPACE_S)
        way.addWidget(self.address, 1)
        way.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_M, style.SPACE_S, style.SPACE_M, style.SPACE_S)
        layout.setSpacing(style.SPACE_XS)
        layout.addLayout(about)
        layout.addLayout(way)
        self.show_disk(disk)

    def show_disk(self, disk: OfferedDisk) -> None:
        """Show how the disk is now."""
        self.disk = disk
        self.state.show_pill(reading_pill(is_read=disk.connections > 0))

    def _on_copy(self) -> None:
        self.copy_wanted.emit(self.disk.address)
