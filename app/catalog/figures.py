"""Figures of what was backed up: counts per local day, last results, and errors that no one has looked at."""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Any

import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.history_tables import day_figures, log, subjects, traffic_seconds, unviewed_errors
from app.catalog.packed import fetch_packed
from app.catalog.tables import rules, tasks
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.history import DayFigures
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.states import TaskKind, TaskState

_NEW_SUBJECT = sa.text(
    "INSERT INTO subjects (rule_id, vm, vm_name) VALUES (:rule_id, :vm, :vm_name) "
    "ON CONFLICT (rule_id, vm) DO UPDATE SET vm_name = excluded.vm_name RETURNING id"
)
_COUNT = sa.text(
    "INSERT INTO day_figures (subject_id, day, succeeded, failed, read_bytes, stored_bytes) "
    "VALUES (:subject_id, :day, :succeeded, :failed, :read_bytes, :stored_bytes) "
    "ON CONFLICT (subject_id, day) DO UPDATE SET succeeded = day_figures.succeeded + excluded.succeeded, "
    "failed = day_figures.failed + excluded.failed, "
    "read_bytes = day_figures.read_bytes + excluded.read_bytes, "
    "stored_bytes = day_figures.stored_bytes + excluded.stored_bytes"
).bindparams(sa.bindparam("day", type_=sa.Date))


_FOLLOW = (
    sa.text(
        "INSERT INTO day_figures (subject_id, day, succeeded, failed, read_bytes, stored_bytes) "
        "SELECT :new, day, succeeded, failed, read_bytes, stored_bytes FROM day_figures WHERE subject_id = :old "
        "ON CONFLICT (subject_id, day) DO UPDATE SET succeeded = day_figures.succeeded + excluded.succeeded, "
        "failed = day_figures.failed + excluded.failed, "
        "read_bytes = day_figures.read_bytes + excluded.read_bytes, "
        "stored_bytes = day_figures.stored_bytes + excluded.stored_bytes"
    ),
    sa.text(
        "INSERT INTO traffic (subject_id, slice_s, at_s, read_bytes, written_bytes) "
        "SELECT :new, slice_s, at_s, read_bytes, written_bytes FROM traffic WHERE subject_id = :old "
        "ON CONFLICT (subject_id, slice_s, at_s) DO UPDATE SET read_bytes = traffic.read_bytes + "
        "excluded.read_bytes, written_bytes = traffic.written_bytes + excluded.written_bytes"
    ),
)


