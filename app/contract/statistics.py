"""Statistics and traffic."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from app.contract.base import Query
from app.contract.errors import ErrorRow
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.periods import StatisticsPeriod
from app.domain.states import TaskKind, TaskState


class TrafficRange(Enum):
    """实时流量图, 日流量图, 历史流量图."""

    LIVE = "live"  # ten minutes, one sample a second
    DAY = "day"  # 24 hours, one sample a minute
    HISTORY = "history"  # two years, one sample an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPoint:
    """Mean speeds in one slice of time."""

    at: datetime
    read_bytes_per_s: float
    written_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A stretch of traffic; slices in which nothing ran are missing."""

    start: datetime
    end: datetime
    slice_s: int
    points: tuple[TrafficPoint, ...]


class ReadTraffic(Query[Traffic], frozen=True, kw_only=True):
    """Return the traffic of a VM in a rule, of a rule, or of everything."""

    range: TrafficRange
    rule: RuleId | None = None
    vm: VmId | None = None
    since: datetime | None = None
    """For the live chart: only what came after this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """Backups of one local day."""

    day: date
    succeeded: int
    failed: int
    read_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """备份统计, 备份数据量, 未查看错误数."""

    days: tuple[DayCount, ...]
    """Days of the period with at least one run, oldest first."""
    succeeded: int
    """All-time."""
    failed: int
    """All-time."""
    read_bytes: int
    """All-time, from the hosts."""
    stored_bytes: int
    """All-time, newly written to the standby."""
    unviewed_errors: int


class ReadStatistics(Query[Statistics], frozen=True, kw_only=True):
    """Return the statistics of a rule, or of one VM in it."""

    rule: RuleId | None = None
    vm: VmId | None = None
    period: StatisticsPeriod = StatisticsPeriod.MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsTaskRow:
    """A line of the statistics' task list."""

    task: TaskId
    rule_name: str
    result: TaskState
    kind: TaskKind
    backup_kind: str
    """``full``, ``incremental``, ``differential``, or empty when the task is no backup."""
    vm_name: str
    source_kind: str
    """What was read: ``VMware vSphere`` …"""
    source_bytes: int
    written_bytes: int
    bytes_per_s: float
    started_at: datetime | None
    ended_at: datetime | None
    error: ErrorRow | None
    viewed: bool


class ListStatisticsTasks(Query[tuple[StatisticsTaskRow, ...]], frozen=True, kw_only=True):
    """Return the ended tasks of a rule or VM, failed ones first, then newest first."""

    rule: RuleId | None = None
    vm: VmId | None = None
    only_failed: bool = False
    limit: int = 500
    offset: int = 0
