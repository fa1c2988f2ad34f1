"""How snapshots of ours are named, on the platform and in the journal."""

from typing import Final

from app.core.hypervisor import SNAPSHOT_PREFIX, TRACKING_SNAPSHOT_PREFIX
from app.domain.ids import TaskId
from app.domain.vms import SnapshotInfo

TRACKING: Final = TRACKING_SNAPSHOT_PREFIX.removeprefix(SNAPSHOT_PREFIX)
"""Begins the journal's keys for the switching of tracking; the task follows."""


def owner_of(snapshot: SnapshotInfo) -> TaskId | None:
    """Return the task that a snapshot of ours was made for; None when it is not ours."""
    if not snapshot.name.startswith(SNAPSHOT_PREFIX):
        return None
    return TaskId(snapshot.name[len(SNAPSHOT_PREFIX) :])


def task_of(key: TaskId) -> TaskId:
    """Return the task that a key of the journal is about."""
    return TaskId(key.removeprefix(TRACKING))


def is_for_tracking(snapshot: SnapshotInfo) -> bool:
    """Return whether a snapshot exists only while change tracking is switched."""
    return snapshot.name.startswith(TRACKING_SNAPSHOT_PREFIX)
