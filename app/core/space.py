"""The size of a file system and its free space, where the system knows them."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Size and free space of a file system."""

    total_bytes: int
    free_bytes: int


def space_at(path: Path) -> Space | None:
    """Return the space of the file system at a path, or None when the system does not know it.

    WebDAV, rclone and some FUSE and SMB servers fail here, or report a size of zero or more free than there is.
    """
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None
    if usage.total <= 0 or not 0 <= usage.free <= usage.total:
        return None
    return Space(total_bytes=usage.total, free_bytes=usage.free)
