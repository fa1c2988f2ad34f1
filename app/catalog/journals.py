"""Journals of what may be left on a production platform: each entry is durable before the change is made.

They use connections of their own with ``synchronous=FULL``: an entry survives a SIGKILL, and a power failure
as well, right after the call returned.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.tables import attachment_journal, restore_journal, snapshot_journal
from app.core.access import Attachment
from app.core.clock import Clock
from app.domain.ids import PlatformId, TaskId, VmId
from app.domain.tasks import RestorePhase, RestoreTrace


class SnapshotJournalStore:
    """Fulfils :class:`app.engine.ports.SnapshotJournal`. Thread: any."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def opened(self, task: TaskId, platform: PlatformId, vm: VmId) -> None:
        """Note that a snapshot for this task is about to be created."""
        at: datetime = self._clock.now()
        with self._database.write() as connection:
            connection.execute(sa.delete(snapshot_journal).where(snapshot_journal.c.task_id == task))
            connection.execute(
                sa.insert(snapshot_journal).values(task_id=task, platform_id=platform, vm=vm, opened_at=at)
            )

    def closed(self, task: TaskId) -> None:
        """Note that it is gone for sure."""
        with self._database.write() as connection:
            connection.execute(sa.delete(snapshot_journal).where(snapshot_journal.c.task_id == task))

    def open_entries(self) -> Sequence[tuple[TaskId, PlatformId, VmId]]:
        """Return what may still be on a production host, oldest first."""
        # Without the moment, whose damage must not hide a snapshot.
        entry = [snapshot_journal.c[name] for name in ("task_id", "platform_id", "vm")]
        query = sa.select(*entry).order_by(snapshot_journal.c.opened_at, snapshot_journal.c.task_id)
        with self._database.read() as connection:
            return [
                (TaskId(row.task_id), PlatformId(row.platform_id), VmId(row.vm))
                for row in connection.execute(query)
            ]


class AttachmentJournalStore:
    """Fulfils :class:`app.engine.ports.AttachmentJournal`. Thread: any."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def opened(self, task: TaskId, platform: PlatformId, attachment: Attachment) -> None:
        """Note that a disk is about to be attached for this task."""
        values = {
            "task_id": task,
            "platform_id": platform,
            "machine": attachment.machine,
            "machine_uuid": attachment.machine_uuid,
            "machine_name": attachment.machine_name,
            "path": attachment.path,
            "disk_uuid": attachment.disk_uuid,
            "bus": attachment.bus,
            "unit": attachment.unit,
            "owns_controller": attachment.owns_controller,
            "is_writable": attachment.is_writable,
            "opened_at": self._clock.now(),
        }
        with self._database.write() as connection:
            connection.execute(sa.delete(attachment_journal).where(*_entry_of(task, attachment)))
            connection.execute(sa.insert(attachment_journal).values(**values))

    def closed(self, task: TaskId, attachment: Attachment) -> None:
        """Note that it is detached for sure."""
        with self._database.write() as connection:
            connection.execute(sa.delete(attachment_journal).where(*_entry_of(task, attachment)))

    def open_entries(self) -> Sequence[tuple[TaskId, PlatformId, Attachment]]:
        """Return what may still be attached, oldest first."""
        table = attachment_journal
        # Without the moment, whose damage must not hide a disk.
        entry = [column for column in table.c if column.name != "opened_at"]
        query = sa.select(*entry).order_by(table.c.opened_at, table.c.task_id, table.c.bus, table.c.unit)
        with self._database.read() as connection:
            rows = connection.execute(query)
            return self._database.unreadable.readable(table, rows, _attachment)


class RestoreJournalStore:
    """Remembers which VMs a restore may have created. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, trace: RestoreTrace) -> None:
        """Write down how far a restore has come, in place of what was known of it."""
        values = {
            "task_id": trace.task,
            "platform_id": trace.platform,
            "phase": trace.phase.value,
            "name": trace.name,
            "created_as": trace.created_as,
            "created_vm": trace.created,
            "replaced_vm": trace.replaced,
        }
        with self._database.write() as connection:
            connection.execute(sa.delete(restore_journal).where(restore_journal.c.task_id == trace.task))
            connection.execute(sa.insert(restore_journal).values(**values))

    def closed(self, task: TaskId) -> None:
        """Note that the restore left nothing to clean up."""
        with self._database.write() as connection:
            connection.execute(sa.delete(restore_journal).where(restore_journal.c.task_id == task))

    def open_traces(self) -> Sequence[RestoreTrace]:
        """Return what restores that did not end may have left."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(restore_journal).order_by(restore_journal.c.task_id))
            return self._database.unreadable.readable(restore_journal, rows, _trace)


def _entry_of(task: TaskId, attachment: Attachment) -> tuple[sa.ColumnElement[bool], ...]:
    table = attachment_journal
    return (
        table.c.task_id == task,
        table.c.machine_uuid == attachment.machine_uuid,
        table.c.bus == attachment.bus,
        table.c.unit == attachment.unit,
    )


def _attachment(row: sa.Row[Any]) -> tuple[TaskId, PlatformId, Attachment]:
    attachment = Attachment(
        machine=VmId(row.machine),
        machine_uuid=row.machine_uuid,
        machine_name=row.machine_name,
        path=row.path,
        disk_uuid=row.disk_uuid,
        bus=row.bus,
        unit=row.unit,
        owns_controller=row.owns_controller,
        is_writable=row.is_writable,
    )
    return TaskId(row.task_id), PlatformId(row.platform_id), attachment


def _trace(row: sa.Row[Any]) -> RestoreTrace:
    return RestoreTrace(
        task=TaskId(row.task_id),
        platform=PlatformId(row.platform_id),
        phase=RestorePhase(row.phase),
        name=row.name,
        created_as=row.created_as,
        created=None if row.created_vm is None else VmId(row.created_vm),
        replaced=None if row.replaced_vm is None else VmId(row.replaced_vm),
    )
