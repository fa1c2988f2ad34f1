"""Which VM a backup is of: the one on record, perhaps under another id, never one that only has its id."""

from collections.abc import Sequence

import msgspec

from app.core.hypervisor import Hypervisor
from app.domain.identity import PresentVm, RecordedVm, Verdict, locate, recorded_protected
from app.domain.ids import VmId
from app.domain.platforms import PlatformIdentity
from app.domain.rules import ProtectedVm
from app.domain.vms import VmDetails, VmSummary
from app.engine import messages
from app.engine.backup.chains import Chains
from app.engine.platforms.identification import (
    Subject,
    find_subject,
    protected_vm,
    recorded_for_backup,
)
from app.engine.platforms.succession import Successions
from app.engine.ports import RuleStore, TaskStore
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import BackupSpec


class BackupSubject:
    """Finds the VM of one backup. Thread: the task's."""

    def __init__(
        self,
        *,
        rules: RuleStore,
        tasks: TaskStore,
        successions: Successions,
        task: RunningTask,
        hypervisor: Hypervisor,
        chains: Chains,
    ) -> None:
        self._rules = rules
        self._tasks = tasks
        self._successions = successions
        self._task = task
        self._hypervisor = hypervisor
        self._chains = chains

    def find(self, request: BackupSpec) -> tuple[BackupSpec, VmDetails]:
        """Return the request with the VM's id of today, and the VM.

        A VM that was registered again is followed, with the other VMs of the platform that were.

        Raises:
            IdOfAnotherVm: the id belongs to another VM now.
            VmUnderAnotherId: it is perhaps there under another id.
            VmNotFound: it is not there.
        """
        request, known = self._named_today(request)
        here = self._chains.here
        found = find_subject(self._hypervisor, self._recorded(request, here, known), here)
        if found.verdict is Verdict.MOVED:
            return self._follow(request, found, here), found.details
        if found.verdict is Verdict.UNSURE:
            self._task.log.warning(messages.VM_UNSURE, name=found.details.summary.name, vm=request.vm)
        return request, found.details

    def _named_today(self, request: BackupSpec) -> tuple[BackupSpec, ProtectedVm | None]:
        """Return the request with the id that its VM has in the rule, and what the rule knows of the VM.

        The rule may have followed it meanwhile, and may do so again at any moment: what was read once counts.
        """
        rule = None if request.rule is None else self._rules.get(request.rule)
        known = None if rule is None else rule.vm(request.vm)
        if rule is None or (known is not None and known.name == request.vm_name):
            return request, known
        named = rule.vm_named(request.vm_name)
        if named is None:
            return request, known
        return msgspec.structs.replace(request, vm=named.vm), named

    def _recorded(self, request: BackupSpec, here: PlatformIdentity, known: ProtectedVm | None) -> RecordedVm:
        protected = known or protected_vm(self._rules, request.platform, request.vm)
        points = self._chains.newest_first(request.rule_name, request.vm)
        return recorded_for_backup(protected, request.vm, request.vm_name, here, points)

    def _follow(self, request: BackupSpec, found: Subject, here: PlatformIdentity) -> BackupSpec:
        vm = found.details.summary
        moves = {**self._other_moves(request, here, found.inventory), request.vm: vm}
        self._task.log.warning(messages.VM_FOLLOWED, name=vm.name, old=request.vm, new=vm.id)
        self._successions.follow_all(request.platform, moves)
        self._tasks.set_vm(self._task.id, vm.id)
        return msgspec.structs.replace(request, vm=vm.id)

    def _other_moves(
        self, request: BackupSpec, here: PlatformIdentity, inventory: Sequence[VmSummary]
    ) -> dict[VmId, VmSummary]:
        """Return the other protected VMs of the platform that have new ids: they may take each other's.

        A host that is removed and added again gives all its VMs new ids at once.
        """
        everything = [PresentVm(summary=vm) for vm in inventory]
        moves: dict[VmId, VmSummary] = {}
        for rule in self._rules.all():
            for vm in rule.vms if rule.platform == request.platform else ():
                found = locate(recorded_protected(vm, here), everything, here)
                if found.verdict is Verdict.MOVED and found.vm is not None:
                    moves[vm.vm] = found.vm
        return moves
