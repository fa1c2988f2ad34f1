"""Running tasks on QThreads."""

import logging
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Slot

_log = logging.getLogger(__name__)


class WorkThread(QThread):
    """One thread, one piece of work."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.name = name
        self.is_handed_over = False
        """Whether the one who started it has let go of it."""
        self._work: Callable[[], None] | None = work

    def run(self) -> None:
        """Do the work. Thread: this one."""
        threading.current_thread().name = self.name
        work, self._work = self._work, None
        assert work is not None
        try:
            work()
        except Exception:  # noqa: BLE001 - work never raises by contract; a bug must not end the process
            _log.exception("the work of thread %s raised", self.name)


class _Clearing(QObject):
    """Lets go of threads that have ended, on the thread of the event loop and on no other."""

    def __init__(self, clear: Callable[[], None]) -> None:
        super().__init__()
        self._clear = clear

    @Slot()
    def on_finished(self) -> None:
        """Let go of what has ended."""
        self._clear()


class QtTaskRunner:
    """Gives each running task a QThread of its own; fulfils ``app.engine.ports.TaskRunner``.

    A QThread must not be destroyed by the thread that happens to drop its last reference, nor by the garbage
    collector (``docs/decisions/0016-garbage-on-the-gui-thread.md``). Each one belongs to the thread of the event
    loop, is held here while it runs, and is let go of there.

    Thread: any; made, joined and closed on the thread of the event loop.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[WorkThread] = []
        self._clearing: _Clearing | None = _Clearing(self._clear)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a new thread and return at once."""
        thread = WorkThread(name, work)
        application = QCoreApplication.instance()
        if application is not None:
            thread.moveToThread(application.thread())
        with self._lock:
            if self._clearing is not None:
                thread.finished.connect(self._clearing.on_finished, Qt.ConnectionType.QueuedConnection)
            self._threads.append(thread)
        thread.start()
        thread.is_handed_over = True

    def join(self, timeout_s: float) -> bool:
        """Wait until everything started has ended; return False when the time was up first."""
        deadline = time.monotonic() + timeout_s
        while True:
            running = self._running()
            if not running:
                return True
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0 or not running[0].wait(left_ms):
                return False

    def close(self) -> tuple[str, ...]:
        """Let go of all threads that have ended; return the names of those that have not, and are kept."""
        self._clear()
        with self._lock:
            self._clearing = None
        return tuple(thread.name for thread in self._running())

    def _running(self) -> list[WorkThread]:
        with self._lock:
            return [thread for thread in self._threads if not thread.isFinished()]

    def _clear(self) -> None:
        with self._lock:
            ended = [thread for thread in self._threads if thread.is_handed_over and thread.isFinished()]
            self._threads = [thread for thread in self._threads if thread not in ended]
        del ended  # outside of the lock: a thread that is just ending is waited for
