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

from app.catalog.errors import CatalogTooNew, CatalogTooOld
from app.catalog.migrations import (
    r0011_first_tables,
    r0012_origins,
    r0013_transports,
    r0014_attachments,
    r0015_writable_attachments,
    r0016_instant_recoveries,
    r0017_migrations,
    r0018_proofs,
)

REVISIONS: tuple[ModuleType, ...] = (
    r0011_first_tables,
    r0012_origins,
    r0013_transports,
    r0014_attachments,
    r0015_writable_attachments,
    r0016_instant_recoveries,
    r0017_migrations,
    r0018_proofs,
)
"""Every revision, oldest first."""

_BEFORE_THE_RELEASE = frozenset(f"{number:04}" for number in range(1, 11))
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def newest_revision() -> str:
    """Return the schema version that this program works with."""
    return str(REVISIONS[-1].revision)


def older_revisions() -> frozenset[str]:
    """Return the schema versions of earlier releases, which are brought up to date."""
    return frozenset(str(module.revision) for module in REVISIONS[:-1])


def migrate(connection: sa.Connection, location: str) -> None:
    """Bring the database behind ``connection``, inside its open transaction, to the newest schema.

    Raises:
        CatalogTooNew: a newer program has been here.
        CatalogTooOld: it was made before the first release, and its tables are not those of the first release.
    """
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    known = [str(module.revision) for module in REVISIONS]
    if current is not None and current not in known:
        refusal = CatalogTooOld if current in _BEFORE_THE_RELEASE else CatalogTooNew
        raise refusal(location=location, revision=current)
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
