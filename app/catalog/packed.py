"""Many rows read in one step.

Python's ``sqlite3`` gives the interpreter away and waits for it again at every row. Beside threads that compute,
such as those of running backups, a long list takes three times as long that way as in a single step, and where
they seldom wait for anything fifty times (``./dev bench packed``). So SQLite puts the rows into one JSON text,
which is taken apart here.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

_EXACT: Final = "%!.17g"
"""All digits of a number that is neither huge nor tiny, such as of seconds; JSON made by SQLite has fifteen."""

_decode = msgspec.json.Decoder(list[list[Any]]).decode


def fetch_packed(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[Any]:
    """Return the rows of a query, in its order, as ``connection.execute(query).all()`` does.

    Columns have names that differ. Other databases than SQLite are asked for rows as ever, and so is SQLite where
    a damaged row holds what JSON cannot.
    """
    if connection.dialect.name != "sqlite":
        return connection.execute(query).all()
    inner = query.subquery()
    try:
        rows = _decode(connection.execute(_packing(inner)).scalar_one())
    except (sa.exc.OperationalError, msgspec.MsgspecError):
        return connection.execute(query).all()
    reading = [
        (place, read) for place, column in enumerate(inner.c) if (read := _reader(column, connection.dialect))
    ]
    for row in rows:
        for place, read in reading:
            row[place] = read(row[place])
    return IteratorResult(SimpleResultMetaData([column.name for column in inner.c]), map(tuple, rows)).all()


def _packing(inner: sa.Subquery) -> sa.Select[Any]:
    row = sa.func.json_array(*map(_exact, inner.c))
    return sa.select(sa.func.json_group_array(row, type_=sa.Text))


def _exact(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    if not isinstance(column.type, sa.Float):
        return column
    is_number = sa.func.typeof(column) == "real"
    return sa.case((is_number, sa.func.json(sa.func.printf(_EXACT, column))), else_=column)


def _reader(column: sa.ColumnElement[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).result_processor(dialect, None)
