"""Creating, changing and deleting rules, with every guard; starting and stopping their VMs."""

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from app.contract.rules import DeletionPreview, Policy, RuleDraft, RuleProblemRow, VmChoice
from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.events import RuleRemoved
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import Message, listed
from app.domain.policies import BackupPolicy, OneTimePolicy, RetryPlan
from app.domain.proofs import ProofPolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.standbys import normal_target_path
from app.domain.states import BackupKind, TaskKind
from app.domain.tasks import KnownPoint, TaskRecord
from app.engine import messages
from app.engine.errors import RequestRefused
from app.engine.history.ports import FigureStore
from app.engine.log.journal import Journal, SubjectLog
from app.engine.ports import RuleStore
from app.engine.reasons import NO_VM_NAMED, PIN_USES, TASK_USES
from app.engine.rules.drafts import DraftChecker, chosen_vms, policy_of, proof_problems, rule_of
from app.engine.rules.errors import (
    LastVmOfRule,
    RuleInUse,
    RuleRefused,
    RuleUnknown,
    StillStopping,
    VmNotInRule,
)
from app.engine.rules.points import RulePoints
from app.engine.rules.retries import Retries
from app.engine.rules.runs import RuleRuns
from app.engine.tasks.manager import TaskManager
from app.repository import GarbageCollectionPolicy


