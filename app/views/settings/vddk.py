"""Which VMware library (VDDK) is used. GUI thread."""

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from app.contract.errors import error_from
from app.contract.vddk import ExamineVddk, ReadVddk, SetVddkFolder, VddkRow
from app.domain.errors import OperationalError
from app.domain.vddk import VddkLibrary
from app.views import style
from app.views.console import Console
from app.views.settings.card import SettingsCard
from app.views.widgets.banner import Banner
from app.views.widgets.plain import Label, set_tip
from app.views.widgets.question import Question
from app.views.words import error_details, error_message
from app.workers.answers import Failure


class VddkCard(SettingsCard):
    """The folder of the library, which is examined as soon as it is entered."""

    def __init__(self, console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._reading = Question(console.door, self)
        self._examining = Question(console.door, self)
        self._kept: str | None = None
        self._asked = ""
        self.set_title(self.tr("VMware VDDK"))
        self.folder = QLineEdit(self)
        self.folder.setFixedWidth(style.FIELD_WIDTH)
        self.folder.setPlaceholderText(self.tr("Not used"))
        self.folder.setEnabled(False)
        self.choose = QPushButton(self.tr("Choose…"), self)
        self.choose.setEnabled(False)
        self.add_row(
            self.tr("Folder of the unpacked VDDK"),
            self.tr(
                "Optional, and not part of this program: VMware's own library reads over SAN and HotAdd, and over "
                "NBD. It runs in a process of its own."
            ),
            self.folder,
        )
        self.words = Label(self)
        self.words.setWordWrap(True)
        self.words.hide()
        self.body.addWidget(self.words)
        self.save = QPushButton(self.tr("Save folder"), self)
        self.save.setProperty("role", "primary")
        self.save.setEnabled(False)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_L)
        row.addStretch(1)
        row.addWidget(self.choose)
        row.addWidget(self.save)
        self.body.addLayout(row)
        self.banner = Banner(self)
        self.choose.clicked.connect(self._on_choose)
        self.save.clicked.connect(self._on_save)
        self.folder.textEdited.connect(self._on_edited)
        self.folder.editingFinished.connect(self._on_entered)

    def refresh(self) -> None:
        """Ask which library is used."""
        self._reading.ask(ReadVddk(), self._on_read, self.banner.show_unread)

    def leave(self) -> None:
        """Stop asking."""
        self._reading.withdraw()
        self._examining.withdraw()

    def _typed(self) -> str:
        return self.folder.text().strip()

    def _on_read(self, row: VddkRow) -> None:
        self.banner.settle_unread()
        if self._kept is not None and self._typed() != self._kept:
            return  # the operator has begun to change it
        self._kept = self._asked = row.folder
        self.folder.setText(row.folder)
        for control in (self.folder, self.choose):
            control.setEnabled(True)
        if row.library is not None:
            self._show_library(row.library)
        elif row.error is not None:
            self._on_refused(error_from(row.error))
        else:
            self._say("")

    def _on_choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Choose a directory"), self._typed())
        if chosen:
            self.folder.setText(chosen)
            self._on_edited()
            self._on_entered()

    def _on_edited(self, *_: object) -> None:
        self._examining.withdraw()
        self._asked = ""
        self._say("")
        self.save.setEnabled(not self._typed() and bool(self._kept))

    def _on_entered(self) -> None:
        folder = self._typed()
        if not folder or folder in (self._kept, self._asked):
            return
        self._asked = folder
        self._say(self.tr("The library is being examined…"))
        self._examining.ask_instead(ExamineVddk(folder=folder), self._on_examined, self._on_refused)

    def _on_examined(self, library: VddkLibrary) -> None:
        self._show_library(library)
        self.save.setEnabled(self._typed() != self._kept)

    def _on_refused(self, failure: Failure) -> None:
        if isinstance(failure, OperationalError):
            self._say(error_message(failure), role="problem", details=error_details(failure))
        else:
            self.banner.show_failure(failure)

    def _on_save(self) -> None:
        folder = self._typed()
        self.save.setEnabled(False)

        def done(library: VddkLibrary | None) -> None:
            self._kept = folder
            if library is None:
                self._say(self.tr("Saved; VDDK is not used any more."))
            else:
                self._show_library(library)

        def failed(failure: Failure) -> None:
            self.save.setEnabled(self._typed() != self._kept)
            self._on_refused(failure)

        command = SetVddkFolder(folder=folder)
        self._console.door.execute(command, owner=self, on_done=done, on_failed=failed)

    def _show_library(self, library: VddkLibrary) -> None:
        words = self.tr("VDDK {version} for {architecture} can be used.")
        if not library.lists_allocated:
            words = self.tr(
                "VDDK {version} for {architecture} can be used; it does not say which blocks hold data."
            )
        self._say(words.format(version=library.version, architecture=library.architecture), details=library.file)

    def _say(self, words: str, *, role: str = "secondary", details: str = "") -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))
        set_tip(self.words, details)
        self.words.setProperty("role", role)
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)
