"""Writes to the catalog that could not be made: its disk is full, or another program holds it for seconds."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.domain.errors import OperationalError

_log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
"""Between two attempts."""
MOST_LINES: Final = 10_000
"""Lines of the log that wait; further ones are lost, and counted."""


@dataclass(frozen=True, slots=True)
class _Write:
    act: Callable[[], None]
    what: str
    may_be_lost: bool


class LateWrites:
    """Writes now, or, in the same order, as soon as the catalog takes it again. Thread: any.

    The end of a task must not be lost: it would run for ever in every list, and could not be stopped.
    """

    def __init__(self, *, on_lost: Callable[[int], None] = lambda _count: None, pause_s: float = PAUSE_S) -> None:
        """Prepare.

        Args:
            on_lost: called with how many lines of the log were lost, once everything else was written.
            pause_s: between two attempts.
        """
        self._on_lost = on_lost
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._waiting: deque[_Write] = deque()
        self._lines = self._lost = 0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def write(self, act: Callable[[], None], what: str, *, may_be_lost: bool = False) -> bool:
        """Write something; return whether that was done now.

        Args:
            act: writes it; called again until it does not raise an :class:`OperationalError` any more.
            what: it is, for the program's own log.
            may_be_lost: True for a line of the log, of which only so many can wait.
        """
        with self._lock:
            is_first = not self._waiting
        if is_first:
            try:
                act()
            except OperationalError as error:
                _log.warning("%s is written later: %s", what, error)
            else:
                return True
        self._keep(_Write(act, what, may_be_lost))
        return False

    def close(self, within_s: float) -> None:
        """Try for so long to write what waits; what is left is settled by the next start."""
        self._closing.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(within_s)
            if thread.is_alive():  # in the middle of a write; it goes on with the others
                return
        self._write_waiting()

    def _keep(self, write: _Write) -> None:
        with self._lock:
            if write.may_be_lost and self._lines >= MOST_LINES:
                self._lost += 1
                return
            self._lines += write.may_be_lost
            self._waiting.append(write)
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="late-writes", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(self._pause_s):
            if self._write_waiting():
                return

    def _write_waiting(self) -> bool:
        """Write what waits, in its order; return whether nothing waits any more."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    lost, self._lost = self._lost, 0
                    break
                write = self._waiting[0]
            try:
                write.act()
            except OperationalError:
                return False
            except Exception:  # noqa: BLE001 - a bug in one write must not keep the others waiting
                _log.exception("%s could not be written", write.what)
            with self._lock:
                self._waiting.popleft()
                self._lines -= write.may_be_lost
        if lost:
            self._on_lost(lost)
        return True
