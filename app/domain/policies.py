"""Backup policies: when a rule runs, what each run backs up, and how long its points are kept.

Times of day are local times of the operator's time zone: "每天 17:51" means 17:51 on the wall clock, summer and
winter. When exactly that is, :mod:`app.domain.schedule` decides.
"""

from dataclasses import dataclass, field
from datetime import datetime, time
from enum import Enum, IntEnum
from typing import Final

from app.domain.states import BackupKind

RETENTION_MIN: Final = 1
RETENTION_MAX: Final = 64
COUNT_MAX: Final = 1000
"""Most points that are kept by their number, or in one generation of grandfathers, fathers and sons."""
LAST_DAY: Final = 31
"""Day of month that always means the last day; a day that a month lacks means its last day, too."""


class PolicyUnit(IntEnum):
    """策略类型: how often a plan comes round; a larger value is a longer period."""

    DAILY = 1  # 每天
    WEEKLY = 2  # 每周
    MONTHLY = 3  # 每月
    QUARTERLY = 4  # 每季


class Weekday(IntEnum):
    """Days of the week, numbered as :meth:`datetime.date.weekday` numbers them."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class PlanProblem(Enum):
    """What is wrong with a plan or a policy, for the message next to the field."""

    NO_TIME = "no_time"
    TIME_TWICE = "time_twice"
    NO_WEEKDAY = "no_weekday"
    MONTH_DAY_OUT_OF_RANGE = "month_day_out_of_range"
    QUARTER_MONTH_OUT_OF_RANGE = "quarter_month_out_of_range"
    NO_PLAN = "no_plan"
    RETENTION_OUT_OF_RANGE = "retention_out_of_range"
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    START_BEFORE_TODAY = "start_before_today"
    RETRY_OUT_OF_RANGE = "retry_out_of_range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One line of a periodic policy (添加计划). Fields that the unit does not use are ignored."""

    unit: PolicyUnit
    kind: BackupKind
    times: tuple[time, ...]
    """运行时间: naive local times of day, to the minute."""
    weekdays: frozenset[Weekday] = frozenset()
    month_day: int = 1
    """1 to 31, for monthly and quarterly plans; 31 is the last day of every month."""
    quarter_month: int = 1
    """1 to 3: which month of the quarter."""

    def problems(self) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        found: list[PlanProblem] = []
        if not self.times:
            found.append(PlanProblem.NO_TIME)
        if len(set(self.times)) < len(self.times):
            found.append(PlanProblem.TIME_TWICE)
        if self.unit is PolicyUnit.WEEKLY and not self.weekdays:
            found.append(PlanProblem.NO_WEEKDAY)
        if self.unit >= PolicyUnit.MONTHLY and not 1 <= self.month_day <= LAST_DAY:
            found.append(PlanProblem.MONTH_DAY_OUT_OF_RANGE)
        if self.unit is PolicyUnit.QUARTERLY and not 1 <= self.quarter_month <= 3:
            found.append(PlanProblem.QUARTER_MONTH_OUT_OF_RANGE)
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrandfatherFatherSon:
    """Keeps the newest point of each of the last so many days, weeks, months and years, whatever their age."""

    days: int = 0
    weeks: int = 0
    months: int = 0
    years: int = 0

    def problems(self) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        counts = (self.days, self.weeks, self.months, self.years)
        return () if all(0 <= count <= COUNT_MAX for count in counts) else (PlanProblem.COUNT_OUT_OF_RANGE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """数据保留期限: which points stay. A point stays as soon as one of the three ways keeps it."""

    period: int = 30
    """1 to 64, in the unit of the policy."""
    unit: PolicyUnit = PolicyUnit.DAILY
    keep_newest: int = 0
    """Keep at least so many of the newest points, however old; 0 switches it off."""
    gfs: GrandfatherFatherSon = field(default_factory=GrandfatherFatherSon)

    def problems(self) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        found: list[PlanProblem] = []
        if not RETENTION_MIN <= self.period <= RETENTION_MAX:
            found.append(PlanProblem.RETENTION_OUT_OF_RANGE)
        if not 0 <= self.keep_newest <= COUNT_MAX:
            found.append(PlanProblem.COUNT_OUT_OF_RANGE)
        return (*found, *self.gfs.problems())


MOST_RETRIES: Final = 10
LONGEST_RETRY_PAUSE_MIN: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """失败后重试: how often a failed backup is retried automatically, and after how long."""

    times: int = 3
    """0 never tries again."""
    pause_min: int = 10
    """Minutes between a failure and the next try."""

    def problems(self) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        fits = 0 <= self.times <= MOST_RETRIES and 1 <= self.pause_min <= LONGEST_RETRY_PAUSE_MIN
        return () if fits else (PlanProblem.RETRY_OUT_OF_RANGE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimePolicy:
    """一次性任务: one full backup. A start that has passed today means now."""

    start: datetime
    """Aware UTC."""
    retry: RetryPlan = field(default_factory=RetryPlan)

    def problems(self, now_local: datetime) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it on the day of ``now_local`` (aware, in the operator's zone)."""
        day = self.start.astimezone(now_local.tzinfo).date()
        found = (PlanProblem.START_BEFORE_TODAY,) if day < now_local.date() else ()
        return (*found, *self.retry.problems())


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicPolicy:
    """周期性任务: one or several plans."""

    plans: tuple[Plan, ...]
    retention: Retention = field(default_factory=Retention)
    run_missed_on_start: bool = False
    """Whether a run that was missed while the engine was off is made up for, once, at its next start."""
    retry: RetryPlan = field(default_factory=RetryPlan)

    def problems(self) -> tuple[PlanProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        found: list[PlanProblem] = [] if self.plans else [PlanProblem.NO_PLAN]
        for plan in self.plans:
            found.extend(plan.problems())
        return (*found, *self.retention.problems(), *self.retry.problems())

    @property
    def retention_unit(self) -> PolicyUnit:
        """The unit that stands in the label of the retention: the longest period among the plans."""
        return max((plan.unit for plan in self.plans), default=PolicyUnit.DAILY)


BackupPolicy = OneTimePolicy | PeriodicPolicy
