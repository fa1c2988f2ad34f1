"""What takes long on purpose, and how it shows that it works."""

from dataclasses import dataclass
from enum import Enum


class RemovalPace(Enum):
    """How a removal of a snapshot that takes long shows that it works."""

    BY_PROGRESS = "by progress"
    DISK_BY_DISK = "disk by disk"
    """Its task's progress stands still, but one disk after the other has fewer files."""
    NOT_AT_ALL = "not at all"


@dataclass(frozen=True, slots=True)
class SlowRemoval:
    """How long the merging of a VM's disks takes."""

    seconds: float
    """By the simulator's clock."""
    pace: RemovalPace
