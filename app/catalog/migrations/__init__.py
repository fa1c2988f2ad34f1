"""Schema changes of the catalog, in order, and the code that applies the ones a database lacks.

Each revision is a module ``rNNNN_what.py`` with ``revision``, ``down_revision`` and ``upgrade()`` written with
alembic's operations. They are imported and listed in :data:`REVISIONS` instead of being searched for in a
directory, so that a packaged program, which has no directory of sources, migrates in the same way. The history
is a straight line. All pending revisions and the new version number commit in one transaction.
"""

from types import ModuleType

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from app.catalog.errors import CatalogTooNew
from app.catalog.migrations import (
    r0001_first_tables,
    r0002_rules_and_places,
    r0003_history,
    r0004_settings,
    r0005_tallies,
    r0006_encryption,
    r0007_no_backups,
    r0008_vm_identity,
    r0009_sequences,
    r0010_retries,
    r0011_plain_transport,
)

REVISIONS: tuple[ModuleType, ...] = (
    r0001_first_tables,
    r0002_rules_and_places,
    r0003_history,
    r0004_settings,
    r0005_tallies,
    r0006_encryption,
    r0007_no_backups,
    r0008_vm_identity,
    r0009_sequences,
    r0010_retries,
    r0011_plain_transport,
)
"""Every revision, oldest first."""

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def newest_revision() -> str:
    """Return the schema version that this program works with."""
    return str(REVISIONS[-1].revision)


def migrate(connection: sa.Connection, location: str) -> None:
    """Bring the database behind ``connection``, inside its open transaction, to the newest schema.

    Raises:
        CatalogTooNew: a newer program has been here.
    """
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    known = [str(module.revision) for module in REVISIONS]
    if current is not None and current not in known:
        raise CatalogTooNew(location=location, revision=current)
    pending = REVISIONS if current is None else REVISIONS[known.index(current) + 1 :]
    if not pending:
        return
    with Operations.context(context):
        for module in pending:
            module.upgrade()
    _write_version(connection, fresh=current is None)


def _write_version(connection: sa.Connection, *, fresh: bool) -> None:
    if fresh:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(sa.insert(_VERSION).values(version_num=newest_revision()))
    else:
        connection.execute(sa.update(_VERSION).values(version_num=newest_revision()))