class FigureStore:
    """Stores figures of VMs in rules, of rules and of everything. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes

    def days(
        self, rule: RuleId | None = None, vm: VmId | None = None, *, since: date | None = None
    ) -> tuple[DayFigures, ...]:
        """Return the days with ended backups, oldest first: of a VM in a rule, of a rule, or of everything.

        A VM without a rule stands for its backups in all rules and outside them.
        """
        query = _sums(_of(rule, vm)).add_columns(day_figures.c.day).group_by(day_figures.c.day)
        if since is not None:
            query = query.where(day_figures.c.day >= since)
        with self._database.read() as connection:
            rows = fetch_packed(connection, query.order_by(day_figures.c.day))
        return tuple(_day(row, row.day) for row in rows if isinstance(row.day, date))

    def total(self, rule: RuleId | None = None, vm: VmId | None = None) -> DayFigures:
        """Return the sum over all days; its ``day`` means nothing."""
        with self._database.read() as connection:
            return _day(connection.execute(_sums(_of(rule, vm))).one(), date.min)

    def unviewed(self, rule: RuleId | None = None, vm: VmId | None = None) -> int:
        """Return how many failed tasks no one has looked at."""
        query = sa.select(sa.func.count()).select_from(unviewed_errors).where(*_errors_of(rule, vm))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def unviewed_by_vm(self) -> dict[tuple[RuleId | None, VmId], int]:
        """Return how many failed tasks no one has looked at, for each VM in each rule that has any."""
        columns = (unviewed_errors.c.rule_id, unviewed_errors.c.vm)
        query = sa.select(*columns, sa.func.count().label("count")).group_by(*columns)
        with self._database.read() as connection:
            return {
                (None if row.rule_id is None else RuleId(row.rule_id), VmId(row.vm)): int(row[2])
                for row in fetch_packed(connection, query)
            }

    def unviewed_among(self, ids: Sequence[TaskId]) -> frozenset[TaskId]:
        """Return those of up to a thousand tasks that failed and that no one has looked at."""
        query = sa.select(unviewed_errors.c.task_id).where(unviewed_errors.c.task_id.in_(ids))
        with self._database.read() as connection:
            return frozenset(TaskId(row.task_id) for row in fetch_packed(connection, query))

    def mark_viewed(self, rule: RuleId | None = None, vm: VmId | None = None) -> int:
        """Note that the operator looked at the failed tasks of a rule, a VM, or all; return how many were new."""
        viewed = sa.delete(unviewed_errors).where(*_errors_of(rule, vm)).returning(unviewed_errors.c.rule_id)
        with changing(self._database, self._changes) as transaction:
            rules_of = transaction.connection.execute(viewed).scalars().all()
            transaction.note(Subject.RULES, *rules_of, None)
            transaction.note(Subject.FIGURES, *(rule or "" for rule in rules_of), None)
            return len(rules_of)

    def make_up_for(self, task: TaskId) -> None:
        """Count a failed task no longer among those to look at: it is run again."""
        made_up = sa.delete(unviewed_errors).where(unviewed_errors.c.task_id == task)
        with changing(self._database, self._changes) as transaction:
            rules_of = transaction.connection.execute(made_up.returning(unviewed_errors.c.rule_id)).scalars().all()
            transaction.note(Subject.RULES, *rules_of, None)
            transaction.note(Subject.FIGURES, *(rule or "" for rule in rules_of), None)

    def last_failures(self, limit: int, *, until: datetime | None = None) -> tuple[TaskId, ...]:
        """Return the newest failed backup of each VM whose last backup failed, newest first.

        Args:
            limit: at most so many.
            until: what ended later counts only for VMs that have nothing else: a clock that was wrong noted it.
        """
        last = _last_result() if until is None else sa.func.coalesce(_last_result(until), _last_result())
        ids = sa.select(last).where(subjects.c.vm != "")
        query = (
            sa.select(tasks.c.id)
            # Inside a function the state offers no index: there are far fewer last results than failures.
            .where(tasks.c.id.in_(ids), sa.func.coalesce(tasks.c.state, "") == TaskState.FAILED.value)
            .order_by(tasks.c.ended_at.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(TaskId(row.id) for row in connection.execute(query))

    def rules_since(self) -> dict[RuleId, datetime]:
        """Return since when each rule is there."""
        with self._database.read() as connection:
            rows = fetch_packed(connection, sa.select(rules.c.id, rules.c.created_at))
            moments = ((RuleId(row.id), row.created_at) for row in rows)
            return {rule: since for rule, since in moments if isinstance(since, datetime)}

    def forget_rule(self, rule: RuleId) -> None:
        """Delete a rule's figures, traffic and unviewed errors; its tasks stay as tasks of no rule."""
        with changing(self._database, self._changes) as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            transaction.note(Subject.FIGURES, rule)
            transaction.note(Subject.TASKS)
            connection.execute(sa.delete(subjects).where(subjects.c.rule_id == rule))
            connection.execute(sa.delete(unviewed_errors).where(unviewed_errors.c.rule_id == rule))
            connection.execute(sa.delete(traffic_seconds).where(traffic_seconds.c.rule_id == rule))
            connection.execute(sa.update(tasks).where(tasks.c.rule_id == rule).values(rule_id=None))


# --- inside the transactions that change tasks -------------------------------------------------------------------


def _last_result(until: datetime | None = None) -> sa.ScalarSelect[str]:
    """Return the query for the last ended backup of a subject."""
    ended = (
        sa.select(tasks.c.id)
        .where(
            # Written out as in the partial index ix_tasks_last_results: with bound values it is not used.
            sa.text("tasks.kind = 'backup' AND tasks.state IN ('completed', 'failed')"),
            tasks.c.vm == subjects.c.vm,
            tasks.c.rule_id.is_not_distinct_from(sa.func.nullif(subjects.c.rule_id, "")),
        )
        .order_by(tasks.c.ended_at.desc())
        .limit(1)
    )
    if until is not None:
        ended = ended.where(tasks.c.ended_at <= until)
    return ended.correlate(subjects).scalar_subquery()


