"""From the places where state changes to the pages that show it: changes are merged before they are announced."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from app.domain.changes import Subject

_log = logging.getLogger(__name__)

PAUSE_S: Final = 0.05
"""Between two announcements of one subject."""
MOST_KEYS: Final = 256
"""More keys at once are not asked for one by one: then the whole subject has changed."""

Keys = frozenset[str] | None
"""Whose answers may be different; None: all of the subject."""
Announce = Callable[[Subject, Keys], None]


class ChangeFeed:
    """Takes notes of changes and announces them, merged, on a thread of its own.

    What changes state notes it here once the change is committed and memory agrees with it. A note costs next to
    nothing and takes no other lock, so that it may be taken under one. The first note of a subject is announced
    at once, those of the next moment together: no note is lost, and the last one is always announced.

    Thread: any.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        """Take notes from now on; :meth:`start` begins to announce them.

        Args:
            pause_s: the least time between two announcements of one subject.
        """
        self._pause_s = pause_s
        self._wake = threading.Condition()
        self._noted: dict[Subject, set[str] | None] = {}
        self._announced_s: dict[Subject, float] = {}
        self._watchers: tuple[Announce, ...] = ()
        self._announce: Announce | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    # --- noting ------------------------------------------------------------------------------------------------

    def note(self, subject: Subject, keys: Iterable[str] = ()) -> None:
        """Note that answers about a subject are different now: about these keys, or with none about all."""
        found = frozenset(keys) or None
        for watch in self._watchers:
            watch(subject, found)
        with self._wake:
            known = self._noted.get(subject, set())
            if found is None or known is None or len(known | found) > MOST_KEYS:
                self._noted[subject] = None
            else:
                self._noted[subject] = known | found
            self._wake.notify()

    def watch(self, watcher: Announce) -> None:
        """Call a function at every note, on the noting thread and before it is announced: to forget what it knew.

        It must be quick, take no lock that is held while something else is done, and not raise.
        """
        with self._wake:
            self._watchers = (*self._watchers, watcher)

    # --- announcing --------------------------------------------------------------------------------------------

    def start(self, announce: Announce) -> None:
        """Begin to announce; what was noted before is announced first."""
        self._announce = announce
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Announce what is left, and end; a second call does nothing."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (due := self._take_due()):
                    if self._closing and not self._noted:
                        return
                    self._wake.wait(self._patience_s())
            for subject, keys in due.items():
                self._announce_change(subject, keys)

    def _announce_change(self, subject: Subject, keys: Keys) -> None:
        assert self._announce is not None, "the thread runs only after start()"
        try:
            self._announce(subject, keys)
        except Exception:  # noqa: BLE001 - a bug of a listener must not end the announcements
            _log.exception("a change of %s was not announced", subject.value)

    def _take_due(self) -> dict[Subject, Keys]:
        """Take the notes whose pause is over; called under the lock."""
        now_s = time.monotonic()
        due: dict[Subject, Keys] = {
            subject: None if keys is None else frozenset(keys)
            for subject, keys in self._noted.items()
            if self._closing or now_s - self._announced_s.get(subject, 0.0) >= self._pause_s
        }
        for subject in due:
            del self._noted[subject]
            self._announced_s[subject] = now_s
        return due

    def _patience_s(self) -> float | None:
        """Return how long until the next pause is over; None without notes. Called under the lock."""
        if not self._noted:
            return None
        soonest_s = min(self._announced_s.get(subject, 0.0) for subject in self._noted) + self._pause_s
        return max(0.0, soonest_s - time.monotonic())
