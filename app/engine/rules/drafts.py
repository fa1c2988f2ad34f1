"""What the operator entered for a rule: checked, and turned into a rule."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, tzinfo

from app.contract.rules import OneTime, Periodic, Policy, RuleDraft, RuleProblemRow, VmChoice
from app.core.clock import Clock
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.messages import Param
from app.domain.policies import BackupPolicy, PeriodicPolicy, PlanProblem
from app.domain.proofs import ProofPolicy
from app.domain.rules import BackupRule, ProtectedVm, RuleProblem
from app.domain.standbys import TargetPathRefused, normal_target_path
from app.engine.ports import Catalog
from app.engine.standbys.filesystems import repository_above
from app.engine.standbys.watch import StandbyWatch

_FIELDS = {
    RuleProblem.NAME_MISSING: "name",
    RuleProblem.NAME_TOO_LONG: "name",
    RuleProblem.NAME_TAKEN: "name",
    RuleProblem.NAME_UNPRINTABLE: "name",
    RuleProblem.NO_VM: "vms",
    RuleProblem.VM_IN_OTHER_RULE: "vms",
    RuleProblem.VM_TWICE: "vms",
    RuleProblem.TARGET_PATH_MISSING: "target_path",
    RuleProblem.TARGET_PATH_REFUSED: "target_path",
    RuleProblem.TARGET_INSIDE_REPOSITORY: "target_path",
    RuleProblem.PLATFORM_UNKNOWN: "platform",
    RuleProblem.STANDBY_UNKNOWN: "standby",
}

ROOT_SHOWN = "/"
"""How the root of a standby is written as a target path on the screen, where an empty one is a missing one."""


class DraftChecker:
    """Checks drafts against all that is known. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        watch: StandbyWatch,
        clock: Clock,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._catalog = catalog
        self._watch = watch
        self._clock = clock
        self._zone = zone

    def problems(self, draft: RuleDraft, rule: RuleId | None = None) -> tuple[RuleProblemRow, ...]:
        """Return what is wrong with a draft; of a rule that is edited only the policy is looked at."""
        if rule is not None:
            return (*self.policy_problems(draft.policy), *proof_problems(draft.proof))
        catalog = self._catalog
        found: list[tuple[RuleProblem, Param]] = []
        if catalog.platforms.get(draft.platform) is None:
            found.append((RuleProblem.PLATFORM_UNKNOWN, draft.platform))
        if catalog.standbys.get(draft.standby) is None:
            found.append((RuleProblem.STANDBY_UNKNOWN, draft.standby))
        tentative = rule_of(draft, RuleId(""), self._clock.now())
        names = [other.name for other in catalog.rules.all()]
        found += tentative.problems(names_taken=names, vms_taken=self.vms_taken(draft.platform))
        found += self._target_problems(draft)
        rows = [
            RuleProblemRow(field=_FIELDS[problem], code=problem.value, value=value) for problem, value in found
        ]
        return (*rows, *self.policy_problems(draft.policy), *proof_problems(draft.proof))

    def policy_problems(self, policy: Policy) -> tuple[RuleProblemRow, ...]:
        """Return what is wrong with a policy."""
        found: Iterable[PlanProblem]
        if isinstance(policy, OneTime):
            found = policy.policy.problems(self._clock.now().astimezone(self._zone()))
        else:
            found = policy.policy.problems()
        return tuple(
            RuleProblemRow(field="policy", code=problem.value, value="") for problem in dict.fromkeys(found)
        )

    def vms_taken(self, platform: PlatformId) -> dict[VmId, str]:
        """Return, for each VM of a platform that is in a rule, the rule's name."""
        return {
            vm.vm: rule.name for rule in self._catalog.rules.all() if rule.platform == platform for vm in rule.vms
        }

    def _target_problems(self, draft: RuleDraft) -> list[tuple[RuleProblem, Param]]:
        try:
            target_path = normal_target_path(draft.target_path)
        except TargetPathRefused as error:
            return [(RuleProblem.TARGET_PATH_REFUSED, error.said())]
        standby = self._catalog.standbys.get(draft.standby)
        if standby is None or not self._watch.is_usable(standby.id):
            return []
        above = repository_above(standby, target_path)
        return [] if above is None else [(RuleProblem.TARGET_INSIDE_REPOSITORY, above or ROOT_SHOWN)]


def rule_of(draft: RuleDraft, rule: RuleId, now: datetime) -> BackupRule:
    """Turn a draft into a rule, its target path as it was entered."""
    return BackupRule(
        id=rule,
        name=draft.name.strip(),
        platform=draft.platform,
        standby=draft.standby,
        target_path=draft.target_path,
        vms=chosen_vms(draft.vms),
        advanced=draft.advanced,
        policy=policy_of(draft.policy, now),
        proof=draft.proof,
    )


def proof_problems(proof: ProofPolicy) -> tuple[RuleProblemRow, ...]:
    """Return what is wrong with settings for proofs of restore."""
    return tuple(RuleProblemRow(field="proof", code=problem.value, value="") for problem in proof.problems())


def chosen_vms(choices: Iterable[VmChoice]) -> tuple[ProtectedVm, ...]:
    """Turn what the operator picked into VMs of a rule, started."""
    return tuple(ProtectedVm(vm=choice.vm, name=choice.name) for choice in choices)


def policy_of(policy: Policy, now: datetime) -> BackupPolicy:
    """Turn a policy into what is kept: a start that has passed means now, a retention has the plans' unit."""
    if isinstance(policy, OneTime):
        return replace(policy.policy, start=max(policy.policy.start, now))
    kept = policy.policy
    return replace(kept, retention=replace(kept.retention, unit=kept.retention_unit))


def draft_of(rule: BackupRule) -> RuleDraft:
    """Turn a rule into what its editor shows."""
    return RuleDraft(
        name=rule.name,
        platform=rule.platform,
        standby=rule.standby,
        target_path=rule.target_path or ROOT_SHOWN,
        vms=tuple(VmChoice(vm=vm.vm, name=vm.name) for vm in rule.vms),
        advanced=rule.advanced,
        policy=shown_policy(rule.policy),
        proof=rule.proof,
    )


def shown_policy(policy: BackupPolicy) -> Policy:
    """Turn a kept policy into the form that crosses the door."""
    if isinstance(policy, PeriodicPolicy):
        return Periodic(policy=policy)
    return OneTime(policy=policy)
