"""What the engine remembers of backup rules."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.moving import Intake
from app.domain.policies import BackupPolicy, RetryPlan
from app.domain.proofs import ProofPolicy
from app.domain.retry import PendingRetry
from app.domain.rules import BackupRule, ProtectedVm


class RuleStore(Protocol):
    """Remembers backup rules. Thread: any."""

    def add(self, rule: BackupRule, created_at: datetime, considered_until: datetime) -> None:
        """Remember a new one, of which runs up to a moment count as dealt with."""
        ...

    def set_policy(self, rule: RuleId, policy: BackupPolicy, considered_until: datetime) -> None:
        """Give one another policy, of which runs up to a moment count as dealt with."""
        ...

    def set_retry(self, rule: RuleId, retry: RetryPlan) -> None:
        """Give one another plan for failed backups; its policy stays."""
        ...

    def set_proof(self, rule: RuleId, proof: ProofPolicy) -> None:
        """Give one other settings for proofs of restore."""
        ...

    def add_vms(self, rule: RuleId, vms: Iterable[ProtectedVm]) -> None:
        """Put VMs behind those of a rule."""
        ...

    def remove_vms(self, rule: RuleId, vms: Collection[VmId]) -> None:
        """Take VMs out of a rule."""
        ...

    def set_started(self, rule: RuleId, vms: Collection[VmId], *, started: bool) -> None:
        """Note that VMs of a rule were started or stopped by the operator."""
        ...

    def remove(self, rule: RuleId) -> None:
        """Forget one."""
        ...

    def get(self, rule: RuleId) -> BackupRule | None:
        """Return one, or None."""
        ...

    def all(self) -> tuple[BackupRule, ...]:
        """Return every one, by name."""
        ...

    def considered(self) -> Mapping[RuleId, datetime]:
        """Return, for each rule, the moment up to which its runs are dealt with."""
        ...

    def consider(self, rule: RuleId, until: datetime) -> None:
        """Note that all runs of a rule up to a moment are dealt with."""
        ...

    def succeed_all(
        self,
        platform: PlatformId,
        moves: Mapping[VmId, VmId],
        at: datetime,
        expected: Mapping[VmId, ProtectedVm] | None = None,
    ) -> Mapping[VmId, RuleId]:
        """Note that VMs took the places of others, and put them into the others' rules; return these rules.

        Nothing is done where the rules do not know the VMs as ``expected`` says any more.
        """
        ...

    def identify(self, platform: PlatformId, vm: ProtectedVm) -> None:
        """Note by what a VM is known that is in a rule; nothing happens when it is in none."""
        ...

    def successions(self, platform: PlatformId) -> Mapping[VmId, VmId]:
        """Return, for each VM of a platform whose place was taken, the one that took it."""
        ...


class RetryStore(Protocol):
    """Remembers which failed backups are tried again. Thread: any."""

    def put(self, retry: PendingRetry) -> None:
        """Remember one, in place of an earlier one of the VM in the rule."""
        ...

    def remove(self, rule: RuleId, vms: Collection[VmId]) -> int:
        """Forget those of VMs in a rule; return how many there were."""
        ...

    def all(self) -> tuple[PendingRetry, ...]:
        """Return every one, the soonest first."""
        ...


class IntakeStore(Protocol):
    """Takes in the configuration of another installation. Thread: any."""

    def take_in(self, intake: Intake, at: datetime) -> None:
        """Write all of it in one transaction, or nothing; the rules' runs up to a moment count as dealt with."""
        ...
