"""Small file systems in memory, mounted for one test."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mounted(directory: Path, size: str = "24m") -> Iterator[Path]:
    """Mount a tmpfs of a size at a new directory, and take it away afterwards; skip where that is not allowed."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    directory.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Make a mounted file system read-only for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Fill a file system to its last byte with a file of somebody else, and return that file."""
    path = directory / "of-somebody-else.bin"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(directory).f_bavail == 0
    return path
