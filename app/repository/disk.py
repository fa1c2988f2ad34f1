"""A disk of a restore point, read at random."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

from app.core.disks import ReadRequest
from app.domain.errors import OperationalError
from app.domain.extents import Extent, clip
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TransportMode
from app.repository.disktables import ZEROS, DiskTables, Zeros
from app.repository.errors import DataDamaged
from app.repository.pages import ZERO_DIGEST, PageDamaged
from app.repository.parts import RepositoryParts
from app.repository.reasons import INDEX, PLACE_IN_DISK
from app.repository.records import Buffer, RecordDecoder
from app.repository.sequential import SequentialAhead
from app.repository.sidebyside import WINDOW, Fill, SideBySide
from app.repository.store import FrameReader, RecordLost


def damaged_chunk(
    point: RestorePoint, disk: PointDisk, error: RecordLost | PageDamaged, start: int
) -> DataDamaged:
    """Name what a lost record means for a disk."""
    where = error.where if isinstance(error, RecordLost) else INDEX
    what = PLACE_IN_DISK.fill(where=where, point=point.id, disk=disk.label, offset=start)
    return DataDamaged(what=what, detail=error)


class RepositoryDisk:
    """A disk of a restore point as a reader: :class:`app.core.disks.DiskReader`.

    Thread: one at a time. Requests that fit into the window are filled by the caller's thread, more also by
    threads of the reader's own, which share its caches and end with :meth:`close`.
    """

    def __init__(self, parts: RepositoryParts, point: RestorePoint, disk: PointDisk, tables: DiskTables) -> None:
        """Open nothing yet; ``tables`` are shared by all readers of the disk."""
        self._parts = parts
        self._point = point
        self._disk = disk
        self._tree = tables.tree
        self._frames = tables.frames
        self._tables = tables
        self._fill = self._make_fill()
        self._beside = SideBySide(self._make_fill)
        self._ahead = SequentialAhead(self._beside, disk.capacity_bytes)

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
        return WINDOW

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several together, and yield each, in order, when it is filled.

        Raises:
            DataDamaged: stored bytes are not what they were.
            StandbyUnavailable: the standby is gone.
            ValueError: a request reaches beyond the capacity.
        """
        waiting = iter(requests)
        few = list(islice(waiting, WINDOW + 1))
        if len(few) == 1 and self._ahead.fill(few[0]):
            yield few[0]
            return
        if len(few) > 1:
            self._ahead.stop()
        if len(few) <= WINDOW:
            yield from self._beside.alone(few)
        else:
            yield from self._beside.in_order(chain(few, waiting))

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a buffer where all of it is in memory; return whether it was filled. Thread: any."""
        size, done = self._parts.chunk_bytes, 0
        while done < len(view):
            index, inside = divmod(offset + done, size)
            chunk = self._tables.chunk(index)
            if chunk is None:
                return False
            if isinstance(chunk, Zeros):
                length = min(len(view) - done, size - inside)
                view[done : done + length] = bytes(length)
            else:
                number, skip = divmod(inside, chunk.header.frame_bytes)
                frame = self._frames.get((self._disk.key, index, number))
                if frame is None or not len(frame) > skip:
                    return False
                length = min(len(view) - done, len(frame) - skip)
                view[done : done + length] = frame[skip : skip + length]
            done += length
        return True

    def _make_fill(self) -> Fill:
        """Return the function that fills requests on one thread, several together."""
        fill_one, decoder = self._make_fill_one(), self._parts.decoder()

        def fill(requests: Sequence[ReadRequest]) -> None:
            if len(requests) > 1:
                self._read_together(requests, decoder)
            for request in requests:
                fill_one(request)

        return fill

    def _read_together(self, requests: Sequence[ReadRequest], decoder: RecordDecoder) -> None:
        """Read and decode the frames that several requests need together, and keep them.

        So threads hand over to each other once for all of them. Only requests for a part of one frame are looked
        at; whatever cannot be had here is left to filling the request, which says why.
        """
        self._open_together(requests, decoder)
        size, key = self._parts.chunk_bytes, self._disk.key
        chunk_of, frame_of = self._tables.chunk, self._frames.get
        wanted: dict[tuple[int, int, int], FrameReader] = {}
        for request in requests:
            index, inside = divmod(request.offset, size)
            chunk = chunk_of(index)
            if isinstance(chunk, FrameReader):
                header = chunk.header
                number, skip = divmod(inside, header.frame_bytes)
                is_in_one = skip + len(request.buffer) <= header.frame_bytes and number < header.frame_count
                if is_in_one and frame_of((key, index, number)) is None:
                    wanted[key, index, number] = chunk
        pieces = [chunk.piece(at[2]) for at, chunk in wanted.items()]
        read = self._parts.store.read_together(pieces)
        asked = [(at, chunk, data) for (at, chunk), data in zip(wanted.items(), read, strict=True) if data]
        decoded = decoder.frames_together([(chunk.header, chunk.table, at[2], data) for at, chunk, data in asked])
        self._frames.put_all(
            (at, frame) for (at, _, _), frame in zip(asked, decoded, strict=True) if frame is not None
        )

    def _open_together(self, requests: Sequence[ReadRequest], decoder: RecordDecoder) -> None:
        """Find out where the chunks of requests are stored, as far as that can be had."""
        size, chunk_of = self._parts.chunk_bytes, self._tables.chunk
        for request in requests:
            index = request.offset // size
            if chunk_of(index) is None:
                # Whoever fills the request says why it cannot be opened.
                with suppress(RecordLost, PageDamaged, OperationalError, IndexError):
                    self._opened(index, decoder)

    def _make_fill_one(self) -> Callable[[ReadRequest], None]:
        """Return the function that fills one request on one thread.

        It goes straight from the offset to the bytes for what nearly all requests ask for: a part of one frame
        whose chunk is known. What it needs for that lies at hand in it; everything else is slower by far anyway.
        """
        size, capacity, disk_key = self._parts.chunk_bytes, self.capacity_bytes, self._disk.key
        chunk_of, frame_of, decoder = self._tables.chunk, self._frames.get, self._parts.decoder()

        def fill(request: ReadRequest) -> None:
            offset, target = request.offset, request.buffer
            index, inside = divmod(offset, size)
            chunk = chunk_of(index)
            if isinstance(chunk, FrameReader) and offset + len(target) <= capacity:
                number, skip = divmod(inside, chunk.header.frame_bytes)
                frame = frame_of((disk_key, index, number))
                if frame is not None and skip + len(target) <= len(frame):
                    target[:] = frame[skip : skip + len(target)]
                    return
            self._fill_any(request, decoder)

        return fill

    def _fill_any(self, request: ReadRequest, decoder: RecordDecoder) -> None:
        """Fill a request, however much of whatever it asks for.

        Raises:
            ValueError: it reaches beyond the disk.
            DataDamaged: stored bytes are not what they were.
            StandbyUnavailable: the standby is gone.
        """
        offset, end = request.offset, request.offset + len(request.buffer)
        if offset < 0 or end > self.capacity_bytes:
            raise ValueError(f"read beyond the disk: {offset}+{len(request.buffer)}")
        size = self._parts.chunk_bytes
        position = offset
        while position < end:
            index, inside = divmod(position, size)
            stop = min(end, (index + 1) * size)
            target = request.buffer[position - offset : stop - offset]
            try:
                try:
                    self._fill_from_chunk(index, inside, target, decoder)
                except RecordLost:  # garbage collection may have moved the record since it was opened
                    moved = self._tables.forget(index)
                    if moved is None:
                        raise
                    if isinstance(moved, FrameReader):
                        self._parts.store.forget(moved)
                    self._fill_from_chunk(index, inside, target, decoder)
            except (RecordLost, PageDamaged) as error:
                raise damaged_chunk(self._point, self._disk, error, index * size) from error
            position = stop

    def _fill_from_chunk(self, index: int, inside: int, target: memoryview, decoder: RecordDecoder) -> None:
        """Fill ``target`` with a chunk's bytes from ``inside`` on."""
        chunk = self._tables.chunk(index) or self._opened(index, decoder)
        if isinstance(chunk, Zeros):
            target[:] = bytes(len(target))
            return
        frame_bytes = chunk.header.frame_bytes
        first, last = inside // frame_bytes, (inside + len(target) - 1) // frame_bytes
        if first == last:
            frames: Iterable[Buffer] = [self._frame(index, first, chunk, decoder)]
        else:  # those that lie behind each other come with one read
            frames = chunk.frames(first, last, decoder)
        done, skip = 0, inside - first * frame_bytes
        for frame in frames:
            piece = memoryview(frame)[skip : skip + len(target) - done]
            target[done : done + len(piece)] = piece
            done, skip = done + len(piece), 0
        if done != len(target):
            raise RecordLost(chunk.header.digest, chunk.place.pack_id, "a chunk is shorter than it must be")

    def _opened(self, index: int, decoder: RecordDecoder) -> FrameReader | Zeros:
        """Find out where a chunk is stored, and keep that."""
        digest = self._tree.digest(index)
        chunk = ZEROS if digest == ZERO_DIGEST else self._parts.store.frames(digest, decoder)
        self._tables.keep(index, chunk)
        return chunk

    def _frame(self, index: int, number: int, chunk: FrameReader, decoder: RecordDecoder) -> Buffer:
        key = (self._disk.key, index, number)
        frame = self._frames.get(key)
        if frame is None:
            frame = chunk.frame(number, decoder)
            self._frames.put(key, frame)
        return frame

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
        """End the threads; never raises."""
        self._ahead.stop()
        self._beside.close()
