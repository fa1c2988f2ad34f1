"""Sessions that their client left without a word: a host keeps their disks locked until it expires them.

Source: protocols page *NFC*, section 4a.15.
"""

import threading
from collections.abc import Callable

from app.core.clock import Clock

_LOOK_S = 0.02


class AbandonedSessions:
    """Keeps what abandoned sessions hold for as long as a host does.

    Thread: any; while something is kept, a thread of its own looks at the clock.
    """

    def __init__(self, clock: Clock, kept_s: float) -> None:
        """Keep nothing yet.

        Args:
            clock: what the time is taken from.
            kept_s: how long a session is kept; 0: not at all.
        """
        self._clock = clock
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._kept: list[tuple[float, Callable[[], None]]] = []
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def keep(self, release: Callable[[], None]) -> None:
        """Release what a session holds once its time is over."""
        if not self._kept_s or self._ending.is_set():
            release()
            return
        with self._lock:
            self._kept.append((self._clock.monotonic() + self._kept_s, release))
            if self._thread is None:
                self._thread = threading.Thread(target=self._expire, name="nfc-abandoned", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Release everything, and end the thread."""
        self._ending.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _expire(self) -> None:
        while True:
            is_ending = self._ending.wait(_LOOK_S)
            now = self._clock.monotonic()
            with self._lock:
                due = [release for until, release in self._kept if is_ending or until <= now]
                self._kept = [kept for kept in self._kept if kept[1] not in due]
                if not self._kept:
                    self._thread = None
            for release in due:
                release()
            if self._thread is None:
                return
