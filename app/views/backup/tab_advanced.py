"""高级设置: changed block tracking, LAN-free reading, deletion of data, quiescing."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.domain.rules import AdvancedSettings
from app.views import style
from app.views.widgets.plain import Label


class AdvancedTab(QWidget):
    """The second tab of the rule editor. Thread: GUI.

    Signals:
        edited: the operator changed something.
    """

    edited = Signal()

    def __init__(self, settings: AdvancedSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, style.SPACE_L, 0, 0)
        self._layout.setSpacing(style.SPACE_XS)
        self._helps: dict[QCheckBox, Label] = {}
        self._build_reading(settings)
        self.delete_data = self._add(
            self.tr("Delete the backup data with the rule"),
            self.tr(
                "Deleting the rule moves its restore points to the trash, too; seven days later they are gone."
            ),
            checked=settings.delete_data_with_rule,
        )
        self.quiesce = self._add(
            self.tr("Quiesced snapshot"),
            self.tr(
                "Pauses the guest's writes while the snapshot is made, so that its data is consistent; only for "
                "running VMs."
            ),
            checked=settings.quiesce,
        )
        self._layout.addStretch(1)
        self.automatic.toggled.connect(self._on_automatic)
        self.fast.toggled.connect(self._on_automatic)
        self._on_automatic()

    def _build_reading(self, settings: AdvancedSettings) -> None:
        """Offer what decides how much is read, and by which way."""
        self.automatic = self._add(
            self.tr("Set up fast backup automatically"),
            self.tr(
                "Uses VMware's changed block tracking (CTK) wherever the VM supports it, and switches it on where "
                "it is off."
            ),
            checked=settings.automatic_change_tracking,
        )
        self.fast = self._add(
            self.tr("Fast backup"),
            self.tr("Reads only used or changed data where tracking is on already; changes nothing on the VMs."),
            checked=settings.use_change_tracking,
        )
        self.whole = Label(self.tr("Every backup reads the whole disks."), self)
        self.whole.setProperty("role", "problem")
        self._layout.addWidget(self.whole)
        self.lan_free = self._add(
            self.tr("LAN-free"),
            self.tr(
                "Reads past the hosts where such a way is open (SAN, HotAdd, Direct NFS); where none is, the log "
                "says why and the network is used."
            ),
            checked=settings.lan_free,
        )

    def _add(self, text: str, help_text: str, *, checked: bool) -> QCheckBox:
        box = QCheckBox(text, self)
        box.setChecked(checked)
        box.toggled.connect(self._on_toggled)
        box.setAccessibleDescription(help_text)
        note = Label(help_text, self)
        note.setProperty("role", "help")
        note.setWordWrap(True)
        note.setContentsMargins(style.SPACE_XL, 0, 0, style.SPACE_M)
        self._layout.addWidget(box)
        self._layout.addWidget(note)
        self._helps[box] = note
        return box

    @property
    def settings(self) -> AdvancedSettings:
        """Return what is entered."""
        return AdvancedSettings(
            automatic_change_tracking=self.automatic.isChecked(),
            use_change_tracking=self.fast.isChecked(),
            lan_free=self.lan_free.isChecked(),
            delete_data_with_rule=self.delete_data.isChecked(),
            quiesce=self.quiesce.isChecked(),
        )

    def set_read_only(self) -> None:
        """Let everything be looked at only."""
        for box in self._helps:
            box.setEnabled(False)

    def _on_toggled(self) -> None:
        self.edited.emit()

    def _on_automatic(self) -> None:
        manual = not self.automatic.isChecked()
        self.fast.setVisible(manual)
        self._helps[self.fast].setVisible(manual)
        self.whole.setVisible(not self.settings.wants_change_tracking)
