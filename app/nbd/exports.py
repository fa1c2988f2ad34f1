"""Disks that are offered: size, holes, and a small pool of readers."""

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from app.core.disks import DiskReader, ReadRequest
from app.domain.extents import Extent, clip, complement, intersect

OpenDisk = Callable[[], DiskReader]

_READERS: Final = 4


def _ignore() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a disk that is either all data or all hole."""

    extent: Extent
    is_hole: bool


class Export:
    """One disk on offer. Thread: any; each reader is used by one thread at a time.

    Attributes:
        name: What a client asks for.
        description: A line for people.
        capacity_bytes: Size of the disk.
        connections: How many clients read it right now; the event loop's thread counts them.
    """

    def __init__(
        self,
        name: str,
        description: str,
        open_disk: OpenDisk,
        *,
        readers: int = _READERS,
        on_connections: Callable[[], None] = _ignore,
    ) -> None:
        """Open the disk; ``on_connections`` is called when clients came or went, on the event loop's thread.

        Raises:
            OperationalError: it cannot be opened.
        """
        self.name = name
        self.description = description
        self.connections = 0
        self._on_connections = on_connections
        self._open_disk = open_disk
        self._idle: queue.LifoQueue[DiskReader | None] = queue.LifoQueue()
        first = open_disk()
        self.capacity_bytes = first.capacity_bytes
        allocated = first.allocated_extents()
        whole = [Extent(0, self.capacity_bytes)]
        self._data = whole if allocated is None else clip(allocated, self.capacity_bytes)
        self._opened = [first]
        for _ in range(readers - 1):
            self._idle.put(None)
        self._idle.put(first)

    def read(self, offset: int, length_bytes: int) -> bytearray:
        """Return bytes of the disk, waiting for a free reader.

        Raises:
            OperationalError: the disk cannot be read.
        """
        buffer = bytearray(length_bytes)
        with self._reader() as reader:
            for _ in reader.read_many([ReadRequest(offset, memoryview(buffer))]):
                pass
        return buffer

    def ranges(self, offset: int, length_bytes: int) -> Sequence[Range]:
        """Return how a part of the disk divides into data and holes, in order and without gaps."""
        part = [Extent(offset, length_bytes)]
        data = [Range(extent, is_hole=False) for extent in intersect(self._data, part)]
        holes = [
            Range(extent, is_hole=True) for extent in intersect(complement(self._data, self.capacity_bytes), part)
        ]
        return sorted([*data, *holes], key=lambda block: block.extent.start)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Count a client while it is served. Thread: the event loop's."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        self.connections += more
        self._on_connections()

    @contextmanager
    def _reader(self) -> Iterator[DiskReader]:
        reader = self._idle.get()
        try:
            if reader is None:
                reader = self._open_disk()
                self._opened.append(reader)
            yield reader
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        """Release the disk. Nothing may be reading any more."""
        for reader in self._opened:
            reader.close()
