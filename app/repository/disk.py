"""A disk of a restore point, read at random."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from app.core.disks import ReadRequest
from app.domain.extents import Extent, clip
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TransportMode
from app.repository.errors import DataDamaged
from app.repository.pages import ZERO_DIGEST, PageDamaged
from app.repository.parts import RepositoryParts
from app.repository.store import FrameReader, RecordLost

_CACHED_TABLES = 4096
_CACHED_FRAMES = 64


def damaged_chunk(
    point: RestorePoint, disk: PointDisk, error: RecordLost | PageDamaged, start: int
) -> DataDamaged:
    """Name what a lost record means for a disk."""
    where = error.where if isinstance(error, RecordLost) else "index"
    return DataDamaged(what=f"{where}, {point.id} {disk.label} at byte {start}", detail=error)


class RepositoryDisk:
    """A disk of a restore point as a reader: :class:`app.core.disks.DiskReader`. Thread: one at a time."""

    def __init__(self, parts: RepositoryParts, point: RestorePoint, disk: PointDisk) -> None:
        self._parts = parts
        self._point = point
        self._disk = disk
        self._tree = parts.tree(disk)
        self._decoder = parts.decoder()
        self._tables: OrderedDict[int, FrameReader | None] = OrderedDict()
        self._frames: OrderedDict[tuple[int, int], bytes | bytearray | memoryview] = OrderedDict()

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel."""
        return TransportMode.LOCAL

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return 1

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers and yield each when it is filled.

        Raises:
            DataDamaged: stored bytes are not what they were.
            StandbyUnavailable: the standby is gone.
            ValueError: a request reaches beyond the capacity.
        """
        for request in requests:
            self._fill(request.offset, request.buffer)
            yield request

    def _fill(self, offset: int, buffer: memoryview) -> None:
        end = offset + len(buffer)
        if offset < 0 or end > self.capacity_bytes:
            raise ValueError(f"read beyond the disk: {offset}+{len(buffer)}")
        chunk_bytes, frame_bytes = self._parts.chunk_bytes, self._parts.frame_bytes
        position = offset
        while position < end:
            index, inside = divmod(position, chunk_bytes)
            try:
                frames = self._chunk(index)
                stop = min(end, (index + 1) * chunk_bytes)
                if frames is None:
                    buffer[position - offset : stop - offset] = bytes(stop - position)
                else:
                    number, skip = divmod(inside, frame_bytes)
                    stop = min(stop, position - skip + frame_bytes)
                    frame = memoryview(self._frame(index, number, frames))
                    buffer[position - offset : stop - offset] = frame[skip : skip + stop - position]
            except (RecordLost, PageDamaged) as error:
                raise damaged_chunk(self._point, self._disk, error, index * chunk_bytes) from error
            position = stop

    def _chunk(self, index: int) -> FrameReader | None:
        """Return a chunk's frames, None for a chunk of zeros."""
        if index in self._tables:
            self._tables.move_to_end(index)
            return self._tables[index]
        digest = self._tree.digest(index)
        frames = None if digest == ZERO_DIGEST else self._parts.store.frames(digest, self._decoder)
        self._tables[index] = frames
        if len(self._tables) > _CACHED_TABLES:
            self._tables.popitem(last=False)
        return frames

    def _frame(self, index: int, number: int, frames: FrameReader) -> bytes | bytearray | memoryview:
        key = (index, number)
        found = self._frames.get(key)
        if found is not None:
            self._frames.move_to_end(key)
            return found
        data = frames.frame(number, self._decoder)
        self._frames[key] = data
        if len(self._frames) > _CACHED_FRAMES:
            self._frames.popitem(last=False)
        return data

    def allocated_extents(self) -> list[Extent]:
        """Return the ranges of chunks that hold anything but zeros.

        Raises:
            DataDamaged: the disk's index cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        size = self._parts.chunk_bytes
        try:
            chunks = [Extent(index * size, size) for index, _ in self._tree.stored()]
        except (RecordLost, PageDamaged) as error:
            raise damaged_chunk(self._point, self._disk, error, 0) from error
        return clip(chunks, self.capacity_bytes)

    def close(self) -> None:
        """Forget what was cached."""
        self._tables.clear()
        self._frames.clear()
