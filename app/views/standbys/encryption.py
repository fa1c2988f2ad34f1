"""Encryption of a standby machine: unlocking it, and which passphrase and recovery keys open it."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.contract.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    DescribeEncryption,
    EncryptionRow,
    EncryptStandby,
    RecoverySheet,
    RevokeRecoveryKeys,
    UnlockReport,
    UnlockStandby,
)
from app.contract.standbys import StandbyRow
from app.domain.display import lines
from app.domain.standbys import EncryptionMode
from app.domain.units import filled
from app.views import style
from app.views.console import Console
from app.views.standbys.passphrases import PassphrasePair, secret_entry
from app.views.standbys.recovery import RecoverySheetDialog
from app.views.widgets.banner import Banner
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label, set_title
from app.workers.answers import Failure

OnDone = Callable[[object], None]
OnFailed = Callable[[Failure], None]


class UnlockDialog(FormDialog):
    """Asks for the passphrase or a recovery key of a standby machine. Thread: GUI.

    Signals:
        unlocked: carries the UnlockReport of what was opened.
    """

    unlocked = Signal(object)

    def __init__(self, console: Console, row: StandbyRow, parent: QWidget | None = None) -> None:
        self._row = row
        super().__init__(console, "", "", parent)
        self.set_heading(self.tr("Unlock the standby machine {name}").format(name=row.name))
        self.primary.setText(self.tr("Unlock"))
        form = self.add_form()
        self.key = secret_entry(self)
        self._key = self.add_field(
            form,
            self.tr("Passphrase or recovery key"),
            self.key,
            help_text=self.tr("The keys that it opens are kept in this machine's secret store, nowhere else."),
            required=True,
        )
        self.shown = QCheckBox(self.tr("Show what I type"), self)
        self.shown.toggled.connect(self._on_shown)
        self.body.addWidget(self.shown)

    def _on_shown(self, *_: object) -> None:
        shown = self.shown.isChecked()
        self.key.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)

    def problems(self) -> dict[Field, str]:
        """Return what is missing."""
        return {} if self.key.text() else {self._key: self.tr("Enter the passphrase or a recovery key.")}

    def submit(self, on_done: OnDone, on_failed: OnFailed) -> None:
        """Try what was typed."""

        def done(report: UnlockReport) -> None:
            on_done(report)
            self.unlocked.emit(report)

        command = UnlockStandby(standby=self._row.id, key=self.key.text())
        self.console.door.execute(command, owner=self, on_done=done, on_failed=on_failed)


class PassphraseDialog(FormDialog):
    """Gives a standby machine another passphrase. Thread: GUI."""

    def __init__(self, console: Console, row: StandbyRow, parent: QWidget | None = None) -> None:
        self._row = row
        super().__init__(console, "", "", parent)
        self.set_heading(self.tr("Change the passphrase of {name}").format(name=row.name))
        self.primary.setText(self.tr("Change passphrase"))
        self.pair = PassphrasePair(self, self.add_form())
        note = Label(
            self.tr(
                "The old passphrase opens nothing any more. Anyone who knows it and has a copy of the old key "
                "files can still read what is there, and what is added later: then make a new standby machine."
            ),
            self,
        )
        note.setProperty("role", "secondary")
        note.setWordWrap(True)
        self.body.addWidget(note)

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the passphrase."""
        return self.pair.problems()

    def submit(self, on_done: OnDone, on_failed: OnFailed) -> None:
        """Change it."""
        command = ChangePassphrase(standby=self._row.id, passphrase=self.pair.text())
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


