"""What is done for the repositories while nothing else is to do."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from app.domain.ids import PointId, StandbyId
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import KnownPoint, TaskRecord
from app.engine.commands.tasks import StartSweep, StartVerify
from app.engine.jobs import Workshop

_log = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(days=1)
VERIFY_EVERY = timedelta(days=30)
"""Every point is read back at least so often, the one that waited longest first."""
UPKEEP_PRIORITY = -10

Place = tuple[StandbyId, str]
Submit = Callable[[StartSweep | StartVerify], object]


class Keeper:
    """Asks for one piece of upkeep at a time. Thread: the scheduler's."""

    def __init__(self, workshop: Workshop, unfinished: Callable[[], Iterable[TaskRecord]], submit: Submit) -> None:
        self._workshop = workshop
        self._unfinished = unfinished
        self._submit = submit
        # Not right after the start: whoever starts the program has something else in mind.
        self._looked_at = workshop.clock.now()

    def look(self) -> None:
        """Ask for what is due, unless somebody else has work for the engine.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        now = self._workshop.clock.now()
        every = timedelta(seconds=self._workshop.settings.upkeep_look_s)
        if not every or timedelta(0) <= now - self._looked_at < every:
            return
        if any(True for _ in self._unfinished()):
            return
        self._looked_at = now
        request = next(self._due(now), None)
        if request is not None:
            self._submit(request)

    def _due(self, now: datetime) -> Iterator[StartSweep | StartVerify]:
        for standby, target_path in places_to_sweep(self._places(), self._last_sweeps(), now):
            yield StartSweep(standby=standby, target_path=target_path, priority=UPKEEP_PRIORITY)
        watch = self._workshop.standby_watch
        readable = (one for one in self._workshop.catalog.points.find() if not watch.is_locked(one.standby))
        point = longest_unverified(readable, now)
        if point is not None:
            yield StartVerify(
                standby=point.standby,
                target_path=point.target_path,
                point=point.point.id,
                priority=UPKEEP_PRIORITY,
            )

    def _places(self) -> list[Place]:
        standbys, watch = self._workshop.catalog.standbys, self._workshop.standby_watch
        open_ones = [one.id for one in standbys.all() if not watch.is_locked(one.id)]
        return [(one, path) for one in open_ones for path in sorted(standbys.repositories(one))]

    def _last_sweeps(self) -> dict[Place, datetime]:
        """Return when each repository was last swept, or tried to be."""
        found: dict[Place, datetime] = {}
        ended = self._workshop.catalog.tasks.find(
            kinds=[TaskKind.SWEEP], states=[TaskState.COMPLETED, TaskState.FAILED, TaskState.STOPPED], limit=1000
        )
        for record in ended:
            found.setdefault((record.standby, record.target_path), record.ended_at or record.created_at)
        return found


def places_to_sweep(places: Iterable[Place], swept: Mapping[Place, datetime], now: datetime) -> list[Place]:
    """Return the repositories whose sweep is due: those never swept, and those not swept for a day."""
    return [place for place in places if place not in swept or now - swept[place] >= SWEEP_EVERY]


def longest_unverified(points: Iterable[KnownPoint], now: datetime) -> KnownPoint | None:
    """Return the point whose data was checked longest ago, when that is due; its making counts as a check."""

    def checked_at(known: KnownPoint) -> tuple[datetime, PointId]:
        return known.verified_at or known.point.created_at, known.point.id

    oldest = min(points, key=checked_at, default=None)
    if oldest is None or now - checked_at(oldest)[0] < VERIFY_EVERY:
        return None
    return oldest
