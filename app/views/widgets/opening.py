"""Opening a dialog so that it goes when it is closed. GUI thread."""

from PySide6.QtWidgets import QDialog


def open_once(dialog: QDialog) -> None:
    """Open a dialog, and destroy it once it is closed.

    A dialog belongs to the page that opened it: without this it would stay for as long as the page, with every
    password and recovery key that was typed into it or shown by it.
    """
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
