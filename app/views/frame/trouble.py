"""Reports a mistake of ours without ending the program."""

import traceback
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from app.views.widgets.plain import message_box

_MOST_DETAIL = 20_000


class TroubleReporter(QObject):
    """Shows one dialog for an uncaught exception; more of them while it is open are only logged.

    :meth:`report` may be called on any thread; the dialog is shown on the GUI thread.
    """

    _reported = Signal(str, str)

    def __init__(self, log_folder: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log_folder = log_folder
        self._window: QWidget | None = None
        self._box: QMessageBox | None = None
        self._reported.connect(self._on_reported)

    def belong_to(self, window: QWidget | None) -> None:
        """Show dialogs over this window from now on."""
        self._window = window

    def report(self, error: BaseException) -> None:
        """Report an exception. Thread: any."""
        details = "".join(traceback.format_exception(error))
        self._reported.emit(f"{type(error).__name__}: {error}", details[-_MOST_DETAIL:])

    def _on_reported(self, summary: str, details: str) -> None:
        if self._box is not None:
            return
        words = self.tr(
            "The program goes on, and tasks keep running. {error} The log in {folder} has the details."
        )
        box = message_box(
            QMessageBox.Icon.Warning,
            self.tr("Something unexpected happened"),
            self.tr("Something unexpected happened: a mistake of the program, not of yours."),
            words.format(error=summary, folder=self._log_folder),
            details=details,
            parent=self._window,
        )
        copy = QPushButton(self.tr("Copy details"), box)
        box.addButton(copy, QMessageBox.ButtonRole.ActionRole)
        # A button of a message box closes it; this one must not.
        copy.clicked.disconnect()
        copy.clicked.connect(partial(QGuiApplication.clipboard().setText, f"{summary}\n{details}"))
        box.addButton(QMessageBox.StandardButton.Close)
        box.finished.connect(self._on_closed)
        self._box = box
        box.open()

    def _on_closed(self) -> None:
        if self._box is not None:
            self._box.deleteLater()
        self._box = None
