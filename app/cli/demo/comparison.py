"""Compares disks byte by byte, and reports where they first differ."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.core.childprocess import child_flags
from app.core.disks import DiskReader, ReadRequest

_STEP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the comparison of one disk found."""

    vm_name: str
    what: str
    """``point`` or ``restored``, with what identifies it."""
    disk: str
    capacity_bytes: int
    first_difference: int | None
    """Offset of the first byte that differs; None when all are equal."""
    compared_by: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """Return whether every byte is equal."""
        return self.first_difference is None


def compare_with_file(reader: DiskReader, expected: Path) -> int | None:
    """Return the offset of the first byte in which a disk differs from a raw file, or None.

    Raises:
        OperationalError: the disk cannot be read.
        OSError: the file cannot be read.
    """
    capacity = reader.capacity_bytes
    if expected.stat().st_size != capacity:
        return min(expected.stat().st_size, capacity)
    requests = (
        ReadRequest(start, memoryview(bytearray(min(_STEP_BYTES, capacity - start))))
        for start in range(0, capacity, _STEP_BYTES)
    )
    with expected.open("rb") as file:
        for request in reader.read_many(requests):
            found = _first_difference(bytes(request.buffer), file.read(len(request.buffer)))
            if found is not None:
                return request.offset + found
    return None


def compare_files(left: Path, right: Path) -> int | None:
    """Return the offset of the first byte in which two raw files differ, or None.

    Raises:
        OSError: a file cannot be read.
    """
    position = 0
    with left.open("rb") as first, right.open("rb") as second:
        while True:
            here, there = first.read(_STEP_BYTES), second.read(_STEP_BYTES)
            found = _first_difference(here, there)
            if found is not None:
                return position + found
            if not here:
                return None
            position += len(here)


def _first_difference(left: bytes, right: bytes) -> int | None:
    if left == right:
        return None
    shorter = min(len(left), len(right))
    return next((place for place in range(shorter) if left[place] != right[place]), shorter)


def comparing_tool() -> str | None:
    """Return the path of ``qemu-img``, or None where it is not installed."""
    return shutil.which("qemu-img")


def qemu_finds_equal(program: str, left: Path, right: Path) -> bool:
    """Ask ``qemu-img compare`` whether two raw files hold the same disk."""
    command = [program, "compare", "-f", "raw", "-F", "raw", str(left), str(right)]
    done = subprocess.run(  # noqa: S603 - our arguments
        command, capture_output=True, check=False, creationflags=child_flags()
    )
    return done.returncode == 0