class RuleEditor:
    """Carries out the commands that change rules. Thread: any; changes take turns."""

    def __init__(
        self,
        *,
        rules: RuleStore,
        figures: FigureStore,
        checker: DraftChecker,
        rule_points: RulePoints,
        runs: RuleRuns,
        retry_plans: Retries,
        manager: TaskManager,
        journal: Journal,
        bus: EventBus,
        clock: Clock,
        zone: Callable[[], tzinfo],
        stop_wait_s: float,
        replan: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._figures = figures
        self._checker = checker
        self._rule_points = rule_points
        self._runs = runs
        self._retry_plans = retry_plans
        self._manager = manager
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._zone = zone
        self._stop_wait_s = stop_wait_s
        self._replan = replan
        self._lock = threading.Lock()

    # --- creating and changing -------------------------------------------------------------------------------

    def create(self, draft: RuleDraft) -> RuleId:
        """Create a rule and start it.

        Raises:
            RuleRefused: something is wrong with the draft; nothing is created.
        """
        now = self._clock.now()
        with self._lock:
            _refuse(self._checker.problems(draft))
            rule = rule_of(draft, RuleId(str(uuid.uuid4())), now)
            rule = replace(rule, target_path=normal_target_path(rule.target_path))
            self._rules.add(rule, now, _considered(rule.policy, now))
        self._log(rule, "rule.create").info(messages.RULE_CREATED, vms=len(rule.vms))
        self._replan()
        return rule.id

    def change_policy(self, rule: RuleId, policy: Policy) -> None:
        """Give a rule another policy; runs that are due up to now are not made up for.

        Raises:
            RuleUnknown, RuleRefused: nothing is changed.
        """
        now = self._clock.now()
        with self._lock:
            known = self.rule(rule)
            _refuse(self._checker.policy_problems(policy))
            chosen = policy_of(policy, now)
            self._rules.set_policy(rule, chosen, _considered(chosen, now))
        self._log(known, "rule.change").info(messages.RULE_POLICY_CHANGED)
        self._replan()

    def change_retry(self, rule: RuleId, retry: RetryPlan) -> None:
        """Change how often failed backups of a rule are tried again, and after how long.

        Raises:
            RuleUnknown, RuleRefused: nothing is changed.
        """
        with self._lock:
            known = self.rule(rule)
            _refuse([RuleProblemRow(field="policy", code=problem.value, value="") for problem in retry.problems()])
            self._rules.set_retry(rule, retry)
        if not retry.times:
            self._retry_plans.drop(known, known.vms)
        self._log(known, "rule.change").info(messages.RETRY_CHANGED, times=retry.times, minutes=retry.pause_min)
        self._replan()

    def change_proof(self, rule: RuleId, proof: ProofPolicy) -> None:
        """Change when and how the restore points of a rule are proven.

        Raises:
            RuleUnknown, RuleRefused: nothing is changed.
        """
        with self._lock:
            known = self.rule(rule)
            _refuse(proof_problems(proof))
            self._rules.set_proof(rule, proof)
        self._log(known, "rule.change").info(messages.RULE_PROOF_CHANGED)
        self._replan()

    def add_vms(self, rule: RuleId, choices: Sequence[VmChoice]) -> None:
        """Add VMs to a rule, started.

        Raises:
            RuleUnknown, RuleRefused: nothing is changed.
        """
        vms = chosen_vms(choices)
        with self._lock:
            known = self.rule(rule)
            tentative = replace(known, vms=vms, target_path=known.target_path or ".")
            taken = self._checker.vms_taken(known.platform)
            problems = tentative.problems(names_taken=(), vms_taken=taken)
            _refuse([RuleProblemRow(field="vms", code=problem.value, value=value) for problem, value in problems])
            self._rules.add_vms(rule, vms)
        self._log(known, "rule.change").info(messages.RULE_VMS_ADDED, vms=_names(vms))
        self._run_at_once(known, vms)
        self._replan()

    # --- starting and stopping -------------------------------------------------------------------------------

    def start(self, rule: RuleId, vms: Iterable[VmId] | None = None) -> None:
        """Start VMs of a rule, all or some; a one-time rule whose moment has passed runs again now.

        Raises:
            RuleUnknown, VmNotInRule: nothing is changed.
        """
        known = self.rule(rule)
        chosen = members(known, vms)
        self._rules.set_started(rule, [vm.vm for vm in chosen], started=True)
        self._log(known, "rule.start").info(messages.RULE_STARTED, vms=_names(chosen))
        self._run_at_once(known, chosen)
        self._replan()

    def stop(self, rule: RuleId, vms: Iterable[VmId] | None = None) -> None:
        """Stop VMs of a rule, all or some, and the backups that wait or run for them.

        Raises:
            RuleUnknown, VmNotInRule: nothing is changed.
        """
        known = self.rule(rule)
        chosen = members(known, vms)
        self._stop(known, chosen)
        self._log(known, "rule.stop").info(messages.RULE_STOPPED, vms=_names(chosen))
        self._replan()

    def _stop(self, rule: BackupRule, vms: Iterable[ProtectedVm]) -> list[TaskId]:
        chosen = list(vms)
        ids = [vm.vm for vm in chosen]
        self._rules.set_started(rule.id, ids, started=False)
        self._retry_plans.drop(rule, chosen)
        stopped = [record.id for record in self._runs.unfinished(rule.id, ids) if record.kind is TaskKind.BACKUP]
        for task in stopped:
            self._manager.cancel(task)
        return stopped

    def _run_at_once(self, rule: BackupRule, vms: Iterable[ProtectedVm]) -> None:
        """Queue the backups of a one-time rule whose moment the scheduler has dealt with already."""
        policy = rule.policy
        considered = self._rules.considered().get(rule.id)
        if isinstance(policy, OneTimePolicy) and considered is not None and policy.start <= considered:
            planned = policy.start.astimezone(self._zone()).isoformat(" ", "minutes")
            self._runs.run_planned(rule, vms, BackupKind.FULL, planned)

    # --- deleting --------------------------------------------------------------------------------------------

    def preview_deletion(self, rule: RuleId, vms: Sequence[VmId] = ()) -> DeletionPreview:
        """Return what deleting a rule, or VMs of it, with data would remove.

        Raises:
            RuleUnknown, VmNotInRule: as they say.
        """
        known = self.rule(rule)
        points = self._rule_points.of_vms(known, [vm.vm for vm in members(known, vms or None)])
        return DeletionPreview(
            point_count=len(points),
            freed_bytes=sum(entry.point.stored_bytes for entry in points),
            kept_days=GarbageCollectionPolicy().grace.days,
            blocked_by=self._blockers(known, points),
        )

    def delete(self, rule: RuleId, *, delete_data: bool) -> None:
        """Delete a rule with its statistics, and with its data where that is wanted.

        Raises:
            RuleUnknown: there is none.
            RuleInUse, PointPinned: data would go that is in use; nothing is changed.
            StillStopping: its backups still clean up; it is stopped, nothing else is changed.
            OperationalError: the repository refused; the rule is still there, stopped.
        """
        known = self.rule(rule)
        points = self._quiet(known, known.vms, delete_data=delete_data)
        count = self._rule_points.delete(known, points)
        self._rules.remove(rule)
        self._figures.forget_rule(rule)
        log = self._journal.about(known.name, "rule.delete")
        if delete_data:
            log.info(messages.RULE_DELETED_WITH_DATA, points=count)
        else:
            log.info(messages.RULE_DELETED)
        self._replan()
        self._bus.publish(RuleRemoved(at=self._clock.now(), rule=rule))

    def remove_vms(self, rule: RuleId, vms: Sequence[VmId], *, delete_data: bool) -> None:
        """Take VMs out of a rule, and delete their data where that is wanted.

        Raises:
            RuleUnknown, VmNotInRule, RequestRefused, LastVmOfRule: nothing is changed.
            RuleInUse, PointPinned: data would go that is in use; nothing is changed.
            StillStopping: their backups still clean up; they are stopped, nothing else is changed.
            OperationalError: the repository refused; the VMs are still there, stopped.
        """
        known = self.rule(rule)
        if not vms:
            raise RequestRefused(detail=NO_VM_NAMED)
        chosen = members(known, vms)
        if len(chosen) == len(known.vms):
            raise LastVmOfRule(rule=known.name)
        points = self._quiet(known, chosen, delete_data=delete_data)
        self._rule_points.delete(known, points)
        self._rules.remove_vms(rule, vms)
        log = self._log(known, "rule.change")
        log.info(messages.RULE_VMS_REMOVED, vms=_names(chosen))
        if points:
            log.info(messages.RULE_VM_DATA_DELETED, points=len(points), vm=_names(chosen))
        self._replan()

    def _quiet(self, rule: BackupRule, vms: Sequence[ProtectedVm], *, delete_data: bool) -> tuple[KnownPoint, ...]:
        """Refuse what tasks and pins forbid, then stop the VMs' backups; return the points to delete."""
        ids = [vm.vm for vm in vms]
        points = self._rule_points.of_vms(rule, ids) if delete_data else ()
        users = self._users(rule, points)
        if users:
            raise RuleInUse(rule=rule.name, tasks=listed(_told(task) for task in users))
        self._rule_points.refuse_pinned(rule, points)
        stopped = set(self._stop(rule, vms))
        if not self._manager.wait_until_ended(lambda record: record.id in stopped, self._stop_wait_s):
            raise StillStopping(rule=rule.name)
        # Looked at again: a backup that could not be stopped any more has made one point more.
        return self._rule_points.of_vms(rule, ids) if delete_data else ()

    def _blockers(self, rule: BackupRule, points: Sequence[KnownPoint]) -> tuple[Message, ...]:
        users = self._users(rule, points)
        told = [_told(task) for task in users]
        names = {known.point.id: known.point.facts.name for known in points}
        read = {task.point for task in users}
        told += [
            PIN_USES.fill(purpose=pin.purpose, vm=names[pin.point], host=pin.host)
            for pin in self._rule_points.pins_of(rule, points)
            if not (pin.is_at_work and pin.point in read)  # the task tells of it
        ]
        return tuple(told)

    def _users(self, rule: BackupRule, points: Iterable[KnownPoint]) -> list[TaskRecord]:
        """Return the tasks other than backups that use some of the points."""
        ids = {known.point.id for known in points}
        return [
            task
            for task in self._manager.unfinished()
            if task.kind is not TaskKind.BACKUP
            and (task.standby, task.target_path) == (rule.standby, rule.target_path)
            and task.point in ids
        ]

    # --- inside ----------------------------------------------------------------------------------------------

    def rule(self, rule: RuleId) -> BackupRule:
        """Return a rule.

        Raises:
            RuleUnknown: there is none of that id.
        """
        known = self._rules.get(rule)
        if known is None:
            raise RuleUnknown(rule=rule)
        return known

    def _log(self, rule: BackupRule, action: str) -> SubjectLog:
        return self._journal.about(rule.name, action, rule=rule.id)


def _considered(policy: BackupPolicy, now: datetime) -> datetime:
    """Return the moment up to which a new policy's runs are none of its business."""
    if isinstance(policy, OneTimePolicy):
        return min(now, policy.start - timedelta(microseconds=1))
    return now


def members(rule: BackupRule, vms: Iterable[VmId] | None) -> tuple[ProtectedVm, ...]:
    """Return VMs of a rule, all with None.

    Raises:
        VmNotInRule: one of them is not in it.
    """
    if vms is None:
        return rule.vms
    found: list[ProtectedVm] = []
    for vm in dict.fromkeys(vms):
        protected = rule.vm(vm)
        if protected is None:
            raise VmNotInRule(vm=vm, rule=rule.name)
        found.append(protected)
    return tuple(found)


def _refuse(problems: Iterable[RuleProblemRow]) -> None:
    found = listed(problems)
    if found is not None:
        raise RuleRefused(problems=found)


def _names(vms: Iterable[ProtectedVm]) -> str:
    return ", ".join(vm.name for vm in vms)


def _told(record: TaskRecord) -> Message:
    return TASK_USES.fill(task=record.kind, vm=record.vm_name)
