"""Answers that are read from large tables and asked for again every second."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Caches what was read until the tables are written to; only where no other process writes them.

    Values are given out as they are, so they must not be changed by anyone. Thread: any.
    """

    def __init__(self, *, is_alone: bool) -> None:
        """Remember nothing yet.

        Args:
            is_alone: whether this process alone writes the tables; where it does not, nothing is remembered.
        """
        self._is_alone = is_alone
        self._lock = threading.Lock()
        self._version = 0
        self._known: T | None = None

    def get(self, read: Callable[[], T]) -> T:
        """Return what is known, else what ``read`` returns."""
        with self._lock:
            version, known = self._version, self._known
        if known is not None:
            return known
        value = read()
        with self._lock:
            # What was written while it was read may not be in it.
            if self._is_alone and self._version == version:
                self._known = value
        return value

    def forget(self) -> None:
        """Read again at the next question; to be called after each commit that wrote the tables."""
        with self._lock:
            self._version += 1
            self._known = None

    def change(self, changed: Callable[[T], T]) -> None:
        """Put what became of the known value in its place; called right after the commit that wrote the tables."""
        with self._lock:
            self._version += 1
            if self._known is not None:
                self._known = changed(self._known)
