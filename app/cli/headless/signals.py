"""Turns a request to stop (SIGTERM, SIGINT, Ctrl+Break) into the end of Qt's event loop on the main thread."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from PySide6.QtCore import QCoreApplication, QObject, QSocketNotifier, Qt, Signal, Slot

_SIGNALS_AT_ONCE = 64


class _Waking(QObject):
    """Ends the event loop from any thread, and lets the interpreter see signals while the loop waits."""

    named = Signal()

    def __init__(self, woken: socket.socket) -> None:
        super().__init__()
        self._woken = woken
        self._notifier = QSocketNotifier(woken.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_woken)
        self.named.connect(self._on_named, Qt.ConnectionType.QueuedConnection)

    @Slot()
    def _on_woken(self) -> None:
        # The interpreter carries out the handlers of signals before the next line of Python: that is all it takes.
        with suppress(BlockingIOError):
            self._woken.recv(_SIGNALS_AT_ONCE)

    @Slot()
    def _on_named(self) -> None:
        QCoreApplication.exit()


class StopRequest:
    """Set by SIGTERM, SIGINT or, on Windows, Ctrl+Break; or by the program that started this one. Thread: any."""

    def __init__(self, waking: _Waking) -> None:
        self.name = ""
        self._lock = threading.RLock()  # a signal may come while the main thread holds it
        self._waking: _Waking | None = waking

    def wait(self) -> None:
        """Run the event loop until the program is to end. Thread: main."""
        if not self.name:
            QCoreApplication.exec()

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; called by the interpreter on the main thread."""
        self.name_it(signal.Signals(number).name)

    def name_it(self, name: str) -> None:
        """Set it, and name who asked for it."""
        self.name = name
        with self._lock:
            if self._waking is not None:
                self._waking.named.emit()

    def forget_loop(self) -> None:
        """Release what belongs to Qt: other threads may hold this object longer than there is a loop."""
        with self._lock:
            self._waking = None


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Make the event loop of a program without a window, and listen to the signals that end it.

    Afterwards those who listened before do so again. Thread: main.
    """
    application = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    woken, waker = socket.socketpair()
    with woken, waker:
        for end in (woken, waker):
            end.settimeout(0)
        stop = StopRequest(_Waking(woken))
        kinds = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGBREAK"):
            kinds.append(signal.SIGBREAK)
        before = {kind: signal.signal(kind, stop.note) for kind in kinds}
        woken_before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            yield stop
        finally:
            signal.set_wakeup_fd(woken_before)
            for kind, handler in before.items():
                signal.signal(kind, handler)
            stop.forget_loop()
    del application
