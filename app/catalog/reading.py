"""Reads rows one by one, so that a row that cannot be read does not hide the others.

SQLite keeps text in a column of numbers without complaint, and a document may be of another version of the
program. Columns whose values are converted have a type of this module: it gives an :class:`Unreadable` instead of
failing, for an error while rows are fetched would end the whole answer.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeEngine

from app.domain.unreadable import UnreadableRow

_log = logging.getLogger(__name__)

MOST_NOTED: Final = 200
"""Unreadable rows that are noted, at most: a damaged table may hold very many."""
UNREADABLE: Final = (msgspec.MsgspecError, LookupError, TypeError, ValueError, OverflowError, RecursionError)
"""What making a value of a row raises when the row cannot be read."""

T = TypeVar("T")
_Process = Callable[[Any], Any]


class Unreadable(NamedTuple):
    """Stands for a value that is not of its column's type."""

    value: object


# --- types of columns --------------------------------------------------------------------------------------------


class _SqliteMoment(sqlite.DATETIME):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _lenient(super().result_processor(dialect, coltype))


class _SqliteFlag(sa.Boolean):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:  # noqa: ARG002
        return _lenient({0: False, 1: True}.__getitem__)


def _lenient(process: _Process | None) -> _Process:
    def read(value: object) -> object:
        if value is None or process is None:
            return value
        try:
            return process(value)
        except UNREADABLE:
            return Unreadable(value)

    return read


_SQLITE_MOMENT: Final[TypeEngine[Any]] = _SqliteMoment()  # type: ignore[no-untyped-call]
FLAG: Final = sa.Boolean().with_variant(_SqliteFlag(), "sqlite")


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware moment, kept in UTC also by a database that knows no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What its values are."""
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return what the database has for moments."""
        return dialect.type_descriptor(_SQLITE_MOMENT if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC.

        Raises:
            ValueError: the moment is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the moment its zone back; what is no moment stays an :class:`Unreadable`."""
        if value is None or isinstance(value, Unreadable):
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _Day(sa.types.TypeDecorator[date]):
    """A day. Not a variant for SQLite: its driver puts a type of its own in the place of one of days."""

    impl = sa.Date
    cache_ok = True

    @property
    def python_type(self) -> type[date]:
        return date

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _lenient(super().result_processor(dialect, coltype))


DAY: Final = _Day()


# --- rows --------------------------------------------------------------------------------------------------------


class UnreadableRows:
    """Notes the rows that could not be read, each once. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: set[tuple[str, str]] = set()
        self._new: list[UnreadableRow] = []
        self._good: set[tuple[str, tuple[type, ...]]] = set()

    def readable(self, table: sa.Table, rows: Iterable[sa.Row[Any]], make: Callable[[sa.Row[Any]], T]) -> list[T]:
        """Return what ``make`` makes of the rows of a table, without those that cannot be read."""
        found: list[T] = []
        for row in rows:
            try:
                self._check(table, row)
                found.append(make(row))
            except UNREADABLE as error:
                self._note_row(table, row, error)
        return found

    def document(self, table: sa.Table, row: sa.Row[Any], read: Callable[[], T], otherwise: T) -> T:
        """Return what ``read`` reads of a row, or ``otherwise`` where that fails: the row stays of use."""
        try:
            return read()
        except UNREADABLE as error:
            self._note_row(table, row, error)
            return otherwise

    def note(self, table: str, key: str, reason: str, name: str = "") -> None:
        """Note that a row cannot be read."""
        with self._lock:
            if (table, key) in self._noted or len(self._noted) >= MOST_NOTED:
                return
            self._noted.add((table, key))
            # SQLAlchemy's names are strings of a class of its own, which nothing outside can write down.
            self._new.append(UnreadableRow(table=str(table), key=key, name=name, reason=reason))
        _log.warning("the row %s of the table %s in the catalog cannot be read: %s", key, table, reason)

    def take_new(self) -> tuple[UnreadableRow, ...]:
        """Return what was noted since the last call."""
        with self._lock:
            new, self._new = tuple(self._new), []
        return new

    def _check(self, table: sa.Table, row: sa.Row[Any]) -> None:
        """Compare the types of a row's values with those of its columns; types seen before are compared fast.

        Raises:
            TypeError: one differs.
        """
        types = (table.name, tuple(map(type, row)))
        if types in self._good:
            return
        for name, value in zip(row._fields, row, strict=True):
            column = table.c.get(name)
            if column is not None and not _fits(column, value):
                raise TypeError(f"{name} is {value!r}"[:200])
        self._good.add(types)

    def _note_row(self, table: sa.Table, row: sa.Row[Any], error: Exception) -> None:
        key = "/".join(_shown(getattr(row, column.name, "?")) for column in table.primary_key)
        name = getattr(row, "vm_name", getattr(row, "name", ""))
        self.note(table.name, key, str(error), name if isinstance(name, str) else "")


def _fits(column: sa.Column[Any], value: object) -> bool:
    if value is None:
        return bool(column.nullable)
    wanted = column.type.python_type
    return type(value) is wanted or (wanted is float and type(value) is int)


def _shown(value: object) -> str:
    return str(value.value if isinstance(value, Unreadable) else value)
