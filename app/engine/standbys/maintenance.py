"""What is done for the repositories while nothing else is to do."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from app.core.clock import Clock
from app.domain.ids import PointId, StandbyId
from app.domain.moments import believed, is_due
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import KnownPoint, TaskRecord
from app.engine.ports import Catalog
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.spec import GarbageSpec, VerifySpec

_log = logging.getLogger(__name__)

COLLECT_EVERY = timedelta(days=1)
VERIFY_EVERY = timedelta(days=30)
"""Every point is read back at least so often, the one that waited longest first."""
MAINTENANCE_PRIORITY = -10
_NEVER = datetime.min.replace(tzinfo=UTC)

Place = tuple[StandbyId, str]
Submit = Callable[[GarbageSpec | VerifySpec], object]


class MaintenanceSchedule:
    """Queues one garbage collection or verification at a time, when nothing else runs. Thread: the scheduler's."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        watch: StandbyWatch,
        clock: Clock,
        look_every_s: float,
        unfinished: Callable[[], Iterable[TaskRecord]],
        submit: Submit,
    ) -> None:
        self._catalog = catalog
        self._watch = watch
        self._clock = clock
        self._look_every_s = look_every_s
        self._unfinished = unfinished
        self._submit = submit
        # Not right after the start: people start the program to do something else.
        self._looked_at = clock.now()

    def look(self) -> None:
        """Ask for what is due, unless the engine has other work.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        now = self._clock.now()
        every = timedelta(seconds=self._look_every_s)
        if not every or timedelta(0) <= now - self._looked_at < every:
            return
        if any(True for _ in self._unfinished()):
            return
        self._looked_at = now
        spec = next(self._due(now), None)
        if spec is not None:
            self._submit(spec)

    def _due(self, now: datetime) -> Iterator[GarbageSpec | VerifySpec]:
        for standby, target_path in places_to_collect(self._places(), self._last_collections(now), now):
            yield GarbageSpec(standby=standby, target_path=target_path, priority=MAINTENANCE_PRIORITY)
        watch = self._watch
        readable = (known for known in self._catalog.points.find() if not watch.is_locked(known.standby))
        point = longest_unverified(readable, now)
        if point is not None:
            yield VerifySpec(
                standby=point.standby,
                target_path=point.target_path,
                point=point.point.id,
                priority=MAINTENANCE_PRIORITY,
            )

    def _places(self) -> list[Place]:
        standbys, watch = self._catalog.standbys, self._watch
        open_standbys = [standby.id for standby in standbys.all() if not watch.is_locked(standby.id)]
        return [(standby, path) for standby in open_standbys for path in sorted(standbys.repositories(standby))]

    def _last_collections(self, now: datetime) -> dict[Place, datetime]:
        """Return when garbage was last collected in each repository, or that was tried, as far as is believed."""
        found: dict[Place, datetime] = {}
        ended = self._catalog.tasks.find(
            kinds=[TaskKind.GARBAGE_COLLECTION],
            states=[TaskState.COMPLETED, TaskState.FAILED, TaskState.STOPPED],
            limit=1000,
        )
        for record in ended:
            at = believed(record.ended_at or record.created_at, now)
            if at is not None:
                found.setdefault((record.standby, record.target_path), at)
        return found


def places_to_collect(places: Iterable[Place], collected: Mapping[Place, datetime], now: datetime) -> list[Place]:
    """Return the repositories whose garbage collection is due: not done for a day, or never as far as is known."""
    return [place for place in places if is_due(collected.get(place), COLLECT_EVERY, now)]


def longest_unverified(points: Iterable[KnownPoint], now: datetime) -> KnownPoint | None:
    """Return the point whose data was checked longest ago, when that is due; its making counts as a check.

    A point of which no moment can be believed comes first.
    """

    def checked_at(known: KnownPoint) -> datetime | None:
        return believed(known.verified_at, now) or believed(known.point.created_at, now)

    def place(known: KnownPoint) -> tuple[datetime, PointId]:
        return checked_at(known) or _NEVER, known.point.id

    oldest = min(points, key=place, default=None)
    return oldest if oldest is not None and is_due(checked_at(oldest), VERIFY_EVERY, now) else None
