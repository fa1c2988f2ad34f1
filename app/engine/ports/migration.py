"""What the engine remembers of migrations."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.ids import MigrationId
from app.domain.migration import Migration


class MigrationStore(Protocol):
    """Remembers migrations; what is noted is durable when a call returns. Thread: any."""

    def add(self, migration: Migration) -> Migration:
        """Remember a new one, and return it with its number, which is never given twice."""
        ...

    def put(self, migration: Migration) -> None:
        """Remember how one is now; one that was forgotten meanwhile stays so."""
        ...

    def remove(self, migration: MigrationId) -> None:
        """Forget one; nothing of it is left to do."""
        ...

    def get(self, migration: MigrationId) -> Migration | None:
        """Return one, or None, also where it cannot be read."""
        ...

    def all(self) -> Sequence[Migration]:
        """Return all, the newest first."""
        ...
