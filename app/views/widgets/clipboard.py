"""Secrets on the clipboard: they are taken away again after a minute, and when the program ends."""

import hashlib
from typing import Final

from PySide6.QtCore import QCoreApplication, QMimeData, QObject, QTimer
from PySide6.QtGui import QGuiApplication

FORGET_MS: Final = 60_000
_HINTS: Final = {
    "x-kde-passwordManagerHint": b"secret",  # KDE and its like keep it out of their history
    "ExcludeClipboardContentFromMonitorProcessing": b"1",  # Windows' history and cloud clipboard, and managers
}


class SecretClipboard(QObject):
    """Puts secrets on the clipboard and takes them away, unless something else is there meanwhile. Thread: GUI."""

    def __init__(self, parent: QObject, forget_ms: int = FORGET_MS) -> None:
        super().__init__(parent)
        self._digest: bytes | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(forget_ms)
        self._timer.timeout.connect(self.forget)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.forget)

    def copy(self, secret: str) -> None:
        """Put a secret on the clipboard for a minute."""
        data = QMimeData()
        data.setText(secret)
        for kind, value in _HINTS.items():
            data.setData(kind, value)
        QGuiApplication.clipboard().setMimeData(data)
        self._digest = _digest(secret)
        self._timer.start()

    def forget(self) -> None:
        """Take the secret away now, if it is still there."""
        digest, self._digest = self._digest, None
        self._timer.stop()
        clipboard = QGuiApplication.clipboard()
        if digest is not None and _digest(clipboard.text()) == digest:
            clipboard.clear()


def copy_secret(secret: str) -> None:
    """Put a secret on the clipboard for a minute, however long the dialog that shows it stays open. GUI thread."""
    application = QCoreApplication.instance()
    assert application is not None
    found = application.findChild(SecretClipboard)
    (found if isinstance(found, SecretClipboard) else SecretClipboard(application)).copy(secret)


def copy_plain(text: str) -> None:
    """Put something on the clipboard that is no secret, from where there are secrets too. GUI thread."""
    QGuiApplication.clipboard().setText(text)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
