"""Backups of a rule's VMs as tasks."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from app.domain.changetracking import ChangeTracking
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.rules import AdvancedSettings, BackupRule, ProtectedVm
from app.domain.states import BackupKind, TaskKind
from app.domain.tasks import TaskRecord
from app.engine import messages
from app.engine.log.journal import Journal
from app.engine.ports import RetryStore
from app.engine.rules.points import RulePoints
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import BackupSpec
from app.engine.tasks.stored import readable_spec

RUN_NOW_PRIORITY = 100
"""Tasks that the operator wants at once go before planned ones."""


class RuleRuns:
    """Queues backups for rules. Thread: any."""

    def __init__(
        self,
        *,
        rule_points: RulePoints,
        manager: TaskManager,
        factory: TaskFactory,
        retries: RetryStore,
        journal: Journal,
    ) -> None:
        self._rule_points = rule_points
        self._manager = manager
        self._factory = factory
        self._retries = retries
        self._journal = journal

    def unfinished(self, rule: RuleId, vms: Iterable[VmId] | None = None) -> list[TaskRecord]:
        """Return the tasks of a rule that wait or run, of all its VMs or of some."""
        chosen = None if vms is None else set(vms)
        return [
            task
            for task in self._manager.unfinished()
            if task.rule == rule and (chosen is None or task.vm in chosen)
        ]

    def backups(self, rule: RuleId) -> dict[VmId, TaskRecord]:
        """Return the backups of a rule that wait or run, by VM."""
        return {task.vm: task for task in self.unfinished(rule) if task.kind is TaskKind.BACKUP}

    def run_now(self, rule: BackupRule, vms: Iterable[ProtectedVm], kind: BackupKind) -> tuple[TaskId, ...]:
        """Queue backups before what waits; one of this kind that waits already goes before the others instead.

        VMs whose backup is running are left out.

        Raises:
            CatalogUnavailable: not all could be queued.
        """
        busy, tasks, names = self.backups(rule.id), list[TaskId](), list[str]()
        for vm in vms:
            waiting = busy.get(vm.vm)
            if waiting is not None and self._manager.is_live(waiting.id):
                continue
            if waiting is not None and _kind_of(waiting) is kind:
                if self._manager.promote(waiting.id, RUN_NOW_PRIORITY):
                    tasks.append(waiting.id)
                    names.append(vm.name)
                continue
            tasks.append(self.queue(rule, vm, kind, priority=RUN_NOW_PRIORITY))
            names.append(vm.name)
        if names:
            log = self._journal.about(rule.name, "rule.run_now", rule=rule.id)
            log.info(messages.RULE_RUN_NOW, kind=kind, vms=", ".join(names))
        return tuple(tasks)

    def run_planned(
        self, rule: BackupRule, vms: Iterable[ProtectedVm], kind: BackupKind, planned: str
    ) -> tuple[list[ProtectedVm], list[ProtectedVm]]:
        """Queue backups as planned; return the VMs whose backup was queued, and those that had to be skipped.

        A VM whose previous backup has not ended is skipped. What cannot be queued is logged. Never raises.
        """
        log = self._journal.about(rule.name, "rule.schedule", rule=rule.id)
        busy, begun, skipped = self.backups(rule.id), list[ProtectedVm](), list[ProtectedVm]()
        for vm in vms:
            if vm.vm in busy:
                log.warning(messages.RULE_RUN_SKIPPED, at=planned, vm=vm.name)
                skipped.append(vm)
                continue
            try:
                self.queue(rule, vm, kind)
            except OperationalError as error:
                log.error(messages.RULE_RUN_NOT_QUEUED, vm=vm.name, detail=error)
            else:
                begun.append(vm)
        return begun, skipped

    def queue(
        self, rule: BackupRule, vm: ProtectedVm, kind: BackupKind, *, priority: int = 0, retry: int = 0
    ) -> TaskId:
        """Queue a backup of one VM, in place of a retry that waits for its moment.

        Args:
            rule: its rule.
            vm: the VM.
            kind: what kind of backup.
            priority: higher goes first.
            retry: how many times it was tried again by itself, this one included.

        Raises:
            CatalogUnavailable: it could not be noted.
        """
        advanced = rule.advanced
        spec = BackupSpec(
            platform=rule.platform,
            vm=vm.vm,
            vm_name=vm.name,
            standby=rule.standby,
            target_path=rule.target_path,
            rule=rule.id,
            rule_name=rule.name,
            kind=kind,
            tracking=tracking_of(advanced),
            quiesce=advanced.quiesce,
            lan_free=advanced.lan_free,
            priority=priority,
            host=self._host_of(rule, vm.vm),
            retry=retry,
        )
        task = self._manager.submit(self._factory.task(spec))
        self._retries.remove(rule.id, [vm.vm])
        return task

    def _host_of(self, rule: BackupRule, vm: VmId) -> str:
        """Return the ESXi host that ran the VM at its newest point; the budget of that host is counted."""
        newest = next(iter(self._rule_points.of_vm(rule, vm)), None)
        return "" if newest is None else newest.point.facts.host


def tracking_of(advanced: AdvancedSettings) -> ChangeTracking:
    """Return how a rule's backups use change tracking.

    The automatic setting switches it on where it is off. Without it, the manual box uses it where it is on
    already; with neither, every backup reads the whole disk.
    """
    if advanced.automatic_change_tracking:
        return ChangeTracking.AUTOMATIC
    return ChangeTracking.IF_ENABLED if advanced.use_change_tracking else ChangeTracking.OFF


def shown_moment(moment: datetime, zone: tzinfo) -> str:
    """Return a moment for a line of the log: in a time zone, to the minute."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(" ", "minutes")


def _kind_of(record: TaskRecord) -> BackupKind | None:
    spec = readable_spec(record)
    return spec.kind if isinstance(spec, BackupSpec) else None
