"""Answers that are kept until something changes them, or until they are too old to be believed."""

import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from app.core.changes import ChangeFeed, Keys
from app.core.clock import Clock
from app.domain.changes import Subject

T = TypeVar("T")


class HeldAnswers:
    """Keeps parts of answers that are read from large tables.

    Values are given out as they are, so they must not be changed. Thread: any; two that ask at once may both read.
    """

    def __init__(self, changes: ChangeFeed, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._versions = dict.fromkeys(Subject, 0)
        self._held: dict[str, tuple[datetime, object, Any]] = {}
        """Of each answer: when it was read, what it was made of, and what it is."""
        changes.watch(self._on_changed)

    def get(
        self,
        name: str,
        read: Callable[[], T],
        *,
        of: Collection[Subject],
        at_most: timedelta,
        given: object = None,
    ) -> T:
        """Return what is kept, else what ``read`` returns.

        Args:
            name: of the answer.
            read: makes it.
            of: subjects whose change makes it another one.
            at_most: so long it is kept, where the clock alone may make it another one.
            given: anything else that it depends on; equal values mean the same answer.
        """
        now = self._clock.now()
        with self._lock:
            made_of = ([self._versions[subject] for subject in of], given)
            held = self._held.get(name)
        if held is not None and held[1] == made_of and timedelta(0) <= now - held[0] < at_most:
            return cast(T, held[2])
        value = read()
        with self._lock:
            self._held[name] = (now, made_of, value)  # with the versions of before: what changed meanwhile counts
        return value

    def _on_changed(self, subject: Subject, _keys: Keys) -> None:
        with self._lock:
            self._versions[subject] += 1
