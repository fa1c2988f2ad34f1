"""Plain threads for work that has to run in parallel with its caller."""

import threading
import time
from collections.abc import Callable


class ThreadRunner:
    """Runs each piece of work on a thread of its own; how many there are is the caller's decision.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a new thread and return at once."""
        thread = threading.Thread(target=work, name=name)
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread.start()
            self._threads.append(thread)

    def join(self, timeout_s: float) -> bool:
        """Wait until everything started has ended; return False when the time was up first."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                waiting = [thread for thread in self._threads if thread is not threading.current_thread()]
            if not waiting:
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            waiting[0].join(left_s)
