"""Settings that the operator makes while the program runs, each a document of its own."""

import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.tables import settings


class SettingsStore:
    """Stores documents by name; their owners define their content. Never a secret. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """Return a document, or None when it was never kept."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(settings.c.body).where(settings.c.name == name)).scalar()
        return None if found is None else str(found)

    def note_unreadable(self, name: str, reason: str) -> None:
        """Note that what is in a document cannot be read by its owner."""
        self._database.unreadable.note(settings.name, name, reason, name)

    def put(self, name: str, body: str) -> None:
        """Keep a document in the place of the one of its name."""
        with self._database.write() as connection:
            put_document(connection, name, body)


def put_document(connection: sa.Connection, name: str, body: str) -> None:
    """Put a document in the place of the one of its name, in a transaction of the caller."""
    changed = connection.execute(sa.update(settings).where(settings.c.name == name).values(body=body))
    if not changed.rowcount:
        connection.execute(sa.insert(settings).values(name=name, body=body))
