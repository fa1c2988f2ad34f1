"""Tasks with their stages, figures and log."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa

from app.catalog.changing import Changing, changing
from app.catalog.database import Database
from app.catalog.figures import count_end, subject_id
from app.catalog.history_tables import subjects
from app.catalog.kept_errors import pack_error, unpack_error
from app.catalog.log import append_for_task, read_of_task
from app.catalog.packed import fetch_packed
from app.catalog.reading import UnreadableRows
from app.catalog.tables import NO_BACKUP, rule_vms, rules, task_stages, tasks
from app.core.changes import ChangeFeed
from app.core.zones import local_zone
from app.domain.changes import Subject
from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import LogLine, StageTime, TaskRecord, TransferTotals

_TOTALS = tuple(TransferTotals.__dataclass_fields__)
_FINAL = frozenset(state.value for state in TaskState if state.is_final)
_FAILED = sa.text("tasks.state = 'failed'")
"""Written out as in the partial indices: with a bound value they are not used."""


class TaskStore:
    """Stores tasks. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed, zone: Callable[[], tzinfo] = local_zone) -> None:
        self._database = database
        self._changes = changes
        self._zone = zone

    @contextmanager
    def _write(self, task: TaskId) -> Iterator[Changing]:
        """Give a transaction that changes a task, and with it the rows of its rule."""
        with changing(self._database, self._changes) as transaction:
            yield transaction
            rule = sa.select(tasks.c.rule_id).where(tasks.c.id == task)
            transaction.note(Subject.TASKS, task)
            transaction.note(Subject.RULES, transaction.connection.execute(rule).scalar_one_or_none())

    def add(self, record: TaskRecord) -> None:
        """Remember a task that was just asked for, in the state it has."""
        with self._write(record.id) as transaction:
            connection = transaction.connection
            connection.execute(sa.insert(tasks).values(**_values(record)))
            subject_id(connection, record.rule, record.vm, record.vm_name)
            _enter(connection, record.id, record.state, record.created_at)

    def enter(self, task: TaskId, state: TaskState, at: datetime) -> None:
        """Note that a task moved to another state.

        The first state after the pending one sets the start, a final one sets the end and is counted in the
        figures, once.
        """
        change: dict[str, object] = {"state": state.value}
        if state is not TaskState.PENDING:
            change["started_at"] = sa.func.coalesce(
                tasks.c.started_at, sa.bindparam("now", at, tasks.c.started_at.type)
            )
        if state.is_final:
            change["ended_at"] = at
        with self._write(task) as transaction:
            connection = transaction.connection
            ended = _has_ended(connection, task)
            connection.execute(sa.update(tasks).where(tasks.c.id == task).values(**change))
            _enter(connection, task, state, at)
            if state.is_final and not ended:
                rule = count_end(connection, task, state, at, self._zone())
                transaction.note(Subject.FIGURES, rule or "")

    def set_error(self, task: TaskId, error: KeptError) -> None:
        """Note why a task fails."""
        values = {"error_code": error.code, "error_params": pack_error(error)}
        with self._write(task) as transaction:
            transaction.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(**values))

    def set_totals(self, task: TaskId, totals: TransferTotals) -> None:
        """Note what a task has moved."""
        values = {name: getattr(totals, name) for name in _TOTALS}
        with self._write(task) as transaction:
            transaction.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(**values))

    def set_point(self, task: TaskId, point: PointId) -> None:
        """Note which restore point a task made."""
        with self._write(task) as transaction:
            transaction.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(point=point))

    def set_vm(self, task: TaskId, vm: VmId) -> None:
        """Note that the VM of a task has another id."""
        with self._write(task) as transaction:
            transaction.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(vm=vm))

    def set_priority(self, task: TaskId, priority: int) -> None:
        """Note that a waiting task goes before others."""
        with self._write(task) as transaction:
            transaction.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(priority=priority))

    def newest_of_rules(
        self, only: Collection[RuleId] | None = None, *, ended: bool = False, until: datetime | None = None
    ) -> tuple[TaskRecord, ...]:
        """Return the newest backup of each VM in each rule, without stages.

        Args:
            only: of these rules; None: of all.
            ended: True: the newest that ended.
            until: what was asked for later counts only for VMs that have nothing else, for a wrong clock noted it.
        """
        members = sa.select(rule_vms)
        if only is not None:
            members = members.where(rule_vms.c.rule_id.in_(list(only)))
        newest = _newest_backup(ended=ended)
        believed = newest if until is None else sa.func.coalesce(_newest_backup(ended=ended, until=until), newest)
        newest_task = believed.label("task")
        # It has to name the table, because none of the table's own columns is selected.
        keys = members.with_only_columns(newest_task).select_from(rule_vms)
        with self._database.read() as connection:
            ids = [row.task for row in fetch_packed(connection, keys) if row.task is not None]
            found: list[TaskRecord] = []
            for start in range(0, len(ids), 500):  # well below SQLite's limit of variables in one statement
                chosen = sa.select(tasks).where(tasks.c.id.in_(ids[start : start + 500]))
                found += self._read(connection, chosen, with_stages=False)
        return tuple(found)

    def get(self, task: TaskId) -> TaskRecord | None:
        """Return one task, or None."""
        with self._database.read() as connection:
            found = self._read(connection, sa.select(tasks).where(tasks.c.id == task))
        return found[0] if found else None

    def is_known(self, task: TaskId) -> bool:
        """Return whether there is such a task, also one that cannot be read."""
        query = sa.select(sa.literal(1)).where(sa.exists().where(tasks.c.id == task))
        with self._database.read() as connection:
            return connection.execute(query).one_or_none() is not None

    def many(self, ids: Collection[TaskId]) -> tuple[TaskRecord, ...]:
        """Return those of up to some hundred tasks that are known, newest first."""
        query = sa.select(tasks).where(tasks.c.id.in_(ids)).order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        with self._database.read() as connection:
            return tuple(self._read(connection, query))

    def find(
        self,
        *,
        states: Collection[TaskState] | None = None,
        kinds: Collection[TaskKind] | None = None,
        vm: VmId | None = None,
        platform: PlatformId | None = None,
        ids: Collection[TaskId] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return the tasks that fit every condition given, newest first."""
        where: list[sa.ColumnElement[bool] | sa.TextClause] = []
        if kinds is not None:
            where.append(tasks.c.kind.in_([kind.value for kind in kinds]))
            if TaskKind.BACKUP not in kinds and states is None:
                where.append(NO_BACKUP)  # word for word what the index of these says
        if vm is not None:
            where.append(tasks.c.vm == vm)
        if platform is not None:
            where.append(tasks.c.platform_id == platform)
        if ids is not None:
            where.append(tasks.c.id.in_(list(ids)))
        most = None if limit is None else limit + offset
        newest = sa.select(tasks).where(*where).order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        with self._database.read() as connection:
            if states is None or vm is not None or ids is not None:
                if states is not None:
                    newest = newest.where(tasks.c.state.in_([state.value for state in states]))
                return tuple(self._read(connection, newest.limit(limit).offset(offset)))
            # One walk along the index for each state: asked for together they would all be sorted.
            found = [
                record
                for state in set(states)
                for record in self._read(connection, newest.where(tasks.c.state == state.value).limit(most))
            ]
        found.sort(key=lambda record: (record.created_at, record.id), reverse=True)
        return tuple(found[offset:most])

    def named(self, words: Collection[str], limit: int) -> tuple[TaskRecord, ...]:
        """Return the newest tasks of VMs in whose name, or whose rule's name, every word occurs."""
        name = subjects.c.vm_name + " " + sa.func.coalesce(rules.c.name, "")
        fitting = (
            sa.select(subjects.c.rule_id, subjects.c.vm)
            .join(rules, rules.c.id == subjects.c.rule_id, isouter=True)
            .where(subjects.c.vm != "", *(name.contains(word, autoescape=True) for word in words))
            .limit(limit)
        )
        found: list[TaskRecord] = []
        with self._database.read() as connection:
            chosen = connection.execute(fitting).all()
            for subject in chosen:
                newest = (
                    sa.select(tasks)
                    .where(tasks.c.rule_id.is_not_distinct_from(subject.rule_id or None), tasks.c.vm == subject.vm)
                    .order_by(tasks.c.created_at.desc())
                    .limit(max(1, limit // len(chosen)))
                )
                found += self._read(connection, newest)
        return tuple(sorted(found, key=lambda record: record.created_at, reverse=True))

    def log(self, task: TaskId, at: datetime, level: LogLevel, message: Message) -> None:
        """Append a line to a task's log."""
        with changing(self._database, self._changes) as transaction:
            append_for_task(transaction.connection, task, at, level, message)
            transaction.note(Subject.LOG, task)

    def read_log(
        self, task: TaskId, *, at_least: LogLevel = LogLevel.NORMAL, after: int = 0, limit: int = 1000
    ) -> tuple[LogLine, ...]:
        """Return up to ``limit`` lines behind the line ``after``, oldest first."""
        with self._database.read() as connection:
            return read_of_task(
                self._database.unreadable, connection, task, at_least=at_least, after=after, limit=limit
            )

    def ended(
        self,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        only_failed: bool = False,
        limit: int,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return ended tasks without their stages, failed ones first, then newest first."""
        where: list[sa.ColumnElement[bool]] = [tasks.c.ended_at.is_not(None)]
        if rule is not None:
            where.append(tasks.c.rule_id == rule)
        if vm is not None:
            where.append(tasks.c.vm == vm)
        newest = sa.select(tasks).order_by(tasks.c.ended_at.desc(), tasks.c.id.desc())
        failed = newest.where(_FAILED, *where)
        with self._database.read() as connection:
            found = self._read(connection, failed.limit(limit).offset(offset), with_stages=False)
            if only_failed or len(found) == limit:
                return tuple(found)
            count = sa.select(sa.func.count()).select_from(tasks).where(_FAILED, *where)
            passed = max(0, offset - connection.execute(count).scalar_one())
            others = newest.where(tasks.c.state != TaskState.FAILED.value, *where)
            rest = others.limit(limit - len(found)).offset(passed)
            return (*found, *self._read(connection, rest, with_stages=False))

    def _read(
        self, connection: sa.Connection, query: sa.Select[Any], *, with_stages: bool = True
    ) -> list[TaskRecord]:
        rows, unreadable = fetch_packed(connection, query), self._database.unreadable
        stages = _stages(unreadable, connection, [row.id for row in rows]) if with_stages else {}

        def record(row: sa.Row[Any]) -> TaskRecord:
            return _record(row, tuple(stages.get(row.id, ())), unreadable)

        return unreadable.readable(tasks, rows, record)


def _newest_backup(*, ended: bool, until: datetime | None = None) -> sa.ScalarSelect[str]:
    """Return the query for the newest backup of a VM in a rule."""
    inner = tasks.alias()
    newest = (
        sa.select(inner.c.id)
        .where(
            inner.c.rule_id == rule_vms.c.rule_id,
            inner.c.vm == rule_vms.c.vm,
            inner.c.kind == TaskKind.BACKUP.value,
        )
        .order_by(inner.c.created_at.desc(), inner.c.id.desc())
        .limit(1)
    )
    if ended:
        newest = newest.where(inner.c.ended_at.is_not(None))
    if until is not None:
        newest = newest.where(inner.c.created_at <= until)
    return newest.correlate(rule_vms).scalar_subquery()


def _enter(connection: sa.Connection, task: TaskId, state: TaskState, at: datetime) -> None:
    connection.execute(sa.insert(task_stages).values(task_id=task, state=state.value, at=at))


def _has_ended(connection: sa.Connection, task: TaskId) -> bool:
    state = connection.execute(sa.select(tasks.c.state).where(tasks.c.id == task)).scalar_one_or_none()
    return state in _FINAL


def _values(record: TaskRecord) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(record.totals, name) for name in _TOTALS}
    values.update(
        id=record.id,
        kind=record.kind.value,
        state=record.state.value,
        vm=record.vm,
        vm_name=record.vm_name,
        platform_id=record.platform,
        standby_id=record.standby,
        target_path=record.target_path,
        rule_id=record.rule,
        rule_name=record.rule_name,
        priority=record.priority,
        host=record.host,
        point=record.point,
        request=record.request,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        error_code=record.error.code if record.error else None,
        error_params=pack_error(record.error),
    )
    return values


def _stages(
    unreadable: UnreadableRows, connection: sa.Connection, ids: Sequence[str]
) -> dict[str, list[StageTime]]:
    found: dict[str, list[StageTime]] = {}
    for start in range(0, len(ids), 500):  # well below SQLite's limit of variables in one statement
        query = sa.select(task_stages).where(task_stages.c.task_id.in_(ids[start : start + 500]))
        rows = fetch_packed(connection, query.order_by(task_stages.c.id))
        for task, stage in unreadable.readable(task_stages, rows, _stage):
            found.setdefault(task, []).append(stage)
    return found


def _stage(row: sa.Row[Any]) -> tuple[str, StageTime]:
    return row.task_id, StageTime(state=TaskState(row.state), at=row.at)


def _record(row: sa.Row[Any], stages: tuple[StageTime, ...], unreadable: UnreadableRows) -> TaskRecord:
    return TaskRecord(
        id=TaskId(row.id),
        kind=TaskKind(row.kind),
        state=TaskState(row.state),
        vm=VmId(row.vm),
        vm_name=row.vm_name,
        platform=None if row.platform_id is None else PlatformId(row.platform_id),
        standby=StandbyId(row.standby_id),
        target_path=row.target_path,
        rule=None if row.rule_id is None else RuleId(row.rule_id),
        rule_name=row.rule_name,
        priority=row.priority,
        host=row.host,
        point=None if row.point is None else PointId(row.point),
        request=row.request,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        stages=stages,
        totals=TransferTotals(**{name: getattr(row, name) for name in _TOTALS}),
        error=None if row.error_code is None else _error(row, unreadable),
    )


def _error(row: sa.Row[Any], unreadable: UnreadableRows) -> KeptError | None:
    nameless: KeptError | None = KeptError(code=row.error_code)

    def read() -> KeptError | None:
        return unpack_error(row.error_code, row.error_params)

    return unreadable.document(tasks, row, read, otherwise=nameless)
