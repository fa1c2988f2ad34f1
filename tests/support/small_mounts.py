"""Small file systems in memory, mounted for one test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until


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


@dataclass(frozen=True)
class ExfatMount:
    """An exFAT file system that a program of this machine serves."""

    directory: Path
    server: psutil.Process

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Let every access to it wait for ever, as a share does whose server is gone; access fails afterwards."""
        self.server.suspend()
        try:
            yield
        finally:
            self.server.kill()
            self.server.wait(10)


@contextmanager
def mounted_exfat(directory: Path, size_bytes: int = 64 << 20) -> Iterator[ExfatMount]:
    """Mount an exFAT file system at a new directory through FUSE; skip where that is not possible."""
    tools = [shutil.which(name) for name in ("mkfs.exfat", "mount.exfat-fuse", "losetup")]
    if None in tools or not Path("/dev/fuse").exists() or os.geteuid():
        pytest.skip("needs exfat-fuse, and root")
    image = directory.with_name(f"{directory.name}.image")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    directory.mkdir()
    subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
    made = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip("no loop device")
    loop = made.stdout.strip()
    try:
        mounted_it = subprocess.run(["mount.exfat-fuse", loop, str(directory)], capture_output=True, check=False)
        if mounted_it.returncode:
            pytest.skip("FUSE cannot be used here")
        try:
            yield ExfatMount(directory, _server_of(loop))
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)
    finally:
        # The loop device is free once the server of the file system has ended.
        wait_until(
            lambda: subprocess.run(["losetup", "-d", loop], capture_output=True, check=False).returncode == 0,
            what="the loop device to be free",
        )


def _server_of(loop: str) -> psutil.Process:
    return next(process for process in psutil.process_iter(["cmdline"]) if loop in (process.info["cmdline"] or ()))


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Make a mounted file system read-only for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Fill a file system to its last byte with a file of someone else, and return that file."""
    path = directory / "of-somebody-else.bin"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(directory).f_bavail == 0
    return path
