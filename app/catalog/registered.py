"""Registered platforms and standby machines."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc

from app.catalog.changing import Changing, changing
from app.catalog.database import Database
from app.catalog.errors import CatalogRowInTheWay
from app.catalog.origins import packed_addresses, reassign, unpacked_addresses
from app.catalog.remembered import Remembered
from app.catalog.tables import platforms, repositories, standbys
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform
from app.domain.standbys import EncryptionMode, Standby
from app.domain.states import TransportMode
from app.domain.transports import whole_order


class PlatformStore:
    """Stores platforms; their passwords are elsewhere. Thread: any."""

    def __init__(
        self, database: Database, changes: ChangeFeed, on_origins: Callable[[], None] = lambda: None
    ) -> None:
        """Keep them in a database; ``on_origins`` is called after points may have come from another one."""
        self._database = database
        self._changes = changes
        self._on_origins = on_origins
        self._all: Remembered[tuple[Platform, ...]] = Remembered(is_alone=database.is_ours_alone)

    def put(self, platform: Platform) -> None:
        """Add a platform, or change the one with its id."""
        with changing(self._database, self._changes, self.forget) as transaction:
            self.put_in(transaction, platform)

    def put_in(self, transaction: Changing, platform: Platform) -> None:
        """Put a platform in a transaction of the caller, who calls :meth:`forget` at its end."""
        values = {
            "name": platform.name,
            "address": platform.address,
            "port": platform.port,
            "user": platform.user,
            "thumbprint_sha256": platform.thumbprint_sha256,
            "allows_plain_transport": platform.allows_plain_transport,
            "former_addresses": packed_addresses(platform.former_addresses),
            "transports": _packed_transports(platform.transports),
        }
        _put(transaction.connection, platforms, platform.id, values)
        _note_name(transaction, Subject.PLATFORMS, platform.id)
        reassign_in(transaction)

    def get(self, platform: PlatformId) -> Platform | None:
        """Return one platform, or None."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(platforms).where(platforms.c.id == platform)).all()
        return next(iter(self._database.unreadable.readable(platforms, rows, _platform)), None)

    def all(self) -> tuple[Platform, ...]:
        """Return every platform, by name."""

        def read() -> tuple[Platform, ...]:
            with self._database.read() as connection:
                rows = connection.execute(sa.select(platforms).order_by("name")).all()
            return tuple(self._database.unreadable.readable(platforms, rows, _platform))

        return self._all.get(read)

    def remove(self, platform: PlatformId) -> None:
        """Forget a platform; nothing happens when there is none."""
        with changing(self._database, self._changes, self.forget) as transaction:
            transaction.connection.execute(sa.delete(platforms).where(platforms.c.id == platform))
            _note_name(transaction, Subject.PLATFORMS, platform)
            reassign_in(transaction)

    def forget(self) -> None:
        """Forget what is remembered of the table: it was written to."""
        self._all.forget()
        self._on_origins()


