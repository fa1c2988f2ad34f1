"""The way to another workstation: export and import of the configuration. GUI thread."""

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget

from app.contract.moving import ImportPlan, PlanImport
from app.domain.display import lines
from app.views.console import Console
from app.views.moving.export_dialog import ExportDialog
from app.views.moving.file import read_configuration
from app.views.moving.import_dialog import ImportDialog
from app.views.settings.card import SettingsCard
from app.views.widgets.banner import Banner
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question
from app.workers.answers import Failure


class MovingCard(SettingsCard):
    """The whole configuration as one file."""

    def __init__(self, console: Console, banner: Banner, parent: QWidget) -> None:
        """Show messages in ``banner``, which is another card's as well: a page has room for so many."""
        super().__init__(parent)
        self._console = console
        self._question = Question(console.door, self)
        self.set_title(self.tr("Another workstation"))
        self.export = QPushButton(self.tr("Export configuration…"), self)
        self.export.clicked.connect(self._on_export)
        self.take_in = QPushButton(self.tr("Import configuration…"), self)
        self.take_in.clicked.connect(self._on_import)
        self.banner = banner
        self.add_row(
            self.tr("Export"),
            self.tr("Platforms, standby machines, rules, hooks and notifications as one file."),
            self.export,
        )
        self.add_row(
            self.tr("Import"),
            self.tr("What a file holds is compared with what is here first; nothing is replaced unasked."),
            self.take_in,
        )

    def leave(self) -> None:
        """Stop asking."""
        self._question.withdraw()
        self.take_in.setEnabled(True)

    def _on_export(self) -> None:
        self.banner.hide()
        dialog = ExportDialog(self._console, self)
        dialog.succeeded.connect(partial(self._on_exported, dialog))
        open_once(dialog)

    def _on_exported(self, dialog: ExportDialog) -> None:
        self.banner.show_success(
            self.tr("The configuration was written to {file}.").format(file=dialog.path),
            self.tr("Keep it away from this machine."),
        )

    def _on_import(self) -> None:
        self.banner.hide()
        chosen, _ = QFileDialog.getOpenFileName(
            self, self.tr("Import a configuration"), "", self.tr("Configurations (*.json)")
        )
        if chosen:
            self.take_in.setEnabled(False)
            self._console.door.run_apart(
                partial(read_configuration, Path(chosen)),
                owner=self,
                on_done=self._on_content,
                on_failed=self._on_failed,
            )

    def _on_content(self, content: bytes) -> None:
        self._question.ask(PlanImport(content=content), partial(self._on_compared, content), self._on_failed)

    def _on_compared(self, content: bytes, plan: ImportPlan) -> None:
        self.take_in.setEnabled(True)
        dialog = ImportDialog(self._console, content, plan, self)
        dialog.succeeded.connect(partial(self._on_imported, dialog))
        open_once(dialog)

    def _on_failed(self, failure: Failure) -> None:
        self.take_in.setEnabled(True)
        self.banner.show_failure(failure)

    def _on_imported(self, dialog: ImportDialog) -> None:
        report = dialog.report
        if report is None:
            return
        words = self.tr("Imported: {added} added, {replaced} replaced, {skipped} left as they were.").format(
            added=report.added, replaced=report.replaced, skipped=report.skipped
        )
        if report.without_password:
            hint = self.tr("Enter the password of {names} under Virtual platforms, Edit.").format(
                names=", ".join(report.without_password)
            )
            self.banner.show_warning(words, lines([hint]))
        else:
            self.banner.show_success(words)
