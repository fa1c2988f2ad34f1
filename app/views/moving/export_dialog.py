"""Exporting the configuration into a file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QFileDialog, QWidget

from app.contract.moving import ExportConfiguration, ExportedConfiguration
from app.domain.passphrases import is_strong
from app.views import style
from app.views.console import Console
from app.views.moving.file import ENDING, write_configuration
from app.views.standbys.passphrases import secret_entry
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class ExportDialog(FormDialog):
    """Asks whether passwords go along, then for the file. Thread: GUI.

    Attributes:
        path: of the file that was written; None before.
    """

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(console, "", "", parent)
        self.path: Path | None = None
        self.set_heading(self.tr("Export the configuration"))
        self.primary.setText(self.tr("Export…"))
        self.setMinimumWidth(style.DIALOG_WIDTH)
        text = Label(
            self.tr(
                "One file with virtual platforms and their certificates, standby machines, backup rules, backup "
                "hooks and notifications, for another workstation. Restore points stay where they are."
            ),
            self,
        )
        text.setWordWrap(True)
        self.body.addWidget(text)
        self.with_secrets = QCheckBox(self.tr("Passwords and keys too, sealed by a passphrase"), self)
        self.with_secrets.setChecked(True)
        self.with_secrets.toggled.connect(self._on_secrets)
        self.body.addWidget(self.with_secrets)
        form = self.add_form()
        self.first, self.second = secret_entry(self), secret_entry(self)
        self.first_field = self.add_field(
            form,
            self.tr("Passphrase"),
            self.first,
            help_text=self.tr(
                "Several words that do not belong together, or at least 12 mixed characters. It is asked for at "
                "the import, and kept nowhere."
            ),
            required=True,
        )
        self.second_field = self.add_field(form, self.tr("Once more"), self.second, required=True)

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the passphrase."""
        typed = self.first.text()
        if not self.with_secrets.isChecked():
            return {}
        if not typed:
            return {self.first_field: self.tr("Enter a passphrase.")}
        if not is_strong(typed):
            return {self.first_field: self.tr("This passphrase could be guessed: make it longer, or mix it more.")}
        return {} if typed == self.second.text() else {self.second_field: self.tr("The two are not the same.")}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Ask for the file, export, and write it."""
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            self.tr("Export the configuration"),
            f"standfast-configuration.{ENDING}",
            self.tr("Configurations (*.json)"),
        )
        if not chosen:
            self._set_busy(busy=False)
            return
        path = Path(chosen)

        def write(exported: ExportedConfiguration) -> None:
            self.console.door.run_apart(
                partial(write_configuration, path, exported.content),
                owner=self,
                on_done=partial(self._on_written, path, on_done),
                on_failed=on_failed,
            )

        passphrase = self.first.text() if self.with_secrets.isChecked() else None
        self.console.door.execute(
            ExportConfiguration(passphrase=passphrase), owner=self, on_done=write, on_failed=on_failed
        )

    def _on_written(self, path: Path, on_done: Callable[[object], None], _nothing: None) -> None:
        self.path = path
        on_done(None)

    def _on_secrets(self) -> None:
        for field in (self.first, self.second):
            field.setEnabled(self.with_secrets.isChecked())
        self.show_problems()
        grow_later(self)
