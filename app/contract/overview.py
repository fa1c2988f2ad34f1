"""The overview, the state of the engine, and the search."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.contract.base import Query
from app.contract.tasks import TaskRow
from app.domain.clocks import ClockDoubt
from app.domain.concerns import Concern, PlatformCoverage, RuleStops, StandbyCondition, concerns
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.proofs import UnprovenVm


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueVm:
    """A VM whose newest point is older than its policy wants."""

    rule: RuleId
    vm: VmId
    name: str
    newest_point: datetime | None
    expected_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyGauge:
    """How full a standby is."""

    name: str
    total_bytes: int | None
    free_bytes: int | None
    reachable: bool
    locked: bool = False
    """Whether its repositories are encrypted with a key that this machine does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """首页: are we safe?"""

    protected_vms: int
    known_vms: int | None
    """VMs on all platforms, from the last inventory; None when there was none yet."""
    succeeded_7d: int
    failed_7d: int
    failures: tuple[TaskRow, ...]
    """Newest failure per VM whose last run failed."""
    overdue: tuple[OverdueVm, ...]
    """Those that are overdue for longest; :attr:`overdue_count` says of how many."""
    running: tuple[TaskRow, ...]
    pending: int
    next_runs: tuple[tuple[datetime, str], ...]
    """Moment and rule name, soonest first, at most eight."""
    standbys: tuple[StandbyGauge, ...]
    point_count: int
    overdue_count: int = 0
    platforms: tuple[PlatformCoverage, ...] = ()
    """All platforms, also those that were never reached."""
    stops: tuple[RuleStops, ...] = ()
    """Rules of which VMs are stopped."""
    clock_doubts: tuple[ClockDoubt, ...] = ()
    """Why this machine's clock is not believed: meanwhile nothing is removed for its age."""
    proven_vms: int = 0
    """VMs in rules of which a restore point was ever proven, in whichever way."""
    booted_vms: int = 0
    """Those of them whose last proof was that the guest system came up."""
    unproven: tuple[UnprovenVm, ...] = ()
    """VMs without a proof for longer than their rules say, the longest first; :attr:`unproven_count` says of how
    many."""
    unproven_count: int = 0
    troubled_vms: int = 0
    """VMs that run from restore points whose standby is away, full or read-only."""

    def concerns(self) -> tuple[Concern, ...]:
        """Return what stands against "all is well", worst first."""
        return concerns(
            failed_count=len(self.failures),
            overdue_count=max(self.overdue_count, len(self.overdue)),
            platforms=self.platforms,
            stops=self.stops,
            unproven_count=max(self.unproven_count, len(self.unproven)),
            troubled_count=self.troubled_vms,
            standbys=[
                StandbyCondition(
                    name=standby.name,
                    reachable=standby.reachable,
                    is_locked=standby.locked,
                    total_bytes=standby.total_bytes,
                    free_bytes=standby.free_bytes,
                )
                for standby in self.standbys
            ],
        )


class ReadOverview(Query[Overview], frozen=True, kw_only=True):
    """Return what the first page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """What the status bar and the tray show."""

    running: int
    pending: int
    read_bytes_per_s: float
    unviewed_errors: int
    standbys: tuple[StandbyGauge, ...]
    engine_pid: int
    started_at: datetime
    stopping: int = 0
    """How many of those that run were asked to stop."""
    offers: int = 0
    """How many restore points are offered over NBD."""
    instant: int = 0
    """How many VMs run from restore points through this machine."""


class ReadStatus(Query[EngineStatus], frozen=True, kw_only=True):
    """Return what the status bar shows; cheap enough for once a second."""


class HitKind(Enum):
    """What a search found."""

    RULE = "rule"
    VM = "vm"
    POINT = "point"
    TASK = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One thing that fits a search."""

    kind: HitKind
    title: str
    detail: str
    rule: RuleId | None = None
    vm: VmId | None = None
    point: PointId | None = None
    task: TaskId | None = None


class Search(Query[tuple[SearchHit, ...]], frozen=True, kw_only=True):
    """Return rules, VMs, points and tasks whose names contain every word, at most ``limit``."""

    text: str
    limit: int = 30
