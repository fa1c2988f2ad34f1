"""Backups of rules that failed are tried again by themselves, as their rule says."""

from collections.abc import Callable, Iterable
from datetime import tzinfo

from app.core.clock import Clock
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, VmId
from app.domain.retry import NextTry, NoRetry, PendingRetry, next_try
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.schedule import next_run
from app.domain.tasks import TaskRecord
from app.engine import messages
from app.engine.log.journal import Journal
from app.engine.ports import Catalog
from app.engine.rules.runs import RuleRuns, shown_moment
from app.engine.tasks.spec import BackupSpec
from app.engine.tasks.stored import readable_spec

_WHY_NOT = {NoRetry.USELESS: messages.RETRY_USELESS, NoRetry.USED_UP: messages.RETRY_USED_UP}


class Retries:
    """Plans the next try of a failed backup. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        journal: Journal,
        clock: Clock,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._clock = clock
        self._zone = zone

    def plan(self, record: TaskRecord, error: OperationalError, log: TaskLog) -> bool:
        """Decide about a task that failed just now; return whether it is tried again.

        What was decided goes to the task's log, and is durable before the failure is: a kill forgets nothing.

        Raises:
            CatalogUnavailable: it cannot be told or noted.
        """
        spec = readable_spec(record)
        if not isinstance(spec, BackupSpec) or record.rule is None:
            return False
        now, zone = self._clock.now(), self._zone()
        rule = self._catalog.rules.get(record.rule)
        if rule is None:
            return False
        vm = _member(rule, record)
        planned = next_run(rule.policy, now, zone)
        decided = next_try(
            rule.policy.retry,
            done=spec.retry,
            is_retryable=error.retryable,
            is_started=vm is not None and vm.is_started,
            now=now,
            planned_run=None if planned is None else planned.at,
        )
        if isinstance(decided, NextTry) and vm is not None:
            self._catalog.retries.put(
                PendingRetry(rule=rule.id, vm=vm.vm, kind=spec.kind, next=decided, failed_task=record.id)
            )
            log.info(
                messages.RETRY_PLANNED, at=shown_moment(decided.at, zone), number=decided.number, times=decided.of
            )
            return True
        if decided is NoRetry.PLANNED_RUN_FIRST and planned is not None:
            log.info(messages.RETRY_PLANNED_RUN_FIRST, at=shown_moment(planned.at, zone))
        elif isinstance(decided, NoRetry) and decided in _WHY_NOT:
            log.info(_WHY_NOT[decided])
        return False

    def drop(self, rule: BackupRule, vms: Iterable[ProtectedVm]) -> None:
        """Try nothing of these VMs again.

        Raises:
            CatalogUnavailable: it cannot be noted.
        """
        chosen = list(vms)
        waiting = self.of_rule(rule.id)
        names = [vm.name for vm in chosen if vm.vm in waiting]
        if names:
            self._catalog.retries.remove(rule.id, [vm.vm for vm in chosen])
            log = self._journal.about(rule.name, "rule.schedule", rule=rule.id)
            log.info(messages.RETRY_DROPPED, vms=", ".join(names))

    def of_rule(self, rule: RuleId) -> dict[VmId, PendingRetry]:
        """Return the pending retries of a rule, by VM."""
        return {retry.vm: retry for retry in self._catalog.retries.all() if retry.rule == rule}


class RetryStarter:
    """Begins the next try of a failed backup when its moment has come. Thread: any."""

    def __init__(self, *, catalog: Catalog, runs: RuleRuns, journal: Journal, clock: Clock) -> None:
        self._catalog = catalog
        self._runs = runs
        self._journal = journal
        self._clock = clock

    def look(self) -> None:
        """Begin what is due.

        Raises:
            CatalogUnavailable: the catalog cannot be read or written; the next look tries again.
        """
        now = self._clock.now()
        for retry in self._catalog.retries.all():
            if retry.is_due(now):
                self._begin(retry)

    def _begin(self, retry: PendingRetry) -> None:
        catalog = self._catalog
        rule = catalog.rules.get(retry.rule)
        vm = None if rule is None else rule.vm(retry.vm)
        if rule is None or vm is None or not vm.is_started or vm.vm in self._runs.backups(rule.id):
            catalog.retries.remove(retry.rule, [retry.vm])
            return
        self._runs.queue(rule, vm, retry.kind, retry=retry.next.number)  # forgets the pending one
        catalog.figures.make_up_for(retry.failed_task)
        log = self._journal.about(rule.name, "rule.schedule", rule=rule.id, vm=vm.vm)
        log.info(messages.RETRY_BEGUN, vm=vm.name, number=retry.next.number, times=retry.next.of)


def _member(rule: BackupRule, record: TaskRecord) -> ProtectedVm | None:
    """Return the VM of a task in its rule; the rule may have followed it to another id meanwhile."""
    return rule.vm(record.vm) or rule.vm_named(record.vm_name)
