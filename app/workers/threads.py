"""Running tasks on QThreads."""

import logging
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QThread

_log = logging.getLogger(__name__)


class _WorkThread(QThread):
    """One thread, one piece of work."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName(name)
        self._name = name
        self._work = work

    def run(self) -> None:
        """Do the work. Thread: this one."""
        threading.current_thread().name = self._name
        try:
            self._work()
        except Exception:  # noqa: BLE001 - work never raises by contract; a bug must not end the process
            _log.exception("the work of thread %s raised", self._name)


class QtTaskRunner:
    """Gives each running task a QThread of its own; fulfils ``app.engine.ports.TaskRunner``.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[_WorkThread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a new thread and return at once."""
        thread = _WorkThread(name, work)
        with self._lock:
            self._threads = [one for one in self._threads if not one.isFinished()]
            self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait until everything started has ended; return False when the time was up first."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                running = [one for one in self._threads if not one.isFinished()]
            if not running:
                return True
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0 or not running[0].wait(left_ms):
                return False
