"""A folder whose file system holds files of any size, for disks above what ext4 can (16 TiB)."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@contextmanager
def roomy_folder() -> Iterator[Path]:
    """Give a folder in memory, where only what is written takes space; it is deleted at the end."""
    if not _MEMORY.is_dir():
        pytest.skip("this system has no folder in memory")
    folder = Path(tempfile.mkdtemp(prefix="standfast-", dir=_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
