"""Backup rules: which VMs, how, when, and the state that a rule derives from its VMs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import BackupPolicy, OneTimePolicy
from app.domain.proofs import ProofPolicy
from app.domain.states import TaskState

NAME_MAX_CHARS: Final = 64


class RuleProblem(Enum):
    """What is wrong with a rule's basic settings, for the message next to the field."""

    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    NAME_TAKEN = "name_taken"
    NAME_UNPRINTABLE = "name_unprintable"
    NO_VM = "no_vm"
    VM_IN_OTHER_RULE = "vm_in_other_rule"
    TARGET_PATH_MISSING = "target_path_missing"
    TARGET_PATH_REFUSED = "target_path_refused"
    TARGET_INSIDE_REPOSITORY = "target_inside_repository"
    VM_TWICE = "vm_twice"
    PLATFORM_UNKNOWN = "platform_unknown"
    STANDBY_UNKNOWN = "standby_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvancedSettings:
    """高级设置."""

    automatic_change_tracking: bool = True
    """自动设置快速备份: use CBT wherever the VM supports it and switch it on where it is off."""
    use_change_tracking: bool = False
    """开启快速备份: only looked at while the automatic setting is off."""
    lan_free: bool = False
    """支持Lan Free: read by SAN transport where the path is available."""
    delete_data_with_rule: bool = False
    """删除备份数据."""
    quiesce: bool = False
    """开启静默快照: only for running VMs."""

    @property
    def wants_change_tracking(self) -> bool:
        """Return whether backups read only what changed; otherwise every backup reads the whole disk."""
        return self.automatic_change_tracking or self.use_change_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedVm:
    """One VM inside a rule."""

    vm: VmId
    name: str
    is_started: bool = True
    """False after the operator stopped the VM in this rule (停止规则)."""
    instance_uuid: str | None = None
    """As it was last seen; None before that."""
    bios_uuid: str | None = None
    platform_uuid: str | None = None
    """Instance UUID of the platform on which the VM has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRule:
    """A backup rule (备份规则)."""

    id: RuleId
    name: str
    platform: PlatformId
    standby: StandbyId
    target_path: str
    """Directory on the standby, relative to its root, with forward slashes."""
    vms: tuple[ProtectedVm, ...]
    advanced: AdvancedSettings = field(default_factory=AdvancedSettings)
    policy: BackupPolicy
    proof: ProofPolicy = field(default_factory=ProofPolicy)

    def problems(
        self, *, names_taken: Iterable[str], vms_taken: Mapping[VmId, str]
    ) -> tuple[tuple[RuleProblem, str], ...]:
        """Return what is wrong with it, each with the value it is about; empty when nothing is.

        Args:
            names_taken: Names of all other rules.
            vms_taken: For each VM of the platform that is in another rule, that rule's name.
        """
        found = list(_name_problems(self.name, names_taken))
        if not self.vms:
            found.append((RuleProblem.NO_VM, ""))
        found.extend(_vm_problems(self.vms, vms_taken))
        if not self.target_path.strip():
            found.append((RuleProblem.TARGET_PATH_MISSING, ""))
        return tuple(found)

    @property
    def is_one_time(self) -> bool:
        """Return whether it runs once."""
        return isinstance(self.policy, OneTimePolicy)

    def vm(self, vm: VmId) -> ProtectedVm | None:
        """Return one of its VMs, or None."""
        return next((protected for protected in self.vms if protected.vm == vm), None)

    def vm_named(self, name: str) -> ProtectedVm | None:
        """Return the one of its VMs that has a name; None when none has it, or several do."""
        named = [protected for protected in self.vms if protected.name == name]
        return named[0] if len(named) == 1 else None


def _vm_problems(vms: Iterable[ProtectedVm], vms_taken: Mapping[VmId, str]) -> Iterable[tuple[RuleProblem, str]]:
    seen: set[VmId] = set()
    for protected in vms:
        if protected.vm in vms_taken:
            yield RuleProblem.VM_IN_OTHER_RULE, vms_taken[protected.vm]
        if protected.vm in seen:
            yield RuleProblem.VM_TWICE, protected.name
        seen.add(protected.vm)


def _name_problems(name: str, taken: Iterable[str]) -> Iterable[tuple[RuleProblem, str]]:
    text = name.strip()
    if not text:
        yield RuleProblem.NAME_MISSING, ""
    if len(text) > NAME_MAX_CHARS:
        yield RuleProblem.NAME_TOO_LONG, text
    if not text.isprintable():
        yield RuleProblem.NAME_UNPRINTABLE, text
    if text.casefold() in {other.strip().casefold() for other in taken}:
        yield RuleProblem.NAME_TAKEN, text


_URGENCY: Final = (
    TaskState.UNKNOWN,
    TaskState.FAILED,
    TaskState.RUNNING,
    TaskState.REMOVING_SNAPSHOT,
    TaskState.VERIFYING,
    TaskState.CREATING_VM,
    TaskState.CHECKING_DATA,
    TaskState.QUERYING_CHANGES,
    TaskState.SAVING_CONFIGURATION,
    TaskState.PREPARING,
    TaskState.STARTING,
    TaskState.STOPPING,
    TaskState.PENDING,
    TaskState.IDLE,
    TaskState.COMPLETED,
    TaskState.STOPPED,
)


def rule_state(vm_states: Iterable[TaskState]) -> TaskState:
    """Return the most urgent state among a rule's VMs; a rule without VMs is stopped."""
    return min(vm_states, key=_URGENCY.index, default=TaskState.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSituation:
    """What the state of a VM in a rule depends on."""

    is_started: bool
    is_one_time: bool
    unfinished: TaskState | None
    """State of its task that waits or runs; unknown when the engine that ran it cannot be reached."""
    last: TaskState | None
    """How its newest ended run ended; None before the first."""
    standby_reachable: bool
    is_scheduled: bool
    """False while the rule is being started: the scheduler has not taken it up yet."""


def vm_state(situation: VmSituation) -> TaskState:
    """Return the state of a VM in a rule."""
    if not situation.is_started and situation.unfinished is None:
        return TaskState.STOPPED
    if not situation.standby_reachable:
        return TaskState.UNKNOWN
    if situation.unfinished is not None:
        return situation.unfinished
    if not situation.is_scheduled:
        return TaskState.STARTING
    if situation.last is TaskState.FAILED:
        return TaskState.FAILED
    if situation.is_one_time and situation.last in (TaskState.COMPLETED, TaskState.STOPPED):
        return situation.last
    return TaskState.IDLE
