"""A bot for Qt that waits long: a time limit is for what never comes, not for a slow machine."""

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import SignalInstance
from pytestqt.qtbot import QtBot
from pytestqt.wait_signal import SignalBlocker

PATIENCE_MS: Final = 30_000


class PatientBot(QtBot):
    """What pytest-qt gives, with a longer time limit where a test states none. Thread: GUI."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE_MS) -> None:
        """Wait until a condition is true."""
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: SignalInstance, *, timeout: int = PATIENCE_MS, **how: Any) -> SignalBlocker:
        """Wait at the end of the block for a signal."""
        return super().waitSignal(signal, timeout=timeout, **how)
