"""Backup rules: which VMs, how, when, and the state that a rule derives from its VMs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import BackupPolicy
from app.domain.states import TaskState

NAME_MAX_CHARS: Final = 64


class RuleProblem(Enum):
    """What is wrong with a rule's basic settings, for the message beside the field."""

    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    NAME_TAKEN = "name_taken"
    NAME_UNPRINTABLE = "name_unprintable"
    NO_VM = "no_vm"
    VM_IN_OTHER_RULE = "vm_in_other_rule"
    TARGET_PATH_MISSING = "target_path_missing"


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
        """Tell whether backups read only what changed; otherwise every backup reads the whole disk."""
        return self.automatic_change_tracking or self.use_change_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedVm:
    """One VM inside a rule."""

    vm: VmId
    name: str
    is_started: bool = True
    """False after the operator stopped the VM in this rule (停止规则)."""


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
        found.extend((RuleProblem.VM_IN_OTHER_RULE, vms_taken[one.vm]) for one in self.vms if one.vm in vms_taken)
        if not self.target_path.strip():
            found.append((RuleProblem.TARGET_PATH_MISSING, ""))
        return tuple(found)


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
    TaskState.VERIFYING,
    TaskState.CREATING_VM,
    TaskState.CHECKING_DATA,
    TaskState.QUERYING_CHANGES,
    TaskState.SAVING_CONFIGURATION,
    TaskState.PREPARING,
    TaskState.STARTING,
    TaskState.PENDING,
    TaskState.IDLE,
    TaskState.COMPLETED,
    TaskState.STOPPED,
)


def rule_state(vm_states: Iterable[TaskState]) -> TaskState:
    """Return the most urgent state among a rule's VMs; a rule without VMs is stopped."""
    return min(vm_states, key=_URGENCY.index, default=TaskState.STOPPED)
