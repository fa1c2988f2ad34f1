"""Disks that are offered: size, holes, and a small pool of readers."""

import queue
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from app.core.disks import DiskReader, ReadRequest
from app.domain.extents import Extent, clip

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
        self._starts = [extent.start for extent in self._data]
        self._opened = [first]
        for _ in range(readers - 1):
            self._idle.put(None)
        self._idle.put(first)

    def read_together(self, parts: Sequence[tuple[int, int]]) -> list[bytearray]:
        """Return several parts of the disk, each with its offset and length, waiting for a free reader.

        Raises:
            OperationalError: one of them cannot be read.
        """
        buffers = [bytearray(length_bytes) for _, length_bytes in parts]
        requests = [
            ReadRequest(offset, memoryview(buffer)) for (offset, _), buffer in zip(parts, buffers, strict=True)
        ]
        with self._reader() as reader:
            for _ in reader.read_many(requests):
                pass
        return buffers

    def is_data(self, offset: int, length_bytes: int) -> bool:
        """Return whether a part of the disk has no holes."""
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and self._data[at].end >= offset + length_bytes

    def ranges(self, offset: int, length_bytes: int) -> Sequence[Range]:
        """Return how a part of the disk divides into data and holes, in order and without gaps."""
        found: list[Range] = []
        position, end = offset, offset + length_bytes
        for at in range(max(0, bisect_right(self._starts, offset) - 1), len(self._data)):
            extent = self._data[at]
            if extent.start >= end:
                break
            start, stop = max(position, extent.start), min(end, extent.end)
            if start < stop:
                if position < start:
                    found.append(Range(Extent(position, start - position), is_hole=True))
                found.append(Range(Extent(start, stop - start), is_hole=False))
                position = stop
        if position < end:
            found.append(Range(Extent(position, end - position), is_hole=True))
        return found

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
