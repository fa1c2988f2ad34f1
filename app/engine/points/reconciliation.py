"""The list of restore points in the catalog is made to agree with what the repositories say themselves.

A point becomes visible in its repository first and is listed afterwards, and it is deleted in the same order: a
kill in between, or another console, leaves the two apart. They are compared at the start, after tasks that did not
complete, after garbage collection, and when a standby machine is back; what cannot be read then is read later.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.events import Event, StandbyUsabilityChanged
from app.domain.ids import StandbyId
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.points.list import PointList
from app.engine.ports import StandbyStore
from app.engine.standbys.watch import StandbyWatch

_log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""A repository that could not be read is tried again after so long."""

Place = tuple[StandbyId, str]
Aside = Callable[[str, Callable[[], None]], None]
"""Runs work under a name on a thread of its own."""


class PointReconciler:
    """Decides when repositories are compared with the catalog, and does it in the background. Thread: any."""

    def __init__(
        self,
        point_list: PointList,
        *,
        standbys: StandbyStore,
        watch: StandbyWatch,
        journal: Journal,
        bus: EventBus,
        clock: Clock,
        aside: Aside,
    ) -> None:
        self._list = point_list
        self._standbys = standbys
        self._watch = watch
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._aside = aside
        self._lock = threading.Lock()
        self._waiting: dict[Place, float] = {}
        """Repositories that are still to be read, and since when by the stopwatch they may be."""
        self._reading: set[StandbyId] = set()
        bus.subscribe(self._on_event)

    def compare_all(self) -> None:
        """Compare every repository that is known, soon.

        Raises:
            CatalogUnavailable: they cannot be told.
        """
        for standby in self._standbys.all():
            self._compare_standby(standby.id)
        self.look()

    def compare(self, standby: StandbyId, target_path: str) -> None:
        """Compare one repository now, on the caller's thread; what cannot be read is read later. Never raises."""
        try:
            if target_path in self._standbys.repositories(standby):
                self._compare(standby, target_path)
        except OperationalError as error:
            _log.info("the points at %s are compared later: %s", target_path or "/", error)
            self._wait_for([(standby, target_path)], AGAIN_S)

    def look(self) -> None:
        """Begin to read what is still to be read, where the standby can be used; one thread for each standby."""
        now_s, watch = self._clock.monotonic(), self._watch
        with self._lock:
            due: dict[StandbyId, list[str]] = {}
            for (standby, target_path), since_s in self._waiting.items():
                if since_s <= now_s and standby not in self._reading:
                    due.setdefault(standby, []).append(target_path)
        for standby, paths in due.items():
            health = watch.health(standby)
            if (health is not None and not health.reachable) or watch.is_locked(standby):
                continue
            with self._lock:
                for path in paths:
                    self._waiting.pop((standby, path), None)
                self._reading.add(standby)
            self._aside(f"points-{standby}", partial(self._read, standby, paths))

    def _read(self, standby: StandbyId, paths: Iterable[str]) -> None:
        try:
            for path in paths:
                self.compare(standby, path)
        finally:
            with self._lock:
                self._reading.discard(standby)

    def _compare(self, standby: StandbyId, target_path: str) -> None:
        found = self._list.agree(standby, target_path)
        if not found.adopted and not found.gone:
            return
        known = self._standbys.get(standby)
        log = self._journal.about("" if known is None else known.name, "standby.refresh")
        if found.adopted:
            log.info(messages.POINTS_ADOPTED, count=len(found.adopted), points=", ".join(found.adopted))
        if found.gone:
            log.info(messages.POINTS_GONE, count=len(found.gone), points=", ".join(found.gone))

    def _compare_standby(self, standby: StandbyId) -> None:
        paths = self._standbys.repositories(standby)
        self._wait_for([(standby, path) for path in sorted(paths)], 0.0)

    def _wait_for(self, places: Iterable[Place], pause_s: float) -> None:
        since_s = self._clock.monotonic() + pause_s
        with self._lock:
            self._waiting.update(dict.fromkeys(places, since_s))

    def _on_event(self, event: Event) -> None:
        """Read a standby again that is back: others may have written there meanwhile."""
        if isinstance(event, StandbyUsabilityChanged) and event.usable:
            try:
                self._compare_standby(event.standby)
            except OperationalError as error:
                _log.info("the points of a standby that is back are compared later: %s", error)
