"""Queries about backup rules, and the rows of the rule pages."""

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.retry import NextTry
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import KnownPoint
from app.engine.commands.rules import Policy, RuleDraft
from app.engine.queries.base import Query
from app.engine.queries.tasks import ErrorRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule in the list of all rules."""

    id: RuleId
    name: str
    state: TaskState
    """Derived from its VMs."""
    fraction: float | None
    """Part done over all running VMs, when any runs."""
    platform: PlatformId
    platform_name: str
    standby: StandbyId
    standby_name: str
    target_path: str
    vm_count: int
    next_run: datetime | None
    next_kind: BackupKind | None
    last_run: datetime | None
    last_result: TaskState | None
    """COMPLETED, FAILED or STOPPED of the newest ended run."""
    unviewed_errors: int
    policy: Policy | None = None
    """When it runs and what it keeps; None from an engine that does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVmRow:
    """A VM in the list of a rule's VMs (规则列表)."""

    rule: RuleId
    vm: VmId
    name: str
    state: TaskState
    fraction: float | None
    task: TaskId | None
    """Its running or pending task, else its last one."""
    platform_name: str
    standby_name: str
    disk_bytes: int | None
    """Sum of its disks, when it is known."""
    started_at: datetime | None
    ended_at: datetime | None
    read_bytes_per_s: float | None
    """Speed now while it runs, else the mean of the last run."""
    seconds_left: float | None
    error: ErrorRow | None
    """Why its last run failed."""
    point_count: int
    newest_point: datetime | None
    unviewed_errors: int
    next_try: NextTry | None = None
    """When its failed backup is tried again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDetails:
    """A rule with everything its editor shows."""

    row: RuleRow
    draft: RuleDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblemRow:
    """What is wrong with a field of a draft: a code of ``RuleProblem`` or ``PlanProblem``, and its value."""

    field: str
    """``name``, ``platform``, ``vms``, ``standby``, ``target_path``, ``policy``."""
    code: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPreview:
    """What goes when a rule, or VMs of it, are deleted with their data."""

    point_count: int
    freed_bytes: int
    """What a clean-up frees at most once :attr:`kept_days` are over; other points may hold a part of it."""
    blocked_by: tuple[str, ...]
    """Names of tasks that use the points right now; deletion with data is refused while there are any."""
    kept_days: int = 7
    """So long deleted points stay in the trash, can be taken back and take up their space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPoint:
    """A point that exists on a previewed day."""

    id: PointId | None
    """None for one that is planned."""
    created_at: datetime
    kind: BackupKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedDay:
    """One local day of the retention preview."""

    day: date
    runs: tuple[tuple[datetime, BackupKind], ...]
    points: tuple[PreviewedPoint, ...]
    removed_count: int


class ListRules(Query[tuple[RuleRow, ...]], frozen=True, kw_only=True):
    """Return all rules, by name."""


class ListRuleVms(Query[tuple[RuleVmRow, ...]], frozen=True, kw_only=True):
    """Return the VMs of a rule, by name."""

    rule: RuleId


class ListVmPoints(Query[tuple[KnownPoint, ...]], frozen=True, kw_only=True):
    """Return the known restore points of a VM in a rule, newest first, also those it made under former ids."""

    rule: RuleId
    vm: VmId


class DescribeRule(Query[RuleDetails], frozen=True, kw_only=True):
    """Return a rule as its editor shows it."""

    rule: RuleId


class CheckRule(Query[tuple[RuleProblemRow, ...]], frozen=True, kw_only=True):
    """Return what is wrong with a draft; asked while the operator types."""

    draft: RuleDraft
    rule: RuleId | None = None
    """The rule that is being edited, so that it does not stand in its own way."""


class VmsInRules(Query[dict[VmId, str]], frozen=True, kw_only=True):
    """Return, for each VM of a platform that is in a rule, the rule's name."""

    platform: PlatformId


class PreviewRuleDeletion(Query[DeletionPreview], frozen=True, kw_only=True):
    """Return what deleting a rule, or some of its VMs, with data would remove."""

    rule: RuleId
    vms: tuple[VmId, ...] = ()
    """Empty: the whole rule."""


class PreviewRetention(Query[tuple[PreviewedDay, ...]], frozen=True, kw_only=True):
    """Return which points will exist on each of the next days under a policy, if every run succeeds."""

    policy: Policy
    rule: RuleId | None = None
    vm: VmId | None = None
    """With a rule and a VM, today's points of that VM are the start; else there are none yet."""
    days: int = 92
