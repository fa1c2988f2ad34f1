"""A restore point open for reading: random access, restore, verification."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, DiskWriter, ReadRequest
from app.core.progress import Progress
from app.domain.extents import Extent, clip, normalize
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TransportMode
from app.repository.errors import DataDamaged, PointDamaged
from app.repository.pages import ZERO_DIGEST, PageDamaged, PageTree
from app.repository.parts import RepositoryParts
from app.repository.pipeline import plan_chunks, worker_count
from app.repository.records import RecordDecoder
from app.repository.store import FrameReader, RecordLost
from app.repository.values import Damage, DamageKind, VerifyReport
from app.repository.verify import PointVerifier

_CACHED_TABLES = 4096
_CACHED_FRAMES = 64
_UNFLUSHED_CHUNKS = 32


class PointReader:
    """Reads one restore point. Use as a context manager. Thread: one at a time; its disks each likewise."""

    def __init__(self, parts: RepositoryParts, point: RestorePoint, on_close: Callable[[], None]) -> None:
        self._parts = parts
        self._on_close = on_close
        self._closed = False
        self.point = point

    def file(self, name: str) -> bytes:
        """Return a configuration file.

        Raises:
            KeyError: the point has no such file.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.shelf.file_content(self.point.id, name)

    def changed_extents(self, disk_key: int) -> tuple[list[Extent], str | None]:
        """Return what the backup was told had changed on a disk, and since which change id.

        Raises:
            KeyError: that was not kept.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.shelf.changes(self.point.id, disk_key)

    def open_disk(self, key: int) -> DiskReader:
        """Open a disk for reading at random; every frame read is compared with its digest.

        Raises:
            PointDamaged: the point has no such disk.
        """
        return RepositoryDisk(self._parts, self.point, self._disk(key))

    def _disk(self, key: int) -> PointDisk:
        disk = self.point.disk(key)
        if disk is None:
            raise PointDamaged(point=self.point.id, detail=f"it has no disk {key}")
        return disk

    def copy_disk(
        self,
        key: int,
        writer: DiskWriter,
        *,
        extents: Sequence[Extent] | None = None,
        write_zeros: bool,
        progress: Progress,
        cancel: CancelToken,
        on_damage: Callable[[Damage], None] | None = None,
    ) -> None:
        """Copy a disk, or only some extents of it, to a writer; every chunk is compared with its digest.

        With ``on_damage`` the copy goes on past chunks that are lost: it tells each, and leaves its bytes out.

        ``write_zeros`` also writes what is zero, for a target that is not blank. The progress is advanced by the
        bytes of the extents, zeros too; whoever calls has told it what to expect.

        Raises:
            DataDamaged: a chunk cannot be read; everything before it was written.
            PointDamaged: the point has no such disk.
            StandbyUnavailable: the standby is gone.
            OperationalError: the writer failed.
            TaskCancelled: cancelled.
        """
        DiskCopy(self._parts, self.point, self._disk(key), writer, progress, cancel, on_damage).run(
            extents, write_zeros=write_zeros
        )

    def verify(self, *, progress: Progress, cancel: CancelToken) -> VerifyReport:
        """Read everything the point consists of and compare it with its digests.

        The progress is advanced by the capacity of the disks; whoever calls has told it what to expect.

        Raises:
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        return PointVerifier(self._parts, self.point, progress, cancel).run()

    def close(self) -> None:
        """Let go of the repository; never raises."""
        if not self._closed:
            self._closed = True
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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


class DiskCopy:
    """Pumps a disk of a point into a writer: several threads decode, the caller's thread writes in order."""

    def __init__(
        self,
        parts: RepositoryParts,
        point: RestorePoint,
        disk: PointDisk,
        writer: DiskWriter,
        progress: Progress,
        cancel: CancelToken,
        on_damage: Callable[[Damage], None] | None,
    ) -> None:
        self._parts = parts
        self._point = point
        self._disk = disk
        self._writer = writer
        self._on_damage = on_damage
        self._progress = progress
        self._cancel = cancel
        self._tree: PageTree = parts.tree(disk)
        self._zeros = bytes(parts.chunk_bytes)
        self._decoders: list[RecordDecoder] = []
        self._unflushed = 0

    def run(self, extents: Sequence[Extent] | None, *, write_zeros: bool) -> None:
        """Copy.

        Raises:
            DataDamaged: a chunk cannot be read; everything before it was written.
            StandbyUnavailable: the standby is gone.
            OperationalError: the writer failed.
            TaskCancelled: cancelled.
        """
        capacity = self._disk.capacity_bytes
        wanted = clip(normalize([Extent(0, capacity)] if extents is None else extents), capacity)
        workers = worker_count()
        self._decoders = [self._parts.decoder() for _ in range(workers)]
        ahead: deque[tuple[int, list[Extent], Future[bytes | None]]] = deque()
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="chunk-reader")
        try:
            for index, pieces in plan_chunks(wanted, self._parts.chunk_bytes):
                self._cancel.check()
                ahead.append((index, pieces, pool.submit(self._load, index)))
                if len(ahead) > 2 * workers:
                    self._write(*ahead.popleft(), write_zeros=write_zeros)
            while ahead:
                self._cancel.check()
                self._write(*ahead.popleft(), write_zeros=write_zeros)
            self._flush()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _load(self, index: int) -> bytes | None:
        started = time.perf_counter()
        decoder = self._decoders.pop()
        try:
            digest = self._tree.digest(index)
            if digest == ZERO_DIGEST:
                return None
            data = self._parts.store.blob(digest, decoder)
            self._progress.busy(source_s=time.perf_counter() - started)
            return data
        finally:
            self._decoders.append(decoder)

    def _write(
        self, index: int, pieces: Sequence[Extent], loading: "Future[bytes | None]", *, write_zeros: bool
    ) -> None:
        base = index * self._parts.chunk_bytes
        try:
            data = loading.result()
        except (RecordLost, PageDamaged) as error:
            if self._on_damage is None:
                self._writer.flush()
                raise damaged_chunk(self._point, self._disk, error, base) from error
            self._tell_lost(base, pieces, error, self._on_damage)
            return
        moved = sum(piece.length_bytes for piece in pieces)
        if data is None and not write_zeros:
            self._progress.advance(done_bytes=moved)
            return
        started = time.perf_counter()
        view = memoryview(self._zeros if data is None else data)
        for piece in pieces:
            self._writer.write(base + piece.start, view[piece.start : piece.end])
        self._unflushed += 1
        if self._unflushed >= _UNFLUSHED_CHUNKS:
            self._flush()
        self._progress.busy(target_s=time.perf_counter() - started)
        self._progress.advance(done_bytes=moved, written_bytes=moved, read_bytes=moved if data is not None else 0)

    def _tell_lost(
        self,
        base: int,
        pieces: Sequence[Extent],
        error: RecordLost | PageDamaged,
        on_damage: Callable[[Damage], None],
    ) -> None:
        for piece in pieces:
            on_damage(
                Damage(
                    kind=DamageKind.CHUNK,
                    what=error.where if isinstance(error, RecordLost) else "index",
                    detail=str(error),
                    disk_key=self._disk.key,
                    start=base + piece.start,
                    length_bytes=piece.length_bytes,
                )
            )
            self._progress.advance(done_bytes=piece.length_bytes)

    def _flush(self) -> None:
        self._writer.flush()
        self._unflushed = 0
