"""What this installation remembers: platforms, standbys, points, tasks with their logs, and two journals.

SQLAlchemy lives here only. Rows never leave the package: every method takes and returns frozen values of
``app.domain``. Passwords are not here (see ``app.core.secrets``), and log lines are kept as a code with
parameters, so that each reader gets them in their language.

Format: SQLite in WAL mode by default, another database by SQLAlchemy URL. ``tables.py`` describes the tables,
``migrations`` makes them; opening brings an older database up to date in one transaction and refuses a newer one.

Invariants: the journals' commits are durable before their methods return (``synchronous=FULL`` on connections of
their own); every other commit survives the death of the process, the last ones perhaps not a power failure.
``points`` is a cache of the repositories and may be thrown away.

Threads: everything may be called from any thread. Writers of one process take turns on one lock per database
handle; between the two handles and between processes SQLite's own write lock decides, waiting up to
``database.BUSY_TIMEOUT_S``. Readers wait for no one.
"""

from app.catalog.catalog import Catalog
from app.catalog.copier import CatalogCopier
from app.catalog.safety import CatalogGuard

__all__ = ["Catalog", "CatalogCopier", "CatalogGuard"]