class EncryptDialog(FormDialog):
    """Turns encryption on where nothing is stored yet. Thread: GUI."""

    def __init__(self, console: Console, row: StandbyRow, parent: QWidget | None = None) -> None:
        self._row = row
        super().__init__(console, "", "", parent)
        self.set_heading(self.tr("Encrypt the standby machine {name}").format(name=row.name))
        self.primary.setText(self.tr("Encrypt"))
        self.pair = PassphrasePair(self, self.add_form())
        self.hide_names = QCheckBox(self.tr("Hide the names of rules, VMs and platforms too"), self)
        self.body.addWidget(self.hide_names)

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the passphrase."""
        return self.pair.problems()

    def submit(self, on_done: OnDone, on_failed: OnFailed) -> None:
        """Turn it on."""
        command = EncryptStandby(
            standby=self._row.id, passphrase=self.pair.text(), hide_names=self.hide_names.isChecked()
        )
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


class EncryptionDialog(QDialog):
    """Shows how a standby machine is encrypted, and offers what can be done about it. Thread: GUI.

    Signals:
        changed: something was.
    """

    changed = Signal()

    def __init__(self, console: Console, row: StandbyRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.console = console
        self._row = row
        self.setModal(True)
        set_title(self, self.tr("Encryption of {name}").format(name=row.name))
        heading = Label(self.windowTitle(), self)
        heading.setProperty("role", "title")
        self.banner = Banner(self)
        self.text = Label(self.tr("Looking…"), self)
        self.text.setWordWrap(True)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        self._layout.setSpacing(style.SPACE_L)
        for widget in (heading, self.banner, self.text):
            self._layout.addWidget(widget)
        self._build_buttons()
        self.setMinimumWidth(style.DIALOG_WIDTH)
        offer_help(self)
        self._ask()

    def _build_buttons(self) -> None:
        self.unlock = self._button(self.tr("Unlock…"), self._on_unlock)
        self.encrypt = self._button(self.tr("Encrypt…"), self._on_encrypt)
        self.passphrase = self._button(self.tr("Change passphrase…"), self._on_passphrase)
        self.recovery = self._button(self.tr("Make a recovery key…"), self._on_recovery)
        self.revoke = self._button(self.tr("Revoke recovery keys…"), self._on_revoke)
        ways = QVBoxLayout()
        ways.setSpacing(style.SPACE_S)
        for button in (self.unlock, self.encrypt, self.passphrase, self.recovery, self.revoke):
            ways.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
            button.hide()
        self._layout.addLayout(ways)
        self.primary = QPushButton(self.tr("Close"), self)
        self.primary.setDefault(True)
        self.primary.clicked.connect(self.accept)
        end = QHBoxLayout()
        end.addStretch(1)
        end.addWidget(self.primary)
        self._layout.addStretch(1)
        self._layout.addLayout(end)

    def _button(self, text: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.setAutoDefault(False)
        button.clicked.connect(slot)
        return button

    # --- what there is ----------------------------------------------------------------------------------------

    def _ask(self) -> None:
        query = DescribeEncryption(standby=self._row.id)
        self.console.door.ask(query, owner=self, on_done=self._show_row, on_failed=self._on_failed)

    def _on_failed(self, failure: Failure) -> None:
        self.banner.show_failure(failure)
        grow_later(self)

    def _show_row(self, row: EncryptionRow) -> None:
        is_on = row.mode is not EncryptionMode.OFF or bool(row.repositories)
        locked = [repository for repository in row.repositories if not repository.is_open]
        is_open = is_on and not locked
        self.text.setText(lines(self._lines(row)))
        self.unlock.setVisible(bool(row.repositories) and (bool(locked) or not row.passphrase_known))
        self.encrypt.setVisible(not is_on)
        self.passphrase.setVisible(is_open)
        self.recovery.setVisible(is_open)
        has_keys = row.recovery_keys > 0 or any(repository.recovery_keys for repository in row.repositories)
        self.revoke.setVisible(is_open and has_keys)
        grow_later(self)

    def _lines(self, row: EncryptionRow) -> list[str]:
        if row.mode is EncryptionMode.OFF and not row.repositories:
            return [
                self.tr(
                    "Nothing here is encrypted. Encryption can be turned on only while no restore points are "
                    "here; otherwise register an empty directory with encryption."
                )
            ]
        lines = []
        if row.mode is not EncryptionMode.OFF:
            lines.append(encryption_words(row.mode))
        lines.extend(
            self._line(repository.target_path or "/", repository.recovery_keys, is_open=repository.is_open)
            for repository in row.repositories
        )
        missing = sum(repository.recovery_keys == 0 for repository in row.repositories)
        if missing and any(repository.recovery_keys for repository in row.repositories):
            lines.append(
                filled(
                    self.tr(
                        "{count} {count:repository has/repositories have} no recovery key: make a new one for all."
                    ),
                    {"count": missing},
                )
            )
        if row.mode is not EncryptionMode.OFF and not row.passphrase_known:
            lines.append(
                self.tr("This machine does not know the passphrase, so that no new repository can be made here.")
            )
        return lines

    def _line(self, directory: str, recovery_keys: int | None, *, is_open: bool) -> str:
        if not is_open:
            return self.tr("{directory}: locked").format(directory=directory)
        return self.tr("{directory}: open, recovery keys: {count}").format(
            directory=directory, count=recovery_keys
        )

    # --- what can be done -------------------------------------------------------------------------------------

    def _open(self, dialog: FormDialog) -> None:
        dialog.succeeded.connect(self._on_changed)
        open_once(dialog)

    def _on_changed(self) -> None:
        self.banner.hide()
        self.changed.emit()
        self._ask()

    def _on_unlock(self) -> None:
        self._open(UnlockDialog(self.console, self._row, self))

    def _on_encrypt(self) -> None:
        self._open(EncryptDialog(self.console, self._row, self))

    def _on_passphrase(self) -> None:
        self._open(PassphraseDialog(self.console, self._row, self))

    def _on_recovery(self) -> None:
        self.recovery.setEnabled(False)
        command = AddRecoveryKey(standby=self._row.id)
        self.console.door.execute(command, owner=self, on_done=self._on_sheet, on_failed=self._on_no_sheet)

    def _on_sheet(self, sheet: RecoverySheet) -> None:
        self.recovery.setEnabled(True)
        self._on_changed()
        open_once(RecoverySheetDialog(self.console, sheet, self))

    def _on_no_sheet(self, failure: Failure) -> None:
        self.recovery.setEnabled(True)
        self._on_failed(failure)

    def _on_revoke(self) -> None:
        self._open(
            ConfirmDialog(
                self.console,
                self.tr("Revoke all recovery keys of {name}").format(name=self._row.name),
                self.tr("Revoke recovery keys"),
                sends(self.console, RevokeRecoveryKeys(standby=self._row.id), self),
                consequences=(
                    self.tr("Keys on paper and in files open nothing any more; only the passphrase does."),
                ),
                parent=self,
            )
        )


def encryption_words(mode: EncryptionMode) -> str:
    """Return what is encrypted, as a sentence; empty when nothing is."""
    if mode is EncryptionMode.NAMES:
        return QCoreApplication.translate("Encryption", "Everything is encrypted, the names of rules and VMs too.")
    if mode is EncryptionMode.CONTENTS:
        return QCoreApplication.translate(
            "Encryption", "Disks and configurations are encrypted; directories are named after rules and VMs."
        )
    return ""