class StandbyStore:
    """Stores standby machines. Thread: any."""

    def __init__(
        self, database: Database, changes: ChangeFeed, on_removed: Callable[[], None] = lambda: None
    ) -> None:
        """Keep them in a database; ``on_removed`` is called after one went, with what belonged to it."""
        self._database = database
        self._changes = changes
        self._on_removed = on_removed
        self._all: Remembered[tuple[Standby, ...]] = Remembered(is_alone=database.is_ours_alone)

    def put(self, standby: Standby) -> None:
        """Add a standby, or change the one with its id."""
        with changing(self._database, self._changes, self.forget) as transaction:
            self.put_in(transaction, standby)

    def put_in(self, transaction: Changing, standby: Standby) -> None:
        """Put a standby in a transaction of the caller, who calls :meth:`forget` at its end."""
        values = {
            "name": standby.name,
            "root_path": standby.root_path,
            "note": standby.note,
            "mark": standby.mark,
            "encryption": standby.encryption.value,
        }
        _put(transaction.connection, standbys, standby.id, values)
        _note_name(transaction, Subject.STANDBYS, standby.id)

    def forget(self) -> None:
        """Forget what is remembered of the table: it was written to."""
        self._all.forget()

    def get(self, standby: StandbyId) -> Standby | None:
        """Return one standby, or None."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(standbys).where(standbys.c.id == standby)).all()
        return next(iter(self._database.unreadable.readable(standbys, rows, _standby)), None)

    def all(self) -> tuple[Standby, ...]:
        """Return every standby, by name."""

        def read() -> tuple[Standby, ...]:
            with self._database.read() as connection:
                rows = connection.execute(sa.select(standbys).order_by("name")).all()
            return tuple(self._database.unreadable.readable(standbys, rows, _standby))

        return self._all.get(read)

    def remove(self, standby: StandbyId) -> None:
        """Forget a standby and what is known of its points; nothing happens when there is none."""
        with changing(self._database, self._changes, self._forget_removed) as transaction:
            transaction.connection.execute(sa.delete(standbys).where(standbys.c.id == standby))
            _note_name(transaction, Subject.STANDBYS, standby)
            transaction.note(Subject.POINTS, standby)

    def _forget_removed(self) -> None:
        self._all.forget()
        self._on_removed()

    def repositories(self, standby: StandbyId) -> dict[str, str]:
        """Return the target paths on a standby at which a repository was opened, each with its id."""
        query = sa.select(repositories).where(repositories.c.standby_id == standby).order_by("target_path")
        with self._database.read() as connection:
            # None is left out: where a repository was, a new one must never be made.
            return {str(row.target_path): str(row.repository_id) for row in connection.execute(query)}

    def encrypted_repositories(self, standby: StandbyId) -> frozenset[str]:
        """Return the target paths on a standby at which an encrypted repository was found."""
        # Not "is true" in SQL: a mark that cannot be read must not make an encrypted repository a plain one.
        query = sa.select(repositories).where(repositories.c.standby_id == standby)
        with self._database.read() as connection:
            return frozenset(str(row.target_path) for row in connection.execute(query) if row.is_encrypted)

    def note_repository(
        self, standby: StandbyId, target_path: str, repository_id: str, *, is_encrypted: bool = False
    ) -> None:
        """Remember which repository is at a target path."""
        with changing(self._database, self._changes) as transaction:
            self.note_repository_in(transaction, standby, target_path, repository_id, is_encrypted=is_encrypted)

    def note_repository_in(
        self,
        transaction: Changing,
        standby: StandbyId,
        target_path: str,
        repository_id: str,
        *,
        is_encrypted: bool,
    ) -> None:
        """Remember which repository is at a target path, in a transaction of the caller."""
        here = (repositories.c.standby_id == standby) & (repositories.c.target_path == target_path)
        values = {"repository_id": repository_id, "is_encrypted": is_encrypted}
        connection = transaction.connection
        transaction.note(Subject.STANDBYS, standby)
        transaction.note(Subject.POINTS, standby)
        if not connection.execute(sa.update(repositories).where(here).values(values)).rowcount:
            keys = {"standby_id": standby, "target_path": target_path}
            connection.execute(sa.insert(repositories).values(keys | values))


def reassign_in(transaction: Changing) -> None:
    """Work out again where every point came from, in a transaction that changes what is registered."""
    if reassign(transaction.connection):
        transaction.note(Subject.POINTS)
        transaction.note(Subject.RULES)


def _note_name(transaction: Changing, subject: Subject, key: str) -> None:
    """Note a platform or a standby, and that it may have another name."""
    transaction.note(subject, key)
    transaction.note(Subject.NAMES, key)


def _put(connection: sa.Connection, table: sa.Table, key: str, values: dict[str, Any]) -> None:
    try:
        changed = connection.execute(sa.update(table).where(table.c.id == key).values(**values))
        if not changed.rowcount:
            connection.execute(sa.insert(table).values(id=key, **values))
    except (
        exc.IntegrityError
    ) as error:  # what is listed was compared before: something is there that is not listed
        raise CatalogRowInTheWay(name=values["name"], table=table.name) from error


def _platform(row: sa.Row[Any]) -> Platform:
    return Platform(
        id=PlatformId(row.id),
        name=row.name,
        address=row.address,
        port=row.port,
        user=row.user,
        thumbprint_sha256=row.thumbprint_sha256,
        allows_plain_transport=row.allows_plain_transport,
        former_addresses=unpacked_addresses(row.former_addresses),
        transports=_unpacked_transports(row.transports),
    )


def _packed_transports(modes: Iterable[TransportMode]) -> str:
    return msgspec.json.encode([mode.value for mode in modes]).decode()


def _unpacked_transports(stored: str) -> tuple[TransportMode, ...]:
    """Return a stored order; modes that only a newer program knows are passed over.

    Raises:
        msgspec.MsgspecError: it is no list of texts.
    """
    known = {mode.value: mode for mode in TransportMode}
    named = msgspec.json.decode(stored, type=tuple[str, ...])
    return whole_order(known[name] for name in named if name in known)


def _standby(row: sa.Row[Any]) -> Standby:
    return Standby(
        id=StandbyId(row.id),
        name=row.name,
        root_path=row.root_path,
        note=row.note,
        mark=row.mark,
        encryption=EncryptionMode(row.encryption),
    )
