"""VMs under new ids: a restore over an original leaves a VM with another id, and so does registering it again."""

import logging
from collections.abc import Mapping

from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.identity import same_uuid
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.vms import VmSummary
from app.engine import messages
from app.engine.log.journal import Journal, SubjectLog
from app.engine.ports import RuleStore

_log = logging.getLogger(__name__)


def former_ids(vm: VmId, successions: Mapping[VmId, VmId]) -> tuple[VmId, ...]:
    """Return the ids that a VM had before, the newest first.

    Args:
        vm: its id now.
        successions: for each VM whose place was taken, the one that took it.
    """
    before = {new: old for old, new in successions.items()}
    found: list[VmId] = []
    while vm in before and before[vm] not in found:
        vm = before[vm]
        found.append(vm)
    return tuple(found)


def present_id(vm: VmId, successions: Mapping[VmId, VmId]) -> VmId:
    """Return the id of the VM that stands in a VM's place now; its own when it was not taken."""
    seen = {vm}
    while vm in successions and successions[vm] not in seen:
        vm = successions[vm]
        seen.add(vm)
    return vm


class Successions:
    """Lets rules go on with VMs that have new ids. Thread: any."""

    def __init__(self, *, rules: RuleStore, journal: Journal, clock: Clock) -> None:
        self._rules = rules
        self._journal = journal
        self._clock = clock

    def follow(self, platform: PlatformId, old: VmId, new: VmId, name: str) -> None:
        """Let the rule of a VM go on with the one that was restored in its place.

        Never raises: the swap on the platform goes to its end whatever the catalog says. It is called before the
        restore journal is closed, and again by the clean-up after a crash; a second call changes nothing.
        """
        try:
            rules = self._rules.succeed_all(platform, {old: new}, self._clock.now())
        except OperationalError as error:
            _log.error("that %s is now %s on platform %s was not kept: %s", old, new, platform, error)
            return
        log = self._log_of(rules.get(old), new)
        if log is not None:
            log.info(messages.RULE_VM_FOLLOWED, name=name, new=new)

    def follow_all(self, platform: PlatformId, moves: Mapping[VmId, VmSummary]) -> None:
        """Let the rules of VMs that were registered again go on with their new ids.

        Those that would take the id of a protected VM that stays are left as they are.

        Raises:
            OperationalError: the catalog refused; nothing is changed.
        """
        known = {
            protected.vm: protected
            for rule in self._rules.all()
            if rule.platform == platform
            for protected in rule.vms
        }
        kept = _without_conflicts(moves, known)
        ids = {old: vm.id for old, vm in kept.items()}
        expected = {old: known[old] for old in kept if old in known}
        rules = self._rules.succeed_all(platform, ids, self._clock.now(), expected)
        for old, vm in kept.items():
            log = self._log_of(rules.get(old), vm.id)
            if log is not None:
                log.info(messages.RULE_VM_MOVED, name=vm.name, old=old, new=vm.id)

    def _log_of(self, rule: RuleId | None, vm: VmId) -> SubjectLog | None:
        """Return the log of a rule about one of its VMs; None without a rule."""
        known = None if rule is None else self._rule(rule)
        return None if known is None else self._journal.about(known.name, "rule.follow", rule=known.id, vm=vm)

    def _rule(self, rule: RuleId) -> BackupRule | None:
        try:
            return self._rules.get(rule)
        except OperationalError as error:
            _log.error("rule %s could not be read: %s", rule, error)
            return None


def _without_conflicts(
    moves: Mapping[VmId, VmSummary], known: Mapping[VmId, ProtectedVm]
) -> dict[VmId, VmSummary]:
    staying = {vm for vm in known if vm not in moves}
    kept: dict[VmId, VmSummary] = {}
    for old, vm in moves.items():
        if old != vm.id and vm.id not in staying and not _is_another(known.get(old), vm):
            kept[old] = vm
            staying.add(vm.id)
    return kept if len(kept) == len(moves) else _without_conflicts(kept, known)


def _is_another(protected: ProtectedVm | None, vm: VmSummary) -> bool:
    """Return whether the rule knows another VM under the id that was left: it has been followed already."""
    return protected is not None and same_uuid(protected.instance_uuid, vm.instance_uuid) is False
