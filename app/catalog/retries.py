"""The backups that failed and are retried automatically."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.remembered import Remembered
from app.catalog.tables import retries
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.retry import NextTry, PendingRetry
from app.domain.states import BackupKind


class RetryStore:
    """Stores which backups are tried again, and when; at most one for a VM in a rule. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes
        self._all: Remembered[tuple[PendingRetry, ...]] = Remembered(is_alone=database.is_ours_alone)

    def put(self, retry: PendingRetry) -> None:
        """Remember a retry, in place of an earlier one of the VM in the rule."""
        with changing(self._database, self._changes, self._all.forget) as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, retry.rule)
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
        with changing(self._database, self._changes, self._all.forget) as transaction:
            transaction.note(Subject.RULES, rule)
            return transaction.connection.execute(sa.delete(retries).where(_of(rule, vms))).rowcount

    def all(self) -> tuple[PendingRetry, ...]:
        """Return every retry, the soonest first."""

        def read() -> tuple[PendingRetry, ...]:
            with self._database.read() as connection:
                rows = connection.execute(sa.select(retries).order_by(retries.c.due_at, retries.c.vm)).all()
            return tuple(self._database.unreadable.readable(retries, rows, _retry))

        return self._all.get(read)

    def forget(self) -> None:
        """Read again at the next question: a VM has another id, or a rule is gone."""
        self._all.forget()


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
