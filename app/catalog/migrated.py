"""Migrations of VMs: a change of what is noted is durable before the change is made elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.kept_errors import pack_error, unpack_error
from app.catalog.tables import migrations
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.migration import (
    Migration,
    MigrationDisk,
    MigrationOptions,
    MigrationPhase,
    MigrationProgress,
)
from app.domain.vms import VmPlacement


class MigrationStore:
    """Remembers migrations. Thread: any.

    It uses connections of its own with ``synchronous=FULL``: what is noted survives a SIGKILL, and a power failure
    as well, right after the call returned.
    """

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes

    def add(self, migration: Migration) -> Migration:
        """Remember a new one, and return it with its number."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.MIGRATION, migration.id)
            result = transaction.connection.execute(sa.insert(migrations).values(_values(migration)))
            (number,) = result.inserted_primary_key or (0,)
        return replace(migration, number=number)

    def put(self, migration: Migration) -> None:
        """Remember how one is now; one that was forgotten meanwhile stays so."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.MIGRATION, migration.id)
            transaction.connection.execute(
                sa.update(migrations).where(_is(migration.id)).values(_values(migration))
            )

    def remove(self, migration: MigrationId) -> None:
        """Forget one; nothing of it is left to do."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.MIGRATION, migration)
            transaction.connection.execute(sa.delete(migrations).where(_is(migration)))

    def get(self, migration: MigrationId) -> Migration | None:
        """Return one, or None, also where it cannot be read."""
        return next(iter(self._find(_is(migration))), None)

    def all(self) -> Sequence[Migration]:
        """Return all, the newest first."""
        return self._find(sa.true())

    def _find(self, condition: sa.ColumnElement[bool]) -> Sequence[Migration]:
        query = sa.select(migrations).where(condition).order_by(migrations.c.number.desc())
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return self._database.unreadable.readable(migrations, rows, _migration)


def _is(migration: MigrationId) -> sa.ColumnElement[bool]:
    return migrations.c.id == migration


def _packed(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _values(migration: Migration) -> dict[str, Any]:
    error = migration.error
    return {
        "id": migration.id,
        "created_at": migration.created_at,
        "phase": migration.phase.value,
        "platform_id": migration.platform,
        "vm": migration.vm,
        "vm_name": migration.vm_name,
        "instance_uuid": migration.instance_uuid,
        "bios_uuid": migration.bios_uuid,
        "platform_uuid": migration.platform_uuid,
        "target_id": migration.target,
        "placement": _packed(migration.placement),
        "options": _packed(migration.options),
        "created_as": migration.created_as,
        "target_vm": migration.target_vm,
        "disks": _packed(migration.disks),
        "progress": _packed(migration.progress),
        "source_was_on": migration.source_was_on,
        "is_shutting_down": migration.is_shutting_down,
        "source_kept_as": migration.source_kept_as,
        "task_id": migration.task,
        "ended_at": migration.ended_at,
        "error_code": None if error is None else error.code,
        "error_params": pack_error(error),
    }


def _migration(row: sa.Row[Any]) -> Migration:
    return Migration(
        id=MigrationId(row.id),
        number=row.number,
        created_at=row.created_at,
        phase=MigrationPhase(row.phase),
        platform=PlatformId(row.platform_id),
        vm=VmId(row.vm),
        vm_name=row.vm_name,
        instance_uuid=row.instance_uuid,
        bios_uuid=row.bios_uuid,
        platform_uuid=row.platform_uuid,
        target=PlatformId(row.target_id),
        placement=msgspec.json.decode(row.placement, type=VmPlacement),
        options=msgspec.json.decode(row.options, type=MigrationOptions),
        created_as=row.created_as,
        target_vm=None if row.target_vm is None else VmId(row.target_vm),
        disks=msgspec.json.decode(row.disks, type=tuple[MigrationDisk, ...]),
        progress=msgspec.json.decode(row.progress, type=MigrationProgress),
        source_was_on=row.source_was_on,
        is_shutting_down=row.is_shutting_down,
        source_kept_as=row.source_kept_as,
        task=None if row.task_id is None else TaskId(row.task_id),
        ended_at=row.ended_at,
        error=unpack_error(row.error_code, row.error_params),
    )
