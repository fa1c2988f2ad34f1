"""Signals of the operating system, heard by a program whose main thread waits in Qt's event loop.

Python carries out a handler when its main thread runs Python code again, which a loop that waits does not do. So
the interpreter writes each signal into a socket that the loop watches: nothing has to look again and again.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Slot

_SIGNALS_AT_ONCE = 64


class _Waking(QObject):
    """Lets Python code run when a signal has come. Thread: main."""

    def __init__(self, woken: socket.socket) -> None:
        super().__init__()
        self._woken = woken
        self._notifier = QSocketNotifier(woken.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_woken)

    @Slot()
    def _on_woken(self) -> None:
        # The interpreter carries out the handlers of signals before the next line of Python: that is all it takes.
        with suppress(BlockingIOError):
            self._woken.recv(_SIGNALS_AT_ONCE)


@contextmanager
def stop_signals_heard(note: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call a function upon SIGINT, SIGTERM or, on Windows, Ctrl+Break, also while Qt's event loop waits.

    Afterwards those who listened before do so again. There has to be an application object.

    Thread: main; the function is called there, between any two lines of Python.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        note(signal.Signals(number))

    kinds = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGBREAK"):
        kinds.append(signal.SIGBREAK)
    woken, waker = socket.socketpair()
    with woken, waker:
        for end in (woken, waker):
            end.settimeout(0)
        waking = _Waking(woken)
        before = {kind: signal.signal(kind, handle) for kind in kinds}
        fd_before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(fd_before)
            for kind, handler in before.items():
                signal.signal(kind, handler)
            del waking
