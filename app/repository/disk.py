"""A disk of a restore point, read at random."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import Generic, TypeVar

from app.core.disks import ReadRequest
from app.domain.extents import Extent, clip
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TransportMode
from app.repository.errors import DataDamaged
from app.repository.pages import ZERO_DIGEST, PageDamaged
from app.repository.parts import RepositoryParts
from app.repository.reasons import INDEX, PLACE_IN_DISK
from app.repository.records import Buffer, RecordDecoder
from app.repository.store import FrameReader, RecordLost

_BATCH = 4
"""Requests that one thread takes at once: handing each over alone costs as much as reading it."""
_BATCHES = 4
_WINDOW = _BATCH * _BATCHES
_CACHED_TABLES = 8192
_CACHED_FRAMES = 64
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def damaged_chunk(
    point: RestorePoint, disk: PointDisk, error: RecordLost | PageDamaged, start: int
) -> DataDamaged:
    """Name what a lost record means for a disk."""
    where = error.where if isinstance(error, RecordLost) else INDEX
    what = PLACE_IN_DISK.fill(where=where, point=point.id, disk=disk.label, offset=start)
    return DataDamaged(what=what, detail=error)


class _Recent(Generic[_Key, _Value]):
    """The values that were used last. Thread: any."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: _Key, value: _Value) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


class RepositoryDisk:
    """A disk of a restore point as a reader: :class:`app.core.disks.DiskReader`.

    Thread: one at a time. A single request is read by the caller's thread, several by threads of the reader's
    own, which share its caches and end with :meth:`close`.
    """

    def __init__(self, parts: RepositoryParts, point: RestorePoint, disk: PointDisk) -> None:
        self._parts = parts
        self._point = point
        self._disk = disk
        self._tree = parts.tree(disk)
        self._decoders = threading.local()
        self._tables: _Recent[int, FrameReader] = _Recent(_CACHED_TABLES)
        self._frames: _Recent[tuple[int, int], Buffer] = _Recent(_CACHED_FRAMES)
        self._pool: ThreadPoolExecutor | None = None

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
        return _WINDOW

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several at the same time, and yield each, in order, when it is filled.

        Raises:
            DataDamaged: stored bytes are not what they were.
            StandbyUnavailable: the standby is gone.
            ValueError: a request reaches beyond the capacity.
        """
        waiting = iter(requests)
        first = next(waiting, None)
        second = next(waiting, None)
        if first is None:
            return
        if second is None:
            self._fill(first)
            yield first
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=_BATCHES, thread_name_prefix="disk-reader")
        running: deque[Future[list[ReadRequest]]] = deque()
        try:
            yield from self._in_order(chain((first, second), waiting), running, self._pool)
        finally:
            for read in running:
                read.cancel()
            wait(running)  # no one may write into the caller's buffers once this is over

    def _in_order(
        self,
        waiting: Iterator[ReadRequest],
        running: deque[Future[list[ReadRequest]]],
        pool: ThreadPoolExecutor,
    ) -> Iterator[ReadRequest]:
        while batch := list(islice(waiting, _BATCH)):
            running.append(pool.submit(self._fill_all, batch))
            if len(running) == _BATCHES:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()

    def _fill_all(self, requests: list[ReadRequest]) -> list[ReadRequest]:
        for request in requests:
            self._fill(request)
        return requests

    def _fill(self, request: ReadRequest) -> ReadRequest:
        offset, end = request.offset, request.offset + len(request.buffer)
        if offset < 0 or end > self.capacity_bytes:
            raise ValueError(f"read beyond the disk: {offset}+{len(request.buffer)}")
        size = self._parts.chunk_bytes
        position = offset
        while position < end:
            index, inside = divmod(position, size)
            stop = min(end, (index + 1) * size)
            try:
                self._fill_from_chunk(index, inside, request.buffer[position - offset : stop - offset])
            except (RecordLost, PageDamaged) as error:
                raise damaged_chunk(self._point, self._disk, error, index * size) from error
            position = stop
        return request

    def _fill_from_chunk(self, index: int, inside: int, target: memoryview) -> None:
        """Fill ``target`` with a chunk's bytes from ``inside`` on."""
        chunk = self._chunk(index)
        if chunk is None:
            target[:] = bytes(len(target))
            return
        frame_bytes = chunk.header.frame_bytes
        first, last = inside // frame_bytes, (inside + len(target) - 1) // frame_bytes
        frames = [self._frame(index, first, chunk)] if first == last else self._run(chunk, first, last)
        done, skip = 0, inside - first * frame_bytes
        for frame in frames:
            piece = memoryview(frame)[skip : skip + len(target) - done]
            target[done : done + len(piece)] = piece
            done, skip = done + len(piece), 0
        if done != len(target):
            raise RecordLost(chunk.header.digest, chunk.place.pack_id, "a chunk is shorter than it must be")

    def _chunk(self, index: int) -> FrameReader | None:
        """Return a chunk's frames, None for a chunk of zeros."""
        chunk = self._tables.get(index)
        if chunk is not None:
            return chunk
        digest = self._tree.digest(index)
        if digest == ZERO_DIGEST:
            return None
        chunk = self._parts.store.frames(digest, self._decoder())
        self._tables.put(index, chunk)
        return chunk

    def _frame(self, index: int, number: int, chunk: FrameReader) -> Buffer:
        key = (index, number)
        frame = self._frames.get(key)
        if frame is None:
            frame = chunk.frame(number, self._decoder())
            self._frames.put(key, frame)
        return frame

    def _run(self, chunk: FrameReader, first: int, last: int) -> Iterator[Buffer]:
        """Yield frames that lie behind each other, with one read for all."""
        return chunk.frames(first, last, self._decoder())

    def _decoder(self) -> RecordDecoder:
        decoder: RecordDecoder | None = getattr(self._decoders, "own", None)
        if decoder is None:
            decoder = self._decoders.own = self._parts.decoder()
        return decoder

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
        """End the threads and forget what was cached; never raises."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._tables.clear()
        self._frames.clear()
