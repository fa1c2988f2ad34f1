"""Queries about what happened: logs, traffic, statistics, and the overview."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from app.domain.clocks import ClockDoubt
from app.domain.concerns import Concern, PlatformCoverage, RuleStops, StandbyCondition, concerns
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.states import TaskKind, TaskState
from app.engine.queries.base import Query
from app.engine.queries.tasks import ErrorRow, LogRow, TaskRow

# --- logs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log lines are wanted; every condition given must hold."""

    start: datetime | None = None
    end: datetime | None = None
    at_least: LogLevel = LogLevel.NORMAL
    text: str = ""
    """Words that must appear in the subject, the action or the message, each somewhere."""
    translations: tuple[tuple[str, str], ...] = ()
    """What the reader sees in place of English message templates and of codes of actions: the words are looked for
    in them too. Only needed with ``text``, and when the log is exported."""
    rule: RuleId | None = None
    vm: VmId | None = None
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntryRow:
    """A line of the log page: 时间, 日志等级, 操作, 操作内容."""

    line: LogRow
    subject: str
    """The VM, rule, platform or standby it is about."""
    action: str
    """Stable code of what was being done: ``backup``, ``restore``, ``rule.create`` …"""
    task: TaskId | None
    template: str = ""
    """The message's English template, for translation; empty for a code that this version does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Part of the log, newest first."""

    rows: tuple[LogEntryRow, ...]
    older: int | None
    """Cursor for the next page; None when there is no older line.

    Where words or errors are searched for, a page looks at a limited number of lines, so that it is always quick:
    it can be short, or even empty, while this is not None. Ask on from here.
    """
    searched_to: datetime | None = None
    """How far back this page looked; None when nothing older is left."""


class ReadLog(Query[LogPage], frozen=True, kw_only=True):
    """Return a page of log lines, newest first."""

    filter: LogFilter = LogFilter()
    before: int | None = None
    """Cursor of an earlier answer; None starts at the newest."""
    limit: int = 200


# --- traffic -----------------------------------------------------------------------------------------------------


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


# --- statistics --------------------------------------------------------------------------------------------------


class StatisticsPeriod(Enum):
    """近一周, 近一月, 近一年."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


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


# --- overview, search, status ------------------------------------------------------------------------------------


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
    """Those that are overdue for longest; :attr:`overdue_count` tells of how many."""
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

    def concerns(self) -> tuple[Concern, ...]:
        """Return what stands against "all is well", worst first."""
        return concerns(
            failed_count=len(self.failures),
            overdue_count=max(self.overdue_count, len(self.overdue)),
            platforms=self.platforms,
            stops=self.stops,
            standbys=[
                StandbyCondition(
                    name=one.name,
                    reachable=one.reachable,
                    is_locked=one.locked,
                    total_bytes=one.total_bytes,
                    free_bytes=one.free_bytes,
                )
                for one in self.standbys
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
