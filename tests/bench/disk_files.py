"""Raw disk images as the repository's source and target in benchmarks, past the page cache for writes."""

import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.domain.states import TransportMode

_DIRECT = getattr(os, "O_DIRECT", 0)
_ALIGNMENT = 4096


class ImageReader:
    """Fulfils :class:`app.core.disks.DiskReader` over a raw image. Thread: one at a time."""

    window = 1
    mode = TransportMode.LOCAL

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.capacity_bytes = os.fstat(self._descriptor).st_size
        self.read_bytes = 0

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill each request when it is pulled."""
        for request in requests:
            done = os.preadv(self._descriptor, [request.buffer], request.offset)
            if done != len(request.buffer):
                raise ValueError("read beyond the image")
            self.read_bytes += done
            yield request

    def allocated_extents(self) -> list[Extent]:
        """Return what is not a hole."""
        found: list[Extent] = []
        position = 0
        while position < self.capacity_bytes:
            try:
                start = os.lseek(self._descriptor, position, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            position = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            found.append(Extent(start, position - start))
        return found

    def close(self) -> None:
        """Close the image."""
        os.close(self._descriptor)


class ImageWriter:
    """Fulfils :class:`app.core.disks.DiskWriter` over a new raw image. Thread: one at a time."""

    mode = TransportMode.LOCAL

    def __init__(self, path: Path, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._descriptor = os.open(path, flags, 0o644)
        os.ftruncate(self._descriptor, capacity_bytes)
        self._direct = -1
        if _DIRECT:
            try:
                self._direct = os.open(path, os.O_RDWR | _DIRECT)
            except OSError:  # a file system without direct access
                self._direct = -1
        self._aligned = mmap.mmap(-1, 8 * 1024 * 1024)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write at once."""
        size = len(data)
        if self._direct >= 0 and not offset % _ALIGNMENT and not size % _ALIGNMENT and size <= len(self._aligned):
            self._aligned[:size] = bytes(data) if isinstance(data, bytearray) else data
            view = memoryview(self._aligned)[:size]
            try:
                written = os.pwritev(self._direct, [view], offset)
            finally:
                view.release()
        else:
            written = os.pwrite(self._descriptor, data, offset)
        if written != size:
            raise OSError("short write")

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Make the image durable and close it."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        if self._direct >= 0:
            os.close(self._direct)
        self._aligned.close()
