"""A recovery key, shown once: to be copied, saved, or printed and locked away."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QFontDatabase
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.contract.encryption import RecoverySheet
from app.domain.display import own_lines
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.standbys.recovery_file import pdf_of, write_recovery_key
from app.views.widgets.banner import Banner
from app.views.widgets.clipboard import copy_secret
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.form import grow_later
from app.views.widgets.plain import Label, markup_of, set_title
from app.workers.answers import Failure

_GROUPS_PER_LINE = 7
_KEY_SIZE = 1.5


class RecoverySheetDialog(QDialog):
    """Shows a recovery key; it closes only after the operator says that it is kept. Thread: GUI."""

    def __init__(self, console: Console, sheet: RecoverySheet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._sheet = sheet
        self.setModal(True)
        set_title(self, self.tr("Keep the recovery key"))
        self.banner = Banner(self)
        self.key = Label(own_lines(key_in_lines(sheet.key)), self)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(font.pointSizeF() * _KEY_SIZE)
        self.key.setFont(font)
        self.key.setAccessibleName(self.tr("Recovery key"))
        self.key.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.kept = QCheckBox(self.tr("The recovery key is in a safe place, away from this machine"), self)
        self.kept.toggled.connect(self._on_kept)
        self._build()
        offer_help(self)
        grow_later(self)

    def _build(self) -> None:
        heading = Label(self.tr("Recovery key of {name}").format(name=self._sheet.standby_name), self)
        heading.setProperty("role", "title")
        text = Label(
            self.tr(
                "Anyone who has this key can read everything that is kept on this standby machine. It opens it "
                "when the passphrase is forgotten. It is shown only now, and kept nowhere."
            ),
            self,
        )
        text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_L)
        for widget in (heading, self.banner, text, self.key):
            layout.addWidget(widget)
        layout.addLayout(self._ways())
        layout.addWidget(self.kept)
        layout.addLayout(self._end())
        self.setMinimumWidth(style.DIALOG_WIDTH)

    def _ways(self) -> QHBoxLayout:
        self.copy = QPushButton(icon(Glyph.COPY, self._console.colors), self.tr("Copy"), self)
        self.save = QPushButton(icon(Glyph.EXPORT, self._console.colors), self.tr("Save to a file…"), self)
        self.print = QPushButton(icon(Glyph.LOG, self._console.colors), self.tr("Save as PDF for printing…"), self)
        line = QHBoxLayout()
        line.setSpacing(style.SPACE_S)
        for button, slot in ((self.copy, self._on_copy), (self.save, self._on_save), (self.print, self._on_print)):
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            line.addWidget(button)
        line.addStretch(1)
        return line

    def _end(self) -> QHBoxLayout:
        self.primary = QPushButton(self.tr("Close"), self)
        self.primary.setProperty("role", "primary")
        self.primary.setEnabled(False)
        self.primary.clicked.connect(self.accept)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(self.primary)
        return line

    # --- behaviour --------------------------------------------------------------------------------------------

    def reject(self) -> None:
        """Stay until the key is kept: it is not shown again."""
        if self.kept.isChecked():
            super().reject()
            return
        self._show_words(
            self.tr("The recovery key is not shown again."),
            self.tr("Copy, save or print it, then tick the box. Keys that are not wanted can be revoked."),
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stay until the key is kept."""
        if self.kept.isChecked():
            super().closeEvent(event)
        else:
            event.ignore()
            self.reject()

    def _show_words(self, title: str, hint: str = "") -> None:
        self.banner.show_success(title, hint)
        grow_later(self)

    def _on_failed(self, failure: Failure) -> None:
        self.banner.show_failure(failure)
        grow_later(self)

    def _on_kept(self, *_: object) -> None:
        self.primary.setEnabled(self.kept.isChecked())

    def _on_copy(self) -> None:
        copy_secret(self._sheet.key)
        self._show_words(
            self.tr("The recovery key is on the clipboard."),
            self.tr("Paste it into a password manager: others can read it. It is taken away after a minute."),
        )

    def _on_save(self) -> None:
        self._ask_for_file(self.tr("Text files (*.txt)"), "txt", self._text().encode())

    def _on_print(self) -> None:
        self._ask_for_file(self.tr("PDF files (*.pdf)"), "pdf", pdf_of(self._page(), self.windowTitle()))

    def _ask_for_file(self, kinds: str, ending: str, data: bytes) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, self.tr("Keep the recovery key"), f"standfast-recovery-key.{ending}", kinds
        )
        if chosen:
            path = Path(chosen)
            self._console.door.run_apart(
                partial(write_recovery_key, path, data),
                owner=self,
                on_done=lambda _: self._show_words(
                    self.tr("The recovery key was written to {file}.").format(file=path)
                ),
                on_failed=self._on_failed,
            )

    # --- words ------------------------------------------------------------------------------------------------

    def _facts(self) -> tuple[tuple[str, str], ...]:
        sheet = self._sheet
        return (
            (self.tr("Standby machine"), sheet.standby_name),
            (self.tr("Path"), sheet.root_path),
            (self.tr("Made at"), formatting.exact_time(sheet.made_at)),
        )

    def _advice(self) -> str:
        return self.tr(
            "Anyone who has this key can read all backup data there. Lock it away. To use it: Standby machines, "
            "select the standby machine, Unlock."
        )

    def _text(self) -> str:
        facts = "\n".join(f"{name}: {value}" for name, value in self._facts())
        title = self.tr("Standfast recovery key")
        return f"{title}\n\n{self._sheet.key}\n\n{facts}\n\n{self._advice()}\n"

    def _page(self) -> str:
        rows = "".join(
            f"<tr><td>{markup_of(name)}&nbsp;&nbsp;</td><td>{markup_of(value)}</td></tr>"
            for name, value in self._facts()
        )
        key = key_in_lines(self._sheet.key).replace("\n", "<br>")
        return (
            f"<h1>{markup_of(self.tr('Standfast recovery key'))}</h1><p><big><tt>{key}</tt></big></p>"
            f"<table>{rows}</table><p>{markup_of(self._advice())}</p>"
        )


def key_in_lines(key: str) -> str:
    """Return a recovery key in lines that are easy to copy by hand."""
    groups = key.split("-")
    lines = [groups[at : at + _GROUPS_PER_LINE] for at in range(0, len(groups), _GROUPS_PER_LINE)]
    return "\n".join("-".join(line) for line in lines)
