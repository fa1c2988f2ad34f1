"""Healing: a backup on top of a damaged point reads from the source what the repository has lost."""

from collections.abc import Mapping
from dataclasses import replace

from app.core.tasklog import TaskLog
from app.domain.extents import total_bytes, union
from app.engine import messages
from app.engine.backup.changes import UNUSABLE_PARENT, DiskExtents
from app.engine.backup.plan import BackupPlan
from app.repository import Repository


def with_lost_extents(
    repository: Repository, plan: BackupPlan, known: Mapping[int, DiskExtents], log: TaskLog
) -> tuple[BackupPlan, dict[int, DiskExtents]]:
    """Add to what is read of each disk what no pack holds any more of its parent.

    A disk whose index in the parent is damaged is planned to be read whole; its entry in the answer is still the
    old one, for the caller to learn again.

    Raises:
        StandbyUnavailable, RepositoryBusy: the repository cannot be asked.
    """
    completed = dict(known)
    for key, disk_extents in known.items():
        if disk_extents.plan.parent is None:
            continue
        try:
            lost = repository.lost_extents(disk_extents.plan.parent, key)
        except UNUSABLE_PARENT as error:
            repository.learn_damage(error)
            reason = messages.WHOLE_PARENT_DAMAGED.fill(disk=disk_extents.plan.disk.label, detail=error)
            plan = plan.with_whole(key, reason)
            continue
        if lost:
            log.warning(messages.LOST_READ_AGAIN, disk=disk_extents.plan.disk.label, bytes=total_bytes(lost))
            completed[key] = replace(disk_extents, extents=tuple(union(disk_extents.extents, lost)))
    return plan, completed
