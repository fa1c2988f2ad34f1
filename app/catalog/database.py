"""The connection to the database: pragmas, transactions, and foreign exceptions turned into ours."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from app.catalog.errors import CatalogDamaged, CatalogUnavailable
from app.catalog.migrations import migrate
from app.catalog.reading import UnreadableRows
from app.catalog.reasons import NOT_WHOLE, database_reason
from app.catalog.statements import sharing_options, sharing_url
from app.core.cancel import stop_wish
from app.core.privatefiles import create_private, make_private_folders, take_from_others, touch_private
from app.domain.reasons import reason_of

LARGE_BYTES = 128 * 1024 * 1024
"""A file above this size takes seconds to look through, minutes from a slow disk."""
CHECK_EVERY_S = 7 * 24 * 3600.0
"""A large file that was found whole is not checked again for this time."""
BUSY_TIMEOUT_S = 20.0
"""How long a statement waits for another process that holds the database."""
_STEPS_PER_LOOK = 10_000
"""Of SQLite's virtual machine, between two looks whether a query is still wanted; well below a millisecond."""

_DAMAGE_SIGNS = ("malformed", "not a database", "disk image", "file is encrypted")


class Database:
    """An open, migrated database.

    Writers of this process take turns on one lock, each in one immediate transaction; readers see the last
    commit and never wait (WAL). Thread: any.

    Attributes:
        location: where it is, to be shown.
        unreadable: notes the rows that could not be read.
    """

    def __init__(self, engine: sa.Engine, location: str) -> None:
        self.engine = engine
        self.location = location
        self.unreadable = UnreadableRows()
        self._write_lock = threading.Lock()

    @classmethod
    def open(
        cls, location: Path | str, *, durable: bool = False, check: bool = True, large_bytes: int = LARGE_BYTES
    ) -> Self:
        """Open a database file or URL; create it and bring its schema up to date as needed.

        Args:
            location: a file for SQLite, or an SQLAlchemy URL such as ``postgresql+psycopg://…``.
            durable: True makes every commit survive even a power failure (``synchronous=FULL``).
            check: look through the whole file for damage first, a large one at most once a week.
            large_bytes: what counts as large.

        Raises:
            CatalogDamaged: the file is not a whole database.
            CatalogTooNew: a newer program has written it.
            CatalogTooOld: a version before the first release has written it.
            CatalogUnavailable: it cannot be opened.
        """
        url, shown = _url(location)
        database = cls(_engine(url, durable=durable), shown)
        try:
            if isinstance(location, Path):
                make_private_folders(location.parent)
                with suppress(FileExistsError):
                    create_private(location).close()
            if check:
                database._check_whole(location if isinstance(location, Path) else None, large_bytes)
            with database.write() as connection:
                migrate(connection, shown)
            if isinstance(location, Path):
                for ending in (
                    "",
                    "-wal",
                    "-shm",
                ):  # SQLite gives the others the mode of the first
                    take_from_others(location.with_name(location.name + ending))
        except OSError as error:
            database.close()
            raise CatalogUnavailable(location=shown, detail=reason_of(error)) from error
        except BaseException:
            database.close()
            raise
        return database

    @property
    def is_ours_alone(self) -> bool:
        """Whether no other process writes to it: a file, which one engine holds at a time."""
        return self.engine.dialect.name == "sqlite"

    def _check_whole(self, file: Path | None, large_bytes: int) -> None:
        if self.engine.dialect.name != "sqlite":
            return
        is_large = file is not None and file.exists() and file.stat().st_size > large_bytes
        mark = None if file is None or not is_large else file.with_name(f"{file.name}.checked")
        if mark is not None and _is_younger(mark, CHECK_EVERY_S):
            return
        with self.read() as connection:
            verdict = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar_one()
        if verdict != "ok":
            raise CatalogDamaged(location=self.location, detail=NOT_WHOLE.fill(details=verdict))
        if mark is not None:
            touch_private(mark)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection whose statements see one commit; a query whose caller no longer waits ends there.

        Raises:
            TaskCancelled: its caller no longer waits for it.
            CatalogDamaged: the file is not a whole database.
            CatalogUnavailable: it cannot be read.
        """
        with self._our_errors(), self.engine.connect() as connection, self._stoppable(connection):
            yield connection

    @contextmanager
    def _stoppable(self, connection: sa.Connection) -> Iterator[None]:
        wish = stop_wish()
        if wish is None or self.engine.dialect.name != "sqlite":
            yield
            return
        wish.check()
        sqlite = connection.connection.driver_connection
        assert isinstance(sqlite, sqlite3.Connection)
        sqlite.set_progress_handler(lambda: wish.is_cancelled, _STEPS_PER_LOOK)
        try:
            yield
        except exc.OperationalError:
            wish.check()
            raise
        finally:
            sqlite.set_progress_handler(None, 0)

    @contextmanager
    def write(self, committed: Callable[[], None] = lambda: None) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that commits at the end, or rolls back on an exception.

        Args:
            committed: called after the commit, before the next writer has its turn.

        Raises:
            CatalogDamaged: the file is not a whole database.
            CatalogUnavailable: it cannot be written.
        """
        with self._our_errors(), self._write_lock, self.engine.connect() as plain:
            connection = plain.execution_options(standfast_writes=True)
            with connection.begin():
                yield connection
            committed()

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError:
            raise  # a bug of the caller, not the operator's concern
        except exc.DBAPIError as error:
            detail = str(error.orig)
            if any(sign in detail for sign in _DAMAGE_SIGNS):
                raise CatalogDamaged(location=self.location, detail=NOT_WHOLE.fill(details=detail)) from error
            if isinstance(error, exc.OperationalError | exc.InterfaceError):
                raise CatalogUnavailable(location=self.location, detail=database_reason(detail)) from error
            raise

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


_text = partial(str, encoding="utf-8", errors="replace")
"""Reads text of which a byte was damaged too: the driver's own way ends the whole answer."""


def _is_younger(file: Path, age_s: float) -> bool:
    try:
        return 0 <= time.time() - file.stat().st_mtime < age_s
    except FileNotFoundError:
        return False


def _url(location: Path | str) -> tuple[sa.URL, str]:
    if isinstance(location, Path):
        return sa.URL.create("sqlite", database=str(location)), str(location)
    url = sa.make_url(location)
    return url, url.render_as_string(hide_password=True)


def _engine(url: sa.URL, *, durable: bool) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(
        sharing_url(url),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        execution_options=sharing_options(),
    )
    synchronous = "FULL" if durable else "NORMAL"

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.text_factory = _text
        connection.isolation_level = None  # the driver's own BEGIN comes too late for an immediate transaction
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("standfast_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
