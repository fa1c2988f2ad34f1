"""Transactions that say what they change: it is announced after the commit, never when they are rolled back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from app.catalog.database import Database
from app.core.changes import ChangeFeed
from app.domain.changes import Subject


@dataclass(slots=True)
class Changing:
    """A transaction under way.

    Attributes:
        connection: where its statements go.
    """

    connection: sa.Connection
    _after_commit: list[Callable[[], None]] = field(default_factory=list)
    _noted: dict[Subject, set[str] | None] = field(default_factory=dict)

    def note(self, subject: Subject, *keys: str | None) -> None:
        """Say what this transaction changes: answers about these keys, without any about the whole subject.

        A key that is None belongs to no row: then nothing is noted for it.
        """
        if not keys:
            self._noted[subject] = None
            return
        found = {key for key in keys if key is not None}
        known = self._noted.get(subject, set())
        if found and known is not None:
            self._noted[subject] = known | found

    def noted(self, subject: Subject) -> frozenset[str]:
        """Return the keys of a subject that were noted so far."""
        return frozenset(self._noted.get(subject) or ())

    def then(self, callback: Callable[[], None]) -> None:
        """Call a function after the commit, before the next writer has its turn: to change what is remembered."""
        self._after_commit.append(callback)

    def settle(self) -> None:
        """Call what is to be called after the commit."""
        for callback in self._after_commit:
            callback()

    def announce(self, changes: ChangeFeed) -> None:
        """Pass everything on; called after the commit."""
        for subject, keys in self._noted.items():
            changes.note(subject, keys or ())


def _nothing() -> None:
    """Nothing is remembered."""


@contextmanager
def changing(database: Database, changes: ChangeFeed, forget: Callable[[], None] = _nothing) -> Iterator[Changing]:
    """Give a transaction that commits at the end; what it noted is announced after the commit.

    Args:
        database: where.
        changes: announces it.
        forget: forgets what was remembered of the tables, whether it was committed or not, before it is announced.

    Raises:
        CatalogDamaged, CatalogUnavailable: as of :meth:`Database.write`.
    """
    begun: list[Changing] = []
    try:
        with database.write(lambda: begun[0].settle()) as connection:
            begun.append(Changing(connection))
            yield begun[0]
    finally:
        forget()
    begun[0].announce(changes)
