"""Backup rules and the rows of the rule pages."""

from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import Message, Param
from app.domain.policies import OneTimePolicy, PeriodicPolicy, RetryPlan
from app.domain.problems import problem_message
from app.domain.proofs import ProofKind, ProofPolicy
from app.domain.retry import NextTry
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import KnownPoint


class OneTime(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """一次性任务."""

    policy: OneTimePolicy


class Periodic(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """周期性任务."""

    policy: PeriodicPolicy


Policy = OneTime | Periodic
"""A backup policy as it crosses the door: tagged, so that it can be determined apart when it is read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmChoice:
    """A VM the operator picked, with the name it had then."""

    vm: VmId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """What the rule editor holds: 基本设置, 高级设置, 备份策略."""

    name: str
    platform: PlatformId
    standby: StandbyId
    target_path: str
    """Directory on the standby, relative to its root, with forward slashes."""
    vms: tuple[VmChoice, ...]
    advanced: AdvancedSettings = field(default_factory=AdvancedSettings)
    policy: Policy
    proof: ProofPolicy = field(default_factory=ProofPolicy)
    """恢复验证."""


class CreateRule(Command[RuleId], frozen=True, kw_only=True):
    """Create a rule and start it.

    Raises ``RuleRefused`` with every problem of the draft.
    """

    draft: RuleDraft


class ChangeRulePolicy(Command[None], frozen=True, kw_only=True):
    """Change the policy of a rule: the only part of an existing rule that can be edited."""

    rule: RuleId
    policy: Policy


class ChangeRuleRetry(Command[None], frozen=True, kw_only=True):
    """Change how often failed backups of a rule are tried again; what is planned stays."""

    rule: RuleId
    retry: RetryPlan


class ChangeRuleProof(Command[None], frozen=True, kw_only=True):
    """恢复验证: change when and how the restore points of a rule are proven; what runs is left alone."""

    rule: RuleId
    proof: ProofPolicy


class AddVmsToRule(Command[None], frozen=True, kw_only=True):
    """添加新虚机: add VMs to a rule; its settings and policy hold for them too."""

    rule: RuleId
    vms: tuple[VmChoice, ...]


class RemoveVmsFromRule(Command[None], frozen=True, kw_only=True):
    """Take VMs out of a rule; their tasks are stopped first. The last VM cannot be taken out: delete the rule."""

    rule: RuleId
    vms: tuple[VmId, ...]
    delete_data: bool = False


class DeleteRule(Command[None], frozen=True, kw_only=True):
    """Delete a rule with its statistics; with its data where ``delete_data`` says so.

    Raises ``RuleInUse`` while a restore or an instant recovery uses its points and data would go.
    """

    rule: RuleId
    delete_data: bool


class StartRules(Command[None], frozen=True, kw_only=True):
    """开启组内所有规则: start all VMs of these rules."""

    rules: tuple[RuleId, ...]


class StopRules(Command[None], frozen=True, kw_only=True):
    """停止组内所有规则: stop all VMs of these rules, and the tasks that run for them."""

    rules: tuple[RuleId, ...]


class StartVms(Command[None], frozen=True, kw_only=True):
    """启动规则 for some VMs of a rule."""

    rule: RuleId
    vms: tuple[VmId, ...]


class StopVms(Command[None], frozen=True, kw_only=True):
    """停止规则 for some VMs of a rule, and the tasks that run for them."""

    rule: RuleId
    vms: tuple[VmId, ...]


class RunNow(Command[tuple[TaskId, ...]], frozen=True, kw_only=True):
    """立即执行: queue a backup at once, before what waits; return the tasks, without those already running."""

    rule: RuleId
    vms: tuple[VmId, ...] = ()
    """Empty: all VMs of the rule."""
    kind: BackupKind


class MarkErrorsViewed(Command[None], frozen=True, kw_only=True):
    """Set the count of unviewed errors of a rule, or of one VM in it, to zero; with neither, everywhere."""

    rule: RuleId | None = None
    vm: VmId | None = None


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
    """When it runs and what it keeps; None from an engine that does not say."""
    last_proven: datetime | None = None
    """When a restore point of any of its VMs was last proven; None: never."""
    last_proven_kind: ProofKind | None = None
    unproven_vms: int = 0
    """VMs of it without a proof for longer than it says."""


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
    """When its failed backup is retried automatically."""
    last_proven: datetime | None = None
    """When a restore point of it was last proven; None: never."""
    last_proven_kind: ProofKind | None = None
    unproven_since: datetime | None = None
    """Since when a proof of it is late; None while it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDetails:
    """A rule with everything its editor shows."""

    row: RuleRow
    draft: RuleDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblemRow:
    """What is wrong with a field of a draft, and its value."""

    field: str
    """``name``, ``platform``, ``vms``, ``standby``, ``target_path``, ``policy``, ``proof``."""
    code: str
    """Of ``RuleProblem``, ``PlanProblem`` or ``ProofProblem``."""
    value: Param

    def said(self) -> Message:
        """Return it as a message."""
        return problem_message(self.code, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPreview:
    """What goes when a rule, or VMs of it, are deleted with their data."""

    point_count: int
    freed_bytes: int
    """What garbage collection frees at most after :attr:`kept_days`; other points may hold a part of it."""
    blocked_by: tuple[Message, ...]
    """Tasks and pins that use the points right now; deletion with data is refused while there are any.

    Pins of a repository that cannot be opened are not among them.
    """
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
    """Return all rules, by name, or those of some ids that are there."""

    ids: tuple[RuleId, ...] | None = None


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
