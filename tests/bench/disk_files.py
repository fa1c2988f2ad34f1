"""Raw disk images as the repository's source in benchmarks."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.domain.states import TransportMode


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
