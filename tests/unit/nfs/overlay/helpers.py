"""Small overlays over disks in memory, and what must be in them."""

import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.core.disks import DiskReader, ReadRequest
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.nfs.overlay import OverlayDisk, OverlayLimits
from tests.unit.repository.helpers import MemoryDisk, random_bytes

GRAIN = 4096
KIB = 1024
CAPACITY = 40 * GRAIN + 777
BASE = random_bytes(CAPACITY, seed=7)
SMALL = OverlayLimits(
    segment_bytes=64 * KIB,
    record_bytes=16 * KIB,
    pages_in_memory=16,
    open_segments=3,
    spare_segments=2,
    compaction_bytes_per_s=None,
)
"""No thread; the log is compacted when the test says so."""
IN_BACKGROUND = replace(SMALL, compaction_bytes_per_s=1 << 30)


def opener(content: bytes | bytearray = BASE) -> Callable[[], DiskReader]:
    """Return what opens readers of a base."""
    return lambda: MemoryDisk(content)


def open_overlay(folder: Path, limits: OverlayLimits = SMALL, content: bytes | bytearray = BASE) -> OverlayDisk:
    return OverlayDisk(opener(content), len(content), folder, limits)


@contextmanager
def reopened(folder: Path, limits: OverlayLimits = SMALL) -> Iterator[OverlayDisk]:
    with open_overlay(folder, limits) as disk:
        yield disk


def read(disk: OverlayDisk, offset: int = 0, length: int | None = None) -> bytes:
    buffer = bytearray(disk.capacity_bytes - offset if length is None else length)
    disk.read_into(offset, memoryview(buffer))
    return bytes(buffer)


def grain(number: int) -> bytes:
    """Return a grain that only one number has."""
    return random_bytes(GRAIN, seed=1000 + number)


def random_write(dice: random.Random, capacity: int = CAPACITY) -> tuple[int, bytes]:
    """Return a write of any place and size, some of it only zeros."""
    kind = dice.choice(("grain", "grain", "grains", "odd", "odd", "zeros"))
    offset = dice.randrange(capacity)
    length = dice.randrange(1, 3 * GRAIN)
    if kind in ("grain", "grains", "zeros"):
        offset = offset // GRAIN * GRAIN
        length = GRAIN if kind == "grain" else dice.randrange(1, 4) * GRAIN
    length = min(length, capacity - offset)
    return offset, bytes(length) if kind == "zeros" else dice.randbytes(length)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


class EmptyDisk:
    """A disk of zeros, however large."""

    mode = TransportMode.LOCAL
    window = 1

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        for request in requests:
            request.buffer[:] = bytes(len(request.buffer))
            yield request

    def allocated_extents(self) -> list[Extent]:
        return []

    def close(self) -> None:
        """Nothing is open."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def as_killed(folder: Path) -> Path:
    """Return a copy of an open overlay's folder: what a kill would leave now."""
    copy = folder.with_name(f"killed-{len(list(folder.parent.iterdir()))}")
    shutil.copytree(folder, copy)
    return copy
