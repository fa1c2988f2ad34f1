"""The end of the operator's session: logging out, shutting down. Nothing asks then, and nothing is in the way.

Qt reports it by ``commitDataRequest``: on Windows for WM_QUERYENDSESSION, on X11 for the session manager's
SaveYourself. Another program may still call the end off, so this one does not end there; it is ended a moment
later, by WM_ENDSESSION, by the session manager or by SIGTERM, and then ends in order like after Quit: running
tasks are stopped and cleaned up.
"""

import logging
import sys
from typing import Final

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_log = logging.getLogger(__name__)
_CALLED_OFF_MS: Final = 60_000
"""An end that has not come by then was called off; Qt does not report it."""

if sys.platform == "win32":
    import ctypes

    def hold_session(window: QWidget, reason: str) -> None:
        """Let Windows show why the program needs a moment, instead of killing it after five seconds."""
        ctypes.windll.user32.ShutdownBlockReasonCreate(int(window.winId()), ctypes.c_wchar_p(reason))

    def release_session(window: QWidget) -> None:
        """Need no moment any more."""
        ctypes.windll.user32.ShutdownBlockReasonDestroy(int(window.winId()))

else:

    def hold_session(window: QWidget, reason: str) -> None:
        """Do nothing: only Windows asks for a reason; elsewhere the system waits for a process that ends."""

    def release_session(window: QWidget) -> None:
        """Do nothing."""


class SessionEnd(QObject):
    """Knows whether the session is about to end. Thread: GUI.

    Signals:
        coming: the session is about to end; what outlasts it has to be saved now.
        called_off: it goes on after all.
    """

    coming = Signal()
    called_off = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_coming = False
        self._doubt = QTimer(self)
        self._doubt.setSingleShot(True)
        self._doubt.setInterval(_CALLED_OFF_MS)
        self._doubt.timeout.connect(self.call_off)
        application = QCoreApplication.instance()
        if isinstance(application, QGuiApplication):
            application.commitDataRequest.connect(self.announce)
            application.saveStateRequest.connect(self.coming)

    @property
    def is_coming(self) -> bool:
        """Return whether the session is about to end."""
        return self._is_coming

    def announce(self, _manager: object = None) -> None:
        """Take note that the session is about to end."""
        _log.info("the operator's session is about to end")
        self._is_coming = True
        self._doubt.start()
        self.coming.emit()

    def call_off(self) -> None:
        """Take note that it goes on."""
        self._is_coming = False
        self._doubt.stop()
        self.called_off.emit()
