"""What every kind of task works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from app.core.access import DiskTransports
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.patience import Patience
from app.domain.ids import PlatformId, TaskId
from app.engine import messages
from app.engine.backup.snapshots import SnapshotSweeper
from app.engine.log.journal import Journal
from app.engine.platforms.sessions import Sessions
from app.engine.ports import Catalog
from app.engine.program.clockwatch import ClockWatch
from app.engine.settings import EngineSettings
from app.engine.standbys.repositories import Repositories
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.log import CatalogTaskLog
from app.engine.tasks.stages import Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The parts that the tasks of an engine share. Thread: any."""

    sessions: Sessions
    transports: DiskTransports
    repositories: Repositories
    catalog: Catalog
    clock: Clock
    bus: EventBus
    settings: EngineSettings
    sweeper: SnapshotSweeper
    journal: Journal
    """The operator's log for what belongs to no task."""
    zone: Callable[[], tzinfo]
    """The operator's time zone as it is set now."""
    standby_watch: StandbyWatch
    clock_watch: ClockWatch
    """Says whether what is old may be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One running task with its surroundings."""

    context: TaskContext
    log: CatalogTaskLog
    """The same log as the context's, which also takes finished messages."""
    stages: Stages

    @property
    def task(self) -> TaskId:
        """Key of the task."""
        return self.context.task


def patience_for(workshop: Workshop, context: TaskContext, platform: PlatformId) -> Patience:
    """Return how a task waits for its platform; it says in the task's log that it does, and for how long.

    Raises:
        PlatformUnknown: there is no platform of that id.
    """
    address, limit_s = workshop.sessions.platform(platform).address, workshop.settings.platform_outage_s

    def say_away(detail: str) -> None:
        if limit_s:
            context.log.warning(messages.PLATFORM_AWAY, address=address, detail=detail, seconds=round(limit_s))

    def say_back(seconds: float) -> None:
        context.log.info(messages.PLATFORM_BACK, address=address, seconds=round(seconds))

    return Patience(context.clock, context.cancel, limit_s, on_away=say_away, on_back=say_back)
