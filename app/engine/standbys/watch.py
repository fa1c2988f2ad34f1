"""Looks at standby machines in the background, so that a share that hangs blocks nothing else."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from app.core.bus import EventBus
from app.core.changes import ChangeFeed
from app.core.clock import Clock
from app.domain.changes import Subject
from app.domain.errors import OperationalError, StandbyUnavailable
from app.domain.events import StandbyUsabilityChanged
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine import messages
from app.engine.history.messages import STANDBY_LOCKED
from app.engine.log.journal import Journal
from app.engine.ports import StandbyStore
from app.engine.reasons import NO_ANSWER
from app.engine.standbys.filesystems import StandbyHealth, look_at

REFRESH_S: Final = 15.0
"""How old a look may become before another one is taken."""
PATIENCE_S: Final = 10.0
"""How long a look may take before the standby counts as unreachable."""
NOTABLE_ROOM: Final = 0.005
"""The part of a standby's space by which its free space has to differ before that is announced."""


class StandbyWatch:
    """Remembers how standby machines were a moment ago, and looks again when that is too long ago.

    Thread: any. Each look is on a daemon thread of its own, at most one per standby.
    """

    def __init__(
        self,
        standbys: StandbyStore,
        clock: Clock,
        bus: EventBus,
        changes: ChangeFeed,
        journal: Journal,
        *,
        encryption_problem: Callable[[Standby], OperationalError | None],
        note_clock: Callable[[Standby, timedelta], None],
    ) -> None:
        self._standbys = standbys
        self._clock = clock
        self._bus = bus
        self._changes = changes
        self._journal = journal
        self._encryption_problem = encryption_problem
        self._note_clock = note_clock
        self._lock = threading.Lock()
        self._found: dict[StandbyId, StandbyHealth] = {}
        self._begun_at_s: dict[StandbyId, float] = {}
        self._looking: dict[StandbyId, threading.Thread] = {}
        self._announced: dict[StandbyId, StandbyHealth] = {}
        self._hanging: set[StandbyId] = set()
        self._usable: dict[StandbyId, bool] = {}
        self._locked: dict[StandbyId, bool] = {}
        self._closed = False

    def refresh(self, *, wait_s: float = 0.0, again: bool = False) -> None:
        """Look at every standby that was not looked at for a while.

        Args:
            wait_s: how long to wait for the looks that are under way.
            again: True looks again however recent the last look is.
        """
        standbys = self._standbys.all()
        self._note_hanging(standbys)
        threads = [thread for standby in standbys if (thread := self._look_later(standby, again=again))]
        for thread in threads:
            thread.join(wait_s / len(threads))

    def health(self, standby: StandbyId) -> StandbyHealth | None:
        """Return how a standby was last; None before the first look has ended."""
        with self._lock:
            if self._hangs(standby):
                problem = StandbyUnavailable(path="", detail=NO_ANSWER)
                return StandbyHealth(reachable=False, writable=False, error=problem)
            return self._found.get(standby)

    def is_usable(self, standby: StandbyId) -> bool:
        """Return whether backups can go to a standby; one that was never looked at counts as usable."""
        health = self.health(standby)
        return health is None or _is_usable(health)

    def is_locked(self, standby: StandbyId) -> bool:
        """Return whether encrypted repositories cannot be opened for want of a key."""
        health = self.health(standby)
        return health is not None and health.locked is not None

    def close(self, wait_s: float = 2.0) -> None:
        """Take no more looks and report no more; a look that hangs is left to itself."""
        with self._lock:
            self._closed = True
            looking = list(self._looking.values())
        for thread in looking:
            thread.join(wait_s / len(looking))

    def _hangs(self, standby: StandbyId) -> bool:
        begun_at_s = self._begun_at_s.get(standby)
        return (
            standby in self._looking
            and begun_at_s is not None
            and self._clock.monotonic() - begun_at_s > PATIENCE_S
            and self._looking[standby].is_alive()
        )

    def _note_hanging(self, standbys: Iterable[Standby]) -> None:
        """Announce that a look has begun to take too long."""
        with self._lock:
            hanging = {standby.id for standby in standbys if self._hangs(standby.id)}
            fresh, self._hanging = hanging - self._hanging, hanging
        if fresh:
            self._changes.note(Subject.STANDBYS, fresh)
            self._changes.note(Subject.RULES)

    def _look_later(self, standby: Standby, *, again: bool) -> threading.Thread | None:
        now_s = self._clock.monotonic()
        with self._lock:
            looking = self._looking.get(standby.id)
            if looking is not None or self._closed:
                return looking
            begun_at_s = self._begun_at_s.get(standby.id)
            if not again and begun_at_s is not None and now_s - begun_at_s < REFRESH_S:
                return None
            self._begun_at_s[standby.id] = now_s
            name = f"look-{standby.name}"
            looking = threading.Thread(target=self._look, args=(standby,), name=name, daemon=True)
            self._looking[standby.id] = looking
            looking.start()
            return looking

    def _look(self, standby: Standby) -> None:
        found = look_at(standby)
        if found.reachable:
            found = replace(found, locked=self._encryption_problem(standby))
        if found.clock_ahead is not None:
            self._note_clock(standby, found.clock_ahead)
        usable = _is_usable(found)
        with self._lock:
            was_hanging = standby.id in self._hanging
            self._hanging.discard(standby.id)
            before = self._announced.get(standby.id)
            is_news = was_hanging or _looks_different(before, found)
            if is_news:
                self._announced[standby.id] = found
            self._found[standby.id] = found
            self._looking.pop(standby.id, None)
            locked = self._note_lock(standby, found)
            changed = self._usable.get(standby.id, True) != usable and not self._closed
            self._usable[standby.id] = usable
        if is_news:
            self._changes.note(Subject.STANDBYS, [standby.id])
        if was_hanging or before is None or _is_usable(before) != usable:
            self._changes.note(Subject.RULES)
        if changed:
            self._report(standby, found, usable=usable)
        if locked is not None:
            self._journal.about(standby.name, "standby.watch").warning(STANDBY_LOCKED, detail=locked)

    def _note_lock(self, standby: Standby, found: StandbyHealth) -> OperationalError | None:
        """Return why a standby is locked when that is news."""
        if not found.reachable or self._closed:
            return None
        was, self._locked[standby.id] = self._locked.get(standby.id, False), found.locked is not None
        return None if was else found.locked

    def _report(self, standby: Standby, found: StandbyHealth, *, usable: bool) -> None:
        log = self._journal.about(standby.name, "standby.watch")
        if usable:
            log.info(messages.STANDBY_BACK)
        else:
            log.error(messages.STANDBY_LOST, detail=found.error or "")
        self._bus.publish(StandbyUsabilityChanged(at=self._clock.now(), standby=standby.id, usable=usable))


def _is_usable(health: StandbyHealth) -> bool:
    return health.reachable and health.writable


def _looks_different(before: StandbyHealth | None, now: StandbyHealth) -> bool:
    """Tell whether what is shown of a standby has changed, but for a free space that is nearly as it was.

    The free space of a disk in use is another one at every look; who shows it asks again after a while anyway.
    """
    if before is None or _shown(before) != _shown(now):
        return True
    if before.free_bytes is None or now.free_bytes is None:
        return before.free_bytes != now.free_bytes
    return abs(before.free_bytes - now.free_bytes) > NOTABLE_ROOM * (now.total_bytes or 0)


def _shown(health: StandbyHealth) -> tuple[object, ...]:
    errors = [None if error is None else (error.code, error.params) for error in (health.error, health.locked)]
    return (health.reachable, health.writable, health.total_bytes, *errors)
