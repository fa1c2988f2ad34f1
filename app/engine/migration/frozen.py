"""The frozen disks of a source: copied to the target's, and compared with them."""

import random
from collections.abc import Sequence

from app.core.access import DiskAddress
from app.core.context import TaskContext
from app.domain.errors import ChangeTrackingLost, OperationalError, SnapshotGone
from app.domain.extents import Extent, clip, complement, total_bytes, union
from app.domain.migration import Migration, MigrationCheck, MigrationDisk
from app.domain.states import TaskState
from app.domain.vms import FrozenVm, VirtualDisk, VmDetails
from app.engine import messages as task_messages
from app.engine.backup.audit import draw_blocks
from app.engine.migration import messages
from app.engine.migration.copying import differences, held_by_either
from app.engine.migration.errors import TargetDiffers
from app.engine.migration.passplan import DiskPass
from app.engine.migration.services import MigrationServices, Side
from app.engine.migration.target import address_of
from app.engine.platforms.diskcopy import copy_extents
from app.engine.tasks.running import RunningTask


class FrozenSource:
    """A source inside its snapshot, next to the target. Thread: the task's."""

    def __init__(
        self,
        services: MigrationServices,
        task: RunningTask,
        source: Side,
        target: Side,
        details: VmDetails,
        frozen: FrozenVm,
        own: VmDetails,
    ) -> None:
        """Prepare.

        Args:
            services: of the engine.
            task: which works.
            source: the platform of the source.
            target: the platform of the target.
            details: the source.
            frozen: its disks in the snapshot.
            own: the target VM, which carries the mark.
        """
        self._settings = services.settings
        self._task = task
        self._source = source
        self._target = target
        self._details = details
        self._frozen = frozen
        self._own = own
        self._copied: dict[int, Sequence[Extent]] = {}

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    # --- what there is -------------------------------------------------------------------------------------------

    def changed(self, disk: VirtualDisk, since: str | None) -> list[Extent]:
        """Return what changed on a frozen disk since a change id, or with None what is allocated.

        Raises:
            ChangeTrackingLost: it cannot be told.
            OperationalError: the platform failed in another way.
        """
        vm, snapshot, hypervisor = self._details.summary.id, self._frozen.snapshot, self._source.hypervisor
        found = self._source.patience.through(
            lambda: hypervisor.changed_extents(vm, snapshot, disk.key, disk.capacity_bytes, since)
        )
        return list(clip(found, disk.capacity_bytes))

    def check_still_frozen(self) -> None:
        """Make sure that all that was read is of one moment.

        Raises:
            SnapshotGone: it may be of several.
            TaskCancelled: cancelled meanwhile.
        """
        vm, snapshot = self._details.summary.id, self._frozen.snapshot
        try:
            self._source.patience.through(lambda: self._source.hypervisor.frozen_disks(vm, snapshot))
        except SnapshotGone:
            raise
        except OperationalError as error:
            self._context.log.warning(task_messages.SNAPSHOT_NOT_CHECKED, detail=error)

    def _address(self, disk: VirtualDisk) -> DiskAddress:
        summary = self._details.summary
        return DiskAddress.of(summary.id, summary.name, disk, self._frozen.snapshot)

    def _held(self, disk: VirtualDisk, *, is_tracking_wanted: bool) -> list[Extent] | None:
        """Return which parts of a frozen disk hold data; None when nothing can tell."""
        if is_tracking_wanted and disk.change_id is not None:
            try:
                return self.changed(disk, None)
            except ChangeTrackingLost:
                pass  # the transport may still know
        with self._source.opener.reader(self._address(disk), keep=True) as reader:
            found = reader.allocated_extents()
        return None if found is None else list(clip(found, disk.capacity_bytes))

    # --- copying -------------------------------------------------------------------------------------------------

    def bring_up_to_date(
        self, planned: DiskPass, changes: Sequence[Extent], *, is_tracking_wanted: bool
    ) -> tuple[int, int]:
        """Make a disk of the target what the frozen disk of the source is.

        Args:
            planned: how.
            changes: what changed, where the plan says since when.
            is_tracking_wanted: whether the platform may be asked what is allocated.

        Returns:
            How many bytes were read for it, and how many the source's disk holds (0 where that was not asked).

        Raises:
            OperationalError: one of the disks fails.
            TaskCancelled: cancelled meanwhile.
        """
        disk, frozen = planned.disk, planned.frozen
        if planned.since is not None:
            self._copy(disk, frozen, changes, write_zeros=True)
            return total_bytes(changes), 0
        held = self._held(frozen, is_tracking_wanted=is_tracking_wanted)
        extents: Sequence[Extent]
        if disk.is_blank:
            extents = complement((), frozen.capacity_bytes) if held is None else held
            self._copy(disk, frozen, extents, write_zeros=False)
            return total_bytes(extents), total_bytes(extents)
        extents = self._held_by_either(disk, held)
        self._copy(disk, frozen, self._differences(disk, frozen, extents), write_zeros=True)
        return total_bytes(extents), total_bytes(extents if held is None else held)

    def _held_by_either(self, disk: MigrationDisk, held: Sequence[Extent] | None) -> Sequence[Extent]:
        with self._target.opener.reader(address_of(self._own, disk), keep=True) as written:
            return held_by_either(held, written)

    def _copy(
        self, disk: MigrationDisk, frozen: VirtualDisk, extents: Sequence[Extent], *, write_zeros: bool
    ) -> None:
        self._copied[disk.key] = extents
        self._context.progress.expect(total_bytes(extents))
        if not extents:
            return
        self._target.opener.let_go()
        with (
            self._source.opener.reader(self._address(frozen), keep=True) as reader,
            self._target.opener.writer(address_of(self._own, disk)) as writer,
        ):
            written = copy_extents(
                reader,
                writer,
                extents,
                write_zeros=write_zeros,
                progress=self._context.progress,
                cancel=self._context.cancel,
            )
            mode = writer.mode.value
        self._context.log.info(messages.DISK_COPIED, disk=disk.label, bytes=written, mode=mode)

    def _differences(self, disk: MigrationDisk, frozen: VirtualDisk, extents: Sequence[Extent]) -> list[Extent]:
        self._context.progress.expect(total_bytes(extents))
        with (
            self._source.opener.reader(self._address(frozen), keep=True) as reader,
            self._target.opener.reader(address_of(self._own, disk), keep=True) as copied,
        ):
            return differences(
                reader, copied, extents, progress=self._context.progress, cancel=self._context.cancel
            )

    # --- comparing -----------------------------------------------------------------------------------------------

    def prove(self, migration: Migration, chance: random.Random) -> None:
        """Make sure that the target is what the source is; what change tracking left out is copied.

        Raises:
            TargetDiffers: it is not, though it was copied again.
            OperationalError: one of the disks cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        self._task.stages.enter(TaskState.VERIFYING)
        frozen = {disk.key: disk for disk in self._frozen.disks}
        for disk in migration.disks:
            self._prove_disk(migration, disk, frozen[disk.key], chance)
        self.check_still_frozen()

    def _prove_disk(
        self, migration: Migration, disk: MigrationDisk, frozen: VirtualDisk, chance: random.Random
    ) -> None:
        is_full = migration.options.check is MigrationCheck.FULL
        extents = self._everything(disk, frozen) if is_full else self._sample(disk, chance)
        different = self._differences(disk, frozen, extents)
        if different and not is_full:
            extents = self._everything(disk, frozen)
            different = self._differences(disk, frozen, extents)
        if different:
            self._context.log.error(messages.TRACKING_LEFT_OUT, disk=disk.label, bytes=total_bytes(different))
            self._copy(disk, frozen, different, write_zeros=True)
            still = self._differences(disk, frozen, different)
            if still:
                raise TargetDiffers(disk=disk.label, offset=still[0].start)
        self._context.log.info(messages.DISK_COMPARED, disk=disk.label, bytes=total_bytes(extents))

    def _everything(self, disk: MigrationDisk, frozen: VirtualDisk) -> Sequence[Extent]:
        """Return all that one of the two disks holds; change tracking is not believed here."""
        return self._held_by_either(disk, self._held(frozen, is_tracking_wanted=False))

    def _sample(self, disk: MigrationDisk, chance: random.Random) -> Sequence[Extent]:
        copied = self._copied.get(disk.key, ())
        blocks = draw_blocks(
            copied,
            disk.capacity_bytes,
            count=self._settings.audit_blocks,
            block_bytes=self._settings.audit_block_bytes,
            source=chance,
        )
        return union(copied, blocks)
