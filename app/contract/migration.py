"""Migrations: moving VMs to another platform or place while they run."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.messages import Message
from app.domain.migration import MigrationAction, MigrationOptions, MigrationState
from app.domain.places import PlannedVm, SavedHardware
from app.domain.vms import VmPlacement


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationMember:
    """One VM to migrate, and where it goes."""

    vm: VmId
    vm_name: str
    placement: VmPlacement
    """``name`` is the name in the end. ``keep_identity`` and ``mark`` do not count."""


class StartMigration(Command[tuple[MigrationId, ...]], frozen=True, kw_only=True):
    """虚机迁移: copy VMs to another platform or place while they run, each in a task of its own."""

    platform: PlatformId
    """Of the sources."""
    target: PlatformId
    """May be the same."""
    members: tuple[MigrationMember, ...]
    options: MigrationOptions = msgspec.field(default_factory=MigrationOptions)


class CutOver(Command[TaskId], frozen=True, kw_only=True):
    """切换: let the target of a migration that is ready take the place of its source."""

    migration: MigrationId


class StopMigration(Command[None], frozen=True, kw_only=True):
    """Stop what works at a migration, or the following of changes of one that is ready.

    A cut-over is undone, but not once the target has been started.
    """

    migration: MigrationId
    keep: bool = True
    """Keep what was copied, so that it can be resumed; False deletes the target VM and forgets the migration."""


class ResumeMigration(Command[TaskId], frozen=True, kw_only=True):
    """Go on with a migration that stopped or failed; only what is lacking is copied."""

    migration: MigrationId


class DiscardMigration(Command[TaskId | None], frozen=True, kw_only=True):
    """Delete the target VM of a migration that has not ended, and forget the migration; the source stays as it is.

    Of one that is completed only the row goes; there is no task then.
    """

    migration: MigrationId


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRow:
    """A migration as lists show it."""

    id: MigrationId
    name: str
    """Of the VM in the end."""
    vm: VmId
    """The source."""
    vm_name: str
    state: MigrationState
    is_waiting: bool = False
    """Whether its task waits for its turn (排队中)."""
    percent: int | None = None
    """How far the pass or the cut-over is that runs now."""
    error: ErrorRow | None = None
    """Why the last that was done with it failed."""
    task: TaskId | None = None
    """The task that waits or works at it now; its counters and its log are asked for as those of every task."""
    platform: PlatformId
    platform_name: str = ""
    target: PlatformId
    target_name: str = ""
    placement: VmPlacement
    options: MigrationOptions
    passes: int = 0
    """How many times everything, or what had changed, was copied."""
    held_bytes: int = 0
    """How much the source's disks hold; 0 before that is known."""
    last_pass_bytes: int = 0
    last_pass_at: datetime | None = None
    """When the snapshot of the last finished pass was taken."""
    rest_bytes: int | None = None
    """How much is to be copied still, as far as can be told; None before a first pass."""
    change_bytes_per_s: float | None = None
    """How fast the source changes."""
    copy_bytes_per_s: float | None = None
    cut_over_s: float | None = None
    """How long the source would be off in a cut-over now; None when that cannot be told yet."""
    target_vm: VmId | None = None
    source_kept_as: str = ""
    """Name of the source after the cut-over; empty when it was not set aside."""
    since: datetime
    ended_at: datetime | None = None
    actions: tuple[MigrationAction, ...] = ()
    """What can be done with it now."""


class ListMigrations(Query[tuple[MigrationRow, ...]], frozen=True, kw_only=True):
    """Return the migrations, the newest first; cheap enough for once a second."""


class DescribeSource(Query[SavedHardware], frozen=True, kw_only=True):
    """Return what a VM is made of besides its disks, as its platform reads it: network adapters, for choice."""

    platform: PlatformId
    vm: VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMigration:
    """What would come of migrating a VM."""

    planned: PlannedVm | None
    """Where it would be created, and what would not be as it was; None where the platform cannot say."""
    disk_bytes: int
    """Capacity of its disks."""
    is_tracked: bool
    """Whether change tracking can name what changes: else every pass, and the cut-over, reads everything."""
    warnings: tuple[Message, ...] = ()
    """What else the operator should know: snapshots that are not migrated …"""


class PlanMigration(Query[PlannedMigration], frozen=True, kw_only=True):
    """Return what a migration of a VM would do; nothing is done. What cannot be migrated is refused."""

    platform: PlatformId
    target: PlatformId
    member: MigrationMember
    options: MigrationOptions = msgspec.field(default_factory=MigrationOptions)
