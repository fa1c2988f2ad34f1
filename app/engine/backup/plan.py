"""What a backup reads: pure decisions on values.

:func:`plan_backup` answers before anything is read: the parent point, and for each disk the change id to ask
the changes since, or why the disk is read whole. What is learnt later (changes that cannot be told, a damaged
parent, a lie of change tracking) only ever turns more disks whole (:meth:`BackupPlan.with_whole`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.change_id import ChangeId
from app.domain.ids import PointId
from app.domain.messages import Message, MessageKind
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import BackupKind
from app.domain.vms import VirtualDisk
from app.engine import messages
from app.engine.reasons import BAD_CHANGE_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPlan:
    """How one disk is read."""

    disk: VirtualDisk
    """The frozen disk of the snapshot."""
    parent: PointId | None = None
    """The point whose data stands for what is not read; None reads the disk whole."""
    since: str | None = None
    """Change id to ask the changes since; None exactly when ``parent`` is."""
    reason: Message | None = None
    """Why a disk that could have had a parent is read whole."""
    map_trusted: bool = True
    """False when change tracking was caught lying: its map of allocated areas is not used either."""
    keep_change_id: bool = True
    """False starts a new tracking chain: the next backup finds no change id and reads the disk whole."""

    @property
    def whole(self) -> bool:
        """Return whether the disk is read without a parent."""
        return self.parent is None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPlan:
    """How a VM is backed up."""

    asked: BackupKind
    kind: BackupKind
    """What it becomes: full as soon as every disk is read whole."""
    parent: PointId | None
    disks: tuple[DiskPlan, ...]
    notes: tuple[Message, ...] = ()
    """What the operator should know about the choice of the kind."""

    def with_whole(
        self, key: int, reason: Message, *, map_trusted: bool = True, keep_change_id: bool = True
    ) -> "BackupPlan":
        """Return the plan with one disk read whole, and full when it was the last one with a parent."""
        disks = tuple(
            replace(
                planned,
                parent=None,
                since=None,
                reason=reason,
                map_trusted=map_trusted,
                keep_change_id=keep_change_id,
            )
            if planned.disk.key == key
            else planned
            for planned in self.disks
        )
        return _settled(replace(self, disks=disks))

    def without_parent(self, kind: MessageKind, **params: object) -> "BackupPlan":
        """Return the plan with every disk read whole, for a reason that takes the disk and ``params``."""
        plan = self
        for planned in self.disks:
            if not planned.whole:
                plan = plan.with_whole(planned.disk.key, kind.fill(disk=planned.disk.label, **params))
        return plan


def plan_backup(
    asked: BackupKind,
    disks: Sequence[VirtualDisk],
    points: Sequence[RestorePoint],
    *,
    tracking_wanted: bool,
) -> BackupPlan:
    """Decide what to read.

    Args:
        asked: the kind that was asked for.
        disks: the frozen disks that can be backed up.
        points: the chain's usable points, newest first.
        tracking_wanted: False reads everything whole, whatever the platform could report.
    """
    parent, notes = _choose_parent(asked, points)
    if parent is None:
        plans = tuple(DiskPlan(disk=disk) for disk in disks)
        return BackupPlan(asked=asked, kind=BackupKind.FULL, parent=None, disks=plans, notes=notes)
    newer = points[: points.index(parent)]
    plans = tuple(_plan_disk(disk, parent, newer, tracking_wanted=tracking_wanted) for disk in disks)
    chosen = messages.PARENT_CHOSEN.fill(parent=parent.id)
    return _settled(BackupPlan(asked=asked, kind=asked, parent=parent.id, disks=plans, notes=(*notes, chosen)))


def _choose_parent(
    asked: BackupKind, points: Sequence[RestorePoint]
) -> tuple[RestorePoint | None, tuple[Message, ...]]:
    if asked is BackupKind.FULL:
        return None, ()
    if not points:
        return None, (messages.FIRST_IS_FULL.fill(),)
    if asked is BackupKind.INCREMENTAL:
        return points[0], ()
    last_full = next((point for point in points if point.kind is BackupKind.FULL), None)
    if last_full is None:
        return None, (messages.NO_FULL_FOR_DIFFERENTIAL.fill(),)
    return last_full, ()


def _plan_disk(
    disk: VirtualDisk, parent: RestorePoint, newer: Sequence[RestorePoint], *, tracking_wanted: bool
) -> DiskPlan:
    before = parent.disk(disk.key)
    if not tracking_wanted or disk.change_id is None:
        return DiskPlan(disk=disk, reason=messages.WHOLE_NOT_TRACKED.fill(disk=disk.label))
    if before is None:
        return DiskPlan(disk=disk, reason=messages.WHOLE_PARENT_LACKS_DISK.fill(disk=disk.label))
    reason = _why_not_comparable(disk, disk.change_id, before)
    if reason is not None or before.change_id is None:
        return DiskPlan(disk=disk, reason=reason)
    if any(later is not None and later.change_id is None for later in (point.disk(disk.key) for point in newer)):
        return DiskPlan(disk=disk, reason=messages.WHOLE_CHAIN_BROKEN.fill(disk=disk.label))
    return DiskPlan(disk=disk, parent=parent.id, since=before.change_id)


def _why_not_comparable(disk: VirtualDisk, change_id: str, before: PointDisk) -> Message | None:
    if disk.uuid != before.uuid:
        return messages.WHOLE_OTHER_DISK.fill(disk=disk.label, now=disk.uuid, then=before.uuid)
    if disk.capacity_bytes != before.capacity_bytes:
        return messages.WHOLE_RESIZED.fill(disk=disk.label, now=disk.capacity_bytes, then=before.capacity_bytes)
    if before.change_id is None:
        return messages.WHOLE_PARENT_NOT_TRACKED.fill(disk=disk.label)
    return _why_not_later(disk.label, change_id, before.change_id)


def _why_not_later(label: str, now: str, then: str) -> Message | None:
    """Every snapshot counts the sequence up: one that did not grow means that the VM went back in time."""
    try:
        current, earlier = ChangeId.parse(now), ChangeId.parse(then)
    except ValueError as error:
        return messages.WHOLE_CHANGES_LOST.fill(disk=label, detail=BAD_CHANGE_ID.fill(details=str(error)))
    if not current.comparable_with(earlier):
        return messages.WHOLE_TRACKING_RESET.fill(disk=label)
    if current.sequence <= earlier.sequence:
        return messages.WHOLE_WENT_BACK.fill(disk=label)
    return None


def _settled(plan: BackupPlan) -> BackupPlan:
    if plan.parent is None or any(not planned.whole for planned in plan.disks):
        return plan
    notes = (*plan.notes, messages.ALL_DISKS_WHOLE.fill())
    return replace(plan, kind=BackupKind.FULL, parent=None, notes=notes)