def subject_id(connection: sa.Connection, rule: str | None, vm: str, vm_name: str = "") -> int:
    """Return the key of what figures are kept of; it is made on first use."""
    values = {"rule_id": rule or "", "vm": vm, "vm_name": vm_name}
    return int(connection.execute(_NEW_SUBJECT, values).scalar_one())


def count_end(connection: sa.Connection, task: TaskId, state: TaskState, at: datetime, zone: tzinfo) -> str | None:
    """Count a task that enters a final state, in the same transaction.

    Args:
        connection: inside the transaction, after the state was written.
        task: which.
        state: the final state.
        at: when.
        zone: whose local day it is.

    Returns:
        The task's rule.
    """
    row = connection.execute(sa.select(tasks).where(tasks.c.id == task)).one_or_none()
    rule: str | None = None if row is None else row.rule_id
    if row is None or state not in (TaskState.COMPLETED, TaskState.FAILED):
        return rule
    if state is TaskState.FAILED:
        connection.execute(sa.insert(unviewed_errors).values(task_id=task, rule_id=row.rule_id, vm=row.vm))
    if row.kind != TaskKind.BACKUP.value:
        return rule
    for subject in _subjects_of(connection, row):
        values = {
            "subject_id": subject,
            "day": at.astimezone(zone).date(),
            "succeeded": int(state is TaskState.COMPLETED),
            "failed": int(state is TaskState.FAILED),
            "read_bytes": row.read_bytes,
            "stored_bytes": row.written_bytes,
        }
        connection.execute(_COUNT, values)
    return rule


def follow_vm(connection: sa.Connection, rule: str, old: str, new: str) -> None:
    """Give all that is remembered of a VM in a rule to the VM that took its place."""
    here = (subjects.c.rule_id == rule) & (subjects.c.vm == old)
    before = connection.execute(sa.select(subjects).where(here)).one_or_none()
    if before is not None:
        values = {"old": before.id, "new": subject_id(connection, rule, new, before.vm_name)}
        for statement in _FOLLOW:
            connection.execute(statement, values)
        connection.execute(sa.delete(subjects).where(subjects.c.id == before.id))
    ended = (tasks.c.rule_id == rule) & (tasks.c.vm == old) & tasks.c.ended_at.is_not(None)
    connection.execute(sa.update(tasks).where(ended).values(vm=new))
    for table in (unviewed_errors, log):
        connection.execute(sa.update(table).where(table.c.rule_id == rule, table.c.vm == old).values(vm=new))


def _subjects_of(connection: sa.Connection, row: sa.Row[Any]) -> set[int]:
    found = {subject_id(connection, row.rule_id, row.vm, row.vm_name), subject_id(connection, None, "")}
    if row.rule_id is not None:
        found.add(subject_id(connection, row.rule_id, ""))
    return found


# --- reading -----------------------------------------------------------------------------------------------------


def _of(rule: RuleId | None, vm: VmId | None) -> sa.ColumnElement[bool]:
    if vm is not None and rule is None:
        return subjects.c.vm == vm
    return (subjects.c.rule_id == (rule or "")) & (subjects.c.vm == (vm or ""))


def of_subjects(rule: RuleId | None, vm: VmId | None) -> sa.Select[tuple[int]]:
    """Return the query for the keys of what figures are asked for."""
    return sa.select(subjects.c.id).where(_of(rule, vm))


def _errors_of(rule: RuleId | None, vm: VmId | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if rule is not None:
        found.append(unviewed_errors.c.rule_id == rule)
    if vm is not None:
        found.append(unviewed_errors.c.vm == vm)
    return found


def _sums(subject: sa.ColumnElement[bool]) -> sa.Select[Any]:
    columns = [day_figures.c[name] for name in ("succeeded", "failed", "read_bytes", "stored_bytes")]
    return sa.select(*(sa.func.coalesce(sa.func.sum(column), 0).label(column.name) for column in columns)).where(
        day_figures.c.subject_id.in_(sa.select(subjects.c.id).where(subject))
    )


def _day(row: sa.Row[Any], day: date) -> DayFigures:
    return DayFigures(
        day=day,
        succeeded=int(row.succeeded),  # with text in a column of numbers the sum is a fraction
        failed=int(row.failed),
        read_bytes=int(row.read_bytes),
        stored_bytes=int(row.stored_bytes),
    )
