"""Commands about backup rules."""

from dataclasses import dataclass, field

import msgspec

from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.policies import OneTimePolicy, PeriodicPolicy, RetryPlan
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind
from app.engine.commands.base import Command
from app.engine.commands.tasks import ConfirmedVm


class OneTime(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """一次性任务."""

    policy: OneTimePolicy


class Periodic(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """周期性任务."""

    policy: PeriodicPolicy


Policy = OneTime | Periodic
"""A backup policy as it crosses the door: tagged, so that it can be told apart when it is read back."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One VM of a group restore and the point it goes back to."""

    vm: VmId
    point: PointId
    confirmed: ConfirmedVm | None = None
    """The VM to be replaced, as the operator saw it; None takes only one that is certainly the original."""


class StartGroupRestore(Command[tuple[TaskId, ...]], frozen=True, kw_only=True):
    """组恢复: restore several VMs of a rule over their originals."""

    rule: RuleId
    members: tuple[GroupMember, ...]
    power_on: bool = False


class MarkErrorsViewed(Command[None], frozen=True, kw_only=True):
    """Set the count of unviewed errors of a rule, or of one VM in it, to zero; with neither, everywhere."""

    rule: RuleId | None = None
    vm: VmId | None = None
