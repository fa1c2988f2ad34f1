"""The log of everything: tasks, rules, platforms, standbys, the program."""

from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.history_tables import log
from app.catalog.reading import UnreadableRows
from app.catalog.tables import tasks
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.history import LogEntry, LogSearch, LogSlice, LogSubject, LogWord
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel, Message, Param, Params
from app.domain.tasks import LogLine

MOST_LOOKED_AT: Final = 10_000
"""Lines that one page looks at, at most: a word that is rare must not make a page slow."""
_DELETED_AT_ONCE: Final = 2000
_BEGINNING_OF_MESSAGE: Final = '{"kind":{'
"""How a message inside of a message begins in its kept parameters."""

Conditions = list[sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place between two lines of the log, in the order of time."""

    at: datetime
    id: int

    def older(self) -> sa.ColumnElement[bool]:
        """The lines before it."""
        return (log.c.at <= self.at) & ((log.c.at < self.at) | (log.c.id < self.id))

    def not_older(self) -> sa.ColumnElement[bool]:
        """The lines that are not before it."""
        return (log.c.at >= self.at) & ((log.c.at > self.at) | (log.c.id >= self.id))


class LogStore:
    """Stores the log. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes

    def append(self, at: datetime, level: LogLevel, message: Message, subject: LogSubject) -> None:
        """Append a line that belongs to no task."""
        values = {
            "at": at,
            "level": int(level),
            "action": subject.action,
            "subject": subject.name,
            "code": message.kind.code,
            "params": pack_params(message.params),
            "rule_id": subject.rule,
            "vm": subject.vm,
        }
        with changing(self._database, self._changes) as transaction:
            transaction.connection.execute(sa.insert(log).values(**values))
            transaction.note(Subject.LOG, "")

    def page(
        self, search: LogSearch, *, before: int | None = None, limit: int, look_at: int = MOST_LOOKED_AT
    ) -> LogSlice:
        """Return a page of the lines that fit, newest first.

        A page is short, or empty, where ``look_at`` lines were looked at before it was full; ``older`` goes on.

        Args:
            search: which lines.
            before: the ``older`` of the page before; None starts at the newest line.
            limit: lines on the page, at most.
            look_at: lines that are looked at, at most, where words or a rare level are searched for.
        """
        with self._database.read() as connection:
            start = None if before is None else _place_of(connection, before)
            unreadable = self._database.unreadable
            return _page(unreadable, connection, search, start, limit=limit, look_at=look_at)[0]

    def clear(self, search: LogSearch) -> int:
        """Delete the lines that fit; return how many there were. Other writers get their turn in between."""
        count = 0
        start: _Place | None = None
        while True:
            with self._database.read() as connection:
                found, start = _page(
                    self._database.unreadable,
                    connection,
                    search,
                    start,
                    limit=_DELETED_AT_ONCE,
                    look_at=MOST_LOOKED_AT,
                )
            if found.entries:
                ids = [entry.id for entry in found.entries]
                with changing(self._database, self._changes) as transaction:
                    transaction.note(Subject.LOG)
                    count += transaction.connection.execute(sa.delete(log).where(log.c.id.in_(ids))).rowcount
            if start is None:
                return count


# --- tasks' own lines --------------------------------------------------------------------------------------------


def append_for_task(
    connection: sa.Connection, task: TaskId, at: datetime, level: LogLevel, message: Message
) -> None:
    """Append a line to a task's log."""
    about = connection.execute(
        sa.select(tasks.c.kind, tasks.c.vm_name, tasks.c.vm, tasks.c.rule_id).where(tasks.c.id == task)
    ).one()
    connection.execute(
        sa.insert(log).values(
            at=at,
            level=int(level),
            action=about.kind,
            subject=about.vm_name,
            code=message.kind.code,
            params=pack_params(message.params),
            task_id=task,
            rule_id=about.rule_id,
            vm=about.vm,
        )
    )


def read_of_task(
    unreadable: UnreadableRows,
    connection: sa.Connection,
    task: TaskId,
    *,
    at_least: LogLevel,
    after: int,
    limit: int,
) -> tuple[LogLine, ...]:
    """Return up to ``limit`` lines of a task behind the line ``after``, oldest first."""
    query = (
        sa.select(log)
        .where(log.c.task_id == task, log.c.id > after, log.c.level >= int(at_least))
        .order_by(log.c.id)
        .limit(limit)
    )

    def line(row: sa.Row[Any]) -> LogLine:
        return LogLine(
            id=row.id,
            task=TaskId(row.task_id),
            at=row.at,
            level=LogLevel(row.level),
            code=row.code,
            params=_params(row, unreadable),
        )

    return tuple(unreadable.readable(log, connection.execute(query), line))


def pack_params(params: Params) -> str:
    """Turn a message's parameters into what is kept of them: an object with a text or a message for each name."""
    return msgspec.json.encode(dict(params)).decode()


def unpack_params(text: str | None) -> Params:
    """Turn kept parameters back, sorted by name."""
    return tuple(sorted(_decoder.decode(text).items())) if text else ()


_decoder: Final = msgspec.json.Decoder(dict[str, Param])


# --- searching ---------------------------------------------------------------------------------------------------


def _page(
    unreadable: UnreadableRows,
    connection: sa.Connection,
    search: LogSearch,
    start: _Place | None,
    *,
    limit: int,
    look_at: int,
) -> tuple[LogSlice, _Place | None]:
    """Return a page of the lines older than ``start``, and where to go on."""
    indexed = _indexed_conditions(search)
    if start is not None:
        indexed.append(start.older())
    others = _other_conditions(search)
    end = _end_of_search(connection, indexed, look_at) if others else None
    within = [*indexed, *others, *([end.not_older()] if end else [])]
    entries: list[LogEntry] = []
    with closing(_fitting(unreadable, connection, within, search.words)) as fitting:
        for entry in fitting:
            if len(entries) == limit:
                end = _Place(entries[-1].at, entries[-1].id)
                break
            entries.append(entry)
    page = LogSlice(entries=tuple(entries), older=end.id if end else None, searched_to=end.at if end else None)
    return page, end


def _indexed_conditions(search: LogSearch) -> Conditions:
    """Conditions by which an index finds the lines, in the order of time."""
    found: Conditions = []
    if search.task is not None:
        found.append(log.c.task_id == search.task)
    elif search.vm is not None:
        found.append(log.c.vm == search.vm)
    elif search.rule is not None:
        found.append(log.c.rule_id == search.rule)
    if search.at_least >= LogLevel.WARNING:
        # Written out as in the partial indices: with a bound value they are not used.
        found.append(log.c.level >= sa.literal_column(str(int(LogLevel.WARNING))))
    if search.start is not None:
        found.append(log.c.at >= search.start)
    if search.end is not None:
        found.append(log.c.at < search.end)
    return found


def _other_conditions(search: LogSearch) -> Conditions:
    found: Conditions = [_may_contain(word) for word in search.words]
    if search.at_least > LogLevel.WARNING:
        found.append(log.c.level >= int(search.at_least))
    # Inside a function a column offers no index: the one chosen above is the narrowest.
    if search.task is not None and search.vm is not None:
        found.append(sa.func.coalesce(log.c.vm, "") == search.vm)
    if search.rule is not None and (search.task is not None or search.vm is not None):
        found.append(sa.func.coalesce(log.c.rule_id, "") == search.rule)
    return found


def _may_contain(word: LogWord) -> sa.ColumnElement[bool]:
    in_json = msgspec.json.encode(word.text).decode()[1:-1]
    places = [
        log.c.params.contains(in_json, autoescape=True),
        log.c.subject.contains(word.text, autoescape=True),
        log.c.action.contains(word.text, autoescape=True),
    ]
    if word.templates:
        places.append(log.c.params.contains(_BEGINNING_OF_MESSAGE, autoescape=True))
    if word.codes:
        places.append(log.c.code.in_(sorted(word.codes)))
    if word.actions:
        places.append(log.c.action.in_(sorted(word.actions)))
    return sa.or_(*places)


def _end_of_search(connection: sa.Connection, indexed: Conditions, look_at: int) -> _Place | None:
    """Return the oldest line that is looked at; None when that is the oldest there is."""
    query = sa.select(log.c.at, log.c.id).where(*indexed).order_by(log.c.at.desc(), log.c.id.desc())
    rows = connection.execute(query.offset(look_at - 1).limit(2)).all()
    if len(rows) < 2 or not isinstance(rows[0].at, datetime):
        return None
    return _Place(rows[0].at, rows[0].id)


def _place_of(connection: sa.Connection, line: int) -> _Place:
    """Return where a line is; the nearest older one stands in for a line that was cleared."""
    query = sa.select(log.c.at, log.c.id).where(log.c.id <= line).order_by(log.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None or not isinstance(row.at, datetime):
        return _Place(datetime.min.replace(tzinfo=UTC), 0)
    return _Place(row.at, row.id if row.id == line else row.id + 1)


def _fitting(
    unreadable: UnreadableRows, connection: sa.Connection, conditions: Conditions, words: Collection[LogWord]
) -> Generator[LogEntry, None, None]:
    query = sa.select(log).where(*conditions).order_by(log.c.at.desc(), log.c.id.desc())
    with connection.execute(query, execution_options={"yield_per": 250}) as rows:
        for part in rows.partitions():
            for entry in unreadable.readable(log, part, lambda row: _entry(row, unreadable)):
                if all(word.occurs_in(entry) for word in words):
                    yield entry


def _params(row: sa.Row[Any], unreadable: UnreadableRows) -> Params:
    return unreadable.document(log, row, lambda: unpack_params(row.params), otherwise=())


def _entry(row: sa.Row[Any], unreadable: UnreadableRows) -> LogEntry:
    return LogEntry(
        id=row.id,
        at=row.at,
        level=LogLevel(row.level),
        code=row.code,
        params=_params(row, unreadable),
        subject=LogSubject(
            name=row.subject,
            action=row.action,
            rule=None if row.rule_id is None else RuleId(row.rule_id),
            vm=None if row.vm is None else VmId(row.vm),
        ),
        task=None if row.task_id is None else TaskId(row.task_id),
    )
