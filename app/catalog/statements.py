"""Statements compiled once for all connections to SQLite.

SQLAlchemy keeps the text of a compiled statement with the engine that compiled it, under a key that holds the
engine's dialect. A catalog has two engines, for its ordinary and for its durable transactions, and may be opened
again and again in one process. What the text depends on is the same each time: the statement and the release of
SQLite. So dialects made here are equal, and their engines share one store of statements. Compiling takes longer
than the query itself where tables are small. Thread: any.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

_DRIVER: Final = "standfast"
_MOST_STATEMENTS: Final = 2_000
"""Several times as many as the stores of a catalog have."""

_compiled: Final[LRUCache[Any, Any]] = LRUCache(_MOST_STATEMENTS)


class SharingDialect(SQLiteDialect_pysqlite):
    """SQLite by Python's driver; every instance counts as the same."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharingDialect)

    def __hash__(self) -> int:
        return hash(SharingDialect)


registry.register(f"sqlite.{_DRIVER}", __name__, SharingDialect.__name__)


def sharing_url(url: sa.URL) -> sa.URL:
    """Return the URL whose engine has a dialect that counts as the same as others'."""
    return url.set(drivername=f"sqlite+{_DRIVER}")


def sharing_options() -> dict[str, Any]:
    """Return the execution options of an engine that uses what others have compiled."""
    return {"compiled_cache": _compiled}
