"""A standby on a file system of its own, which a test takes away, breaks and brings back as systems do.

The file system is ext4 in a file, over a loop device. What happens to it happens in the kernel: it is detached
from its path while it is in use, shut down so that everything answers EIO, aborted so that it is read-only under
open files, or filled to its last byte.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.support.small_mounts import mounted_exfat
from tests.support.waiting import wait_until

_SHUTDOWN: Final = 0x8004587D
"""``EXT4_IOC_SHUTDOWN`` of ``fs/ext4/ext4.h``, ``_IOR('X', 125, __u32)``."""
_WITH_ITS_LOG: Final = 1
"""``EXT4_GOING_FLAGS_LOGFLUSH``: what was synced is there after the next mount."""
_BLOCK_BYTES: Final = 4096
_TOOLS: Final = ("mkfs.ext4", "mount", "umount", "losetup")


@dataclass(frozen=True)
class StandbyMount:
    """An ext4 file system at a directory.

    Attributes:
        directory: where it is mounted.
        image: the file that it is in.
    """

    directory: Path
    image: Path

    @property
    def _device(self) -> int:
        return self.directory.stat().st_dev

    def mount(self) -> None:
        """Mount it."""
        _run("mount", "-o", "loop", str(self.image), str(self.directory))

    def detach(self) -> None:
        """Take it from its path, where an empty directory is then; open files go on in it."""
        _run("umount", "-l", str(self.directory))

    def shut_down(self) -> None:
        """Let everything answer EIO from now on, until it is mounted again."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITH_ITS_LOG))
        finally:
            os.close(descriptor)

    def abort(self) -> None:
        """Make it read-only under files that are open for writing, as ext4 does itself after an error."""
        _run("mount", "-o", "remount,abort", str(self.directory))

    def fill(self) -> Path:
        """Fill it to the last block with a file of somebody else, and return that file."""
        path = self.directory / "of-somebody-else.bin"
        with path.open("ab", buffering=0) as file:
            piece = 1 << 30
            while piece >= _BLOCK_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
                except OSError:
                    piece //= 2
        return path

    def mount_again(self) -> None:
        """Mount it as after a repair: nothing holds it any more, and its journal is replayed."""
        device = self._device
        self.detach()
        try:
            wait_until(lambda: not _loops(self.image), deadline_s=60, what="the end of the mount")
        except AssertionError as error:
            raise AssertionError(f"the standby is still open: {_holders(device)}") from error
        self.mount()


def _holders(device: int) -> list[str]:
    """Return what processes have open on a device, as process and file."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if link.stat().st_dev == device:
                found.append(f"{link.parts[2]} {link.readlink()}")
    return found


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _loops(image: Path) -> str:
    found = subprocess.run(["losetup", "-j", str(image)], capture_output=True, text=True, check=True)
    return found.stdout


@contextmanager
def standby_mount(
    directory: Path, size_bytes: int = 256 << 20, *, image: Path | None = None
) -> Iterator[StandbyMount]:
    """Mount an ext4 file system at a new directory, taken away afterwards; skip where that is not allowed.

    Args:
        directory: where.
        size_bytes: of the file system.
        image: the file that it is in; None: one next to the directory.
    """
    if os.name != "posix" or os.geteuid() or any(shutil.which(tool) is None for tool in _TOOLS):
        pytest.skip("mounting a file of ext4 needs root, and a loop device")
    directory.mkdir(parents=True)
    made = StandbyMount(directory, image or directory.with_name(f"{directory.name}.image"))
    with made.image.open("wb") as file:
        file.truncate(size_bytes)
    _run("mkfs.ext4", "-q", "-m", "0", str(made.image))
    if subprocess.run(["mount", "-o", "loop", str(made.image), str(directory)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        yield made
    finally:
        while os.path.ismount(directory):
            made.detach()


@contextmanager
def hanging_standby_mount(directory: Path) -> Iterator[psutil.Process]:
    """Mount one whose disk is a file that a program serves; while that is suspended, the disk does not answer."""
    with (
        mounted_exfat(directory.with_name("disk"), 320 << 20) as disk,
        standby_mount(directory, 192 << 20, image=disk.directory / "standby.image"),
    ):
        yield disk.server
