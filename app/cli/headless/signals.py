"""Turns a request to stop (SIGTERM, SIGINT, Ctrl+Break) into the end of Qt's event loop on the main thread."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

from app.workers.signals import stop_signals_heard


class _Ending(QObject):
    """Ends the event loop from any thread."""

    named = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.named.connect(self._on_named, Qt.ConnectionType.QueuedConnection)

    @Slot()
    def _on_named(self) -> None:
        QCoreApplication.exit()


class StopRequest:
    """Set by SIGTERM, SIGINT or, on Windows, Ctrl+Break; or by the program that started this one. Thread: any."""

    def __init__(self) -> None:
        self.name = ""
        self._lock = threading.RLock()  # a signal may come while the main thread holds it
        self._ending: _Ending | None = _Ending()

    def wait(self) -> None:
        """Run the event loop until the program is to end. Thread: main."""
        if not self.name:
            QCoreApplication.exec()

    def note(self, kind: signal.Signals) -> None:
        """Take a signal; called by the interpreter on the main thread."""
        self.name_it(kind.name)

    def name_it(self, name: str) -> None:
        """Set it, and name who asked for it."""
        self.name = name
        with self._lock:
            if self._ending is not None:
                self._ending.named.emit()

    def forget_loop(self) -> None:
        """Release what belongs to Qt: other threads may hold this object longer than there is a loop."""
        with self._lock:
            self._ending = None


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Make the event loop of a program without a window, and listen to the signals that end it.

    Afterwards those who listened before do so again. Thread: main.
    """
    application = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    stop = StopRequest()
    try:
        with stop_signals_heard(stop.note):
            yield stop
    finally:
        stop.forget_loop()
    del application
