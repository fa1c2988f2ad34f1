"""The backups that failed and are retried automatically."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.tables import retries
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.retry import NextTry, PendingRetry
from app.domain.states import BackupKind


class RetryStore:
    """Stores which backups are tried again, and when; at most one for a VM in a rule. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, retry: PendingRetry) -> None:
        """Remember a retry, in place of an earlier one of the VM in the rule."""
        with self._database.write() as connection:
            connection.execute(sa.delete(retries).where(_of(retry.rule, [retry.vm])))
            connection.execute(
                sa.insert(retries).values(
                    rule_id=retry.rule,
                    vm=retry.vm,
                    kind=retry.kind.value,
                    number=retry.next.number,
                    times=retry.next.of,
                    due_at=retry.next.at,
                    task_id=retry.failed_task,
                )
            )

    def remove(self, rule: RuleId, vms: Collection[VmId]) -> int:
        """Forget the retries of VMs in a rule; return how many there were."""
        if not self.all():  # mostly: then nothing has to be written
            return 0
        with self._database.write() as connection:
            return connection.execute(sa.delete(retries).where(_of(rule, vms))).rowcount

    def all(self) -> tuple[PendingRetry, ...]:
        """Return every retry, the soonest first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(retries).order_by(retries.c.due_at, retries.c.vm)).all()
        return tuple(self._database.unreadable.readable(retries, rows, _retry))


def _retry(row: sa.Row[Any]) -> PendingRetry:
    return PendingRetry(
        rule=RuleId(row.rule_id),
        vm=VmId(row.vm),
        kind=BackupKind(row.kind),
        next=NextTry(number=row.number, of=row.times, at=row.due_at),
        failed_task=TaskId(row.task_id),
    )


def _of(rule: RuleId, vms: Collection[VmId]) -> sa.ColumnElement[bool]:
    return (retries.c.rule_id == rule) & retries.c.vm.in_(list(vms))
