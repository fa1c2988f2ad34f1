"""What a pass reads of each disk: pure decisions on values."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.change_id import ChangeId
from app.domain.messages import Message
from app.domain.migration import MigrationDisk
from app.domain.vms import VirtualDisk
from app.engine.migration import messages
from app.engine.reasons import BAD_CHANGE_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPass:
    """How one disk is brought up to date."""

    disk: MigrationDisk
    frozen: VirtualDisk
    """The source's disk in the snapshot."""
    since: str | None = None
    """Change id since which changes are copied; None: all of it."""
    reason: Message | None = None
    """Why a disk that was copied before is compared as a whole."""

    @property
    def is_compared(self) -> bool:
        """Return whether the target holds something of which it is not known what."""
        return self.since is None and not self.disk.is_blank


def plan_pass(
    disks: Sequence[MigrationDisk], frozen: Sequence[VirtualDisk], *, is_tracking_wanted: bool
) -> tuple[DiskPass, ...]:
    """Decide what is read of each disk.

    Args:
        disks: those of the migration; each is among the frozen ones.
        frozen: the source's disks in the snapshot.
        is_tracking_wanted: False reads everything, whatever the platform could report.
    """
    by_key = {disk.key: disk for disk in frozen}
    return tuple(_plan(disk, by_key[disk.key], is_tracking_wanted=is_tracking_wanted) for disk in disks)


def compared_whole(planned: DiskPass, reason: Message) -> DiskPass:
    """Return the plan of a disk whose changes cannot be told."""
    return DiskPass(disk=planned.disk, frozen=planned.frozen, reason=reason)


def _plan(disk: MigrationDisk, frozen: VirtualDisk, *, is_tracking_wanted: bool) -> DiskPass:
    if disk.is_blank:
        return DiskPass(disk=disk, frozen=frozen)
    if not is_tracking_wanted or frozen.change_id is None:
        return DiskPass(disk=disk, frozen=frozen, reason=messages.WHOLE_NOT_TRACKED.fill(disk=disk.label))
    if disk.change_id is None:
        return DiskPass(disk=disk, frozen=frozen)
    reason = _doubt(disk, frozen, frozen.change_id, disk.change_id)
    return DiskPass(disk=disk, frozen=frozen, since=None if reason else disk.change_id, reason=reason)


def _doubt(disk: MigrationDisk, frozen: VirtualDisk, now: str, then: str) -> Message | None:
    """Return why the changes between two ids are not the difference; None when they are.

    Every snapshot counts the sequence up: one that did not grow means that the VM went back in time.
    """
    try:
        current, earlier = ChangeId.parse(now), ChangeId.parse(then)
    except ValueError as error:
        detail = BAD_CHANGE_ID.fill(details=str(error))
        return messages.WHOLE_LOST.fill(disk=disk.label, detail=detail)
    if not current.comparable_with(earlier) or frozen.uuid != disk.uuid:
        return messages.WHOLE_RESET.fill(disk=disk.label)
    if current.sequence <= earlier.sequence:
        return messages.WHOLE_WENT_BACK.fill(disk=disk.label)
    return None
