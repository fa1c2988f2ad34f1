"""Group restore (组恢复): several VMs of a rule back over their originals."""

import logging
from collections.abc import Sequence

from app.contract.restore import GroupMember, OverOriginal
from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError, VmCreationFailed
from app.domain.ids import PointId, TaskId, VmId
from app.domain.rules import BackupRule
from app.domain.vms import VmSummary
from app.engine import messages
from app.engine.errors import DisksNotHeld, RequestRefused, VmNameTaken
from app.engine.log.journal import Journal
from app.engine.platforms.sessions import Sessions
from app.engine.reasons import GROUP_TWICE
from app.engine.restore.planning import RestorePlanner, read_saved
from app.engine.rules.editing import members
from app.engine.rules.errors import PointNotOfVm
from app.engine.rules.points import RulePoints
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.commands import target_of
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import RestoreSpec
from app.repository import Repository

_log = logging.getLogger(__name__)
_REFUSALS = (VmCreationFailed, VmNameTaken, DisksNotHeld)
"""Nothing of the group starts where a member is one of these."""


class GroupRestorer:
    """Queues the restores of a group. Thread: any."""

    def __init__(
        self,
        *,
        rule_points: RulePoints,
        planner: RestorePlanner,
        sessions: Sessions,
        repositories: Repositories,
        manager: TaskManager,
        factory: TaskFactory,
        journal: Journal,
    ) -> None:
        self._rule_points = rule_points
        self._planner = planner
        self._sessions = sessions
        self._repositories = repositories
        self._manager = manager
        self._factory = factory
        self._journal = journal

    def begin(self, rule: BackupRule, group: Sequence[GroupMember], *, power_on: bool) -> tuple[TaskId, ...]:
        """Queue one restore for each member, each over its original.

        Raises:
            RequestRefused, VmNotInRule, PointNotOfVm: nothing is queued.
            VmCreationFailed, VmNameTaken: a VM cannot be created again; nothing is queued.
            DisksNotHeld: an original has disks that its point does not hold; nothing is queued.
            OperationalError: a restore could not be queued; those before it are.
        """
        if not group or len({member.vm for member in group}) < len(group):
            raise RequestRefused(detail=GROUP_TWICE)
        names = {vm.vm: vm.name for vm in members(rule, [member.vm for member in group])}
        for member in group:
            self._check(rule, member.vm, member.point, names[member.vm])
        self._refuse_impossible(rule, group)
        queued = [
            self._factory.task(
                RestoreSpec(
                    standby=rule.standby,
                    target_path=rule.target_path,
                    point=member.point,
                    platform=rule.platform,
                    target=target_of(OverOriginal(confirmed=member.confirmed)),
                    power_on=power_on,
                    rule=rule.id,
                )
            )
            for member in group
        ]
        tasks = tuple(self._manager.submit(task) for task in queued)
        log = self._journal.about(rule.name, "rule.group_restore", rule=rule.id)
        log.info(messages.GROUP_RESTORE_BEGUN, vms=", ".join(names.values()))
        return tasks

    def _check(self, rule: BackupRule, vm: VmId, point: PointId, name: str) -> None:
        if all(known.point.id != point for known in self._rule_points.of_vm(rule, vm)):
            raise PointNotOfVm(point=point, vm=name)

    def _refuse_impossible(self, rule: BackupRule, group: Sequence[GroupMember]) -> None:
        """Refuse what cannot be created, or would delete data for good; what else is wrong the restores say."""
        try:
            with (
                self._repositories.lease(rule.standby, rule.target_path) as repository,
                self._sessions.connect(rule.platform) as hypervisor,
            ):
                inventory = hypervisor.list_vms()
                for member in group:
                    self._refuse_member(rule, member, repository, hypervisor, inventory)
        except _REFUSALS:
            raise
        except OperationalError as error:
            _log.info("the group restore of %s could not be planned: %s", rule.name, error.code)

    def _refuse_member(
        self,
        rule: BackupRule,
        member: GroupMember,
        repository: Repository,
        hypervisor: Hypervisor,
        inventory: Sequence[VmSummary],
    ) -> None:
        wish = OverOriginal(confirmed=member.confirmed)
        try:
            saved = read_saved(repository, member.point)
            self._planner.plan_in(hypervisor, inventory, rule.platform, saved, wish)
        except _REFUSALS:
            raise
        except OperationalError as error:
            _log.info("the restore of %s could not be planned: %s", member.point, error.code)
