"""Cooperative cancellation: checked per chunk, never forced."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from app.domain.errors import TaskCancelled


class CancelToken:
    """Carries the operator's request to stop into a task.

    Thread: any; a token may be cancelled from the GUI while workers check it.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._shields = 0
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ask the task to stop at its next check."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Return whether stopping was asked for, shielded or not."""
        return self._event.is_set()

    def check(self) -> None:
        """Go on, or stop here.

        Raises:
            TaskCancelled: stopping was asked for and no shield is up.
        """
        if self._event.is_set() and not self._shields:
            raise TaskCancelled

    def wait(self, seconds: float) -> None:
        """Sleep, but wake at a cancellation.

        Raises:
            TaskCancelled: stopping was asked for and no shield is up.
        """
        if self._shields:
            threading.Event().wait(seconds)
        else:
            self._event.wait(seconds)
        self.check()

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Ignore cancellation inside the block; used where a production host would be left in disorder."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1


_current: ContextVar[CancelToken | None] = ContextVar("stop_wish", default=None)


@contextmanager
def stoppable(token: CancelToken) -> Iterator[None]:
    """Let a token stop what this thread does inside the block, where it looks for :func:`stop_wish`.

    For queries only: what changes nothing may end anywhere.
    """
    before = _current.set(token)
    try:
        yield
    finally:
        _current.reset(before)


def stop_wish() -> CancelToken | None:
    """Return the token that may stop what this thread does; None where nothing may."""
    return _current.get()
