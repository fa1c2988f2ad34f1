"""A disk of a restore point pumped into a writer, every chunk compared with its digest.

Several threads read and decode batches of chunks straight into aligned buffers; the caller's thread hands them to
the writer in order. A buffer is used again after the writer was flushed, so that a writer may hold on to what it
was given, and one that writes past the page cache needs no copy of it.
"""

import mmap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from app.core.cancel import CancelToken
from app.core.disks import DiskWriter
from app.core.progress import Progress
from app.domain.extents import Extent, clip, normalize
from app.domain.restore_point import PointDisk, RestorePoint
from app.repository.disk import damaged_chunk
from app.repository.pages import ZERO_DIGEST, PageDamaged, PageTree
from app.repository.parts import RepositoryParts
from app.repository.pipeline import plan_chunks, worker_count
from app.repository.reasons import INDEX
from app.repository.records import RecordDecoder
from app.repository.store import RecordLost, record_scratch
from app.repository.values import Damage, DamageKind

_BATCH_BYTES = 2 * 1024 * 1024
_UNFLUSHED_BATCHES = 8
_AHEAD_OF_WORKERS = 2

_Lost = RecordLost | PageDamaged


@dataclass(slots=True)
class _Chunk:
    """One chunk on its way; the loader leaves what it found."""

    index: int
    pieces: Sequence[Extent]
    """What is wanted of the chunk, relative to its start."""
    buffer: memoryview
    is_zeros: bool = False
    lost: _Lost | None = None


@dataclass(frozen=True, slots=True)
class _Tools:
    """What one loading thread uses."""

    decoder: RecordDecoder
    scratch: memoryview


class DiskCopy:
    """Copies one disk of a restore point to a writer. Use once. Thread: one; it has its own workers meanwhile."""

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
        self._workers = worker_count()
        self._batch_chunks = max(1, _BATCH_BYTES // parts.chunk_bytes)
        self._tools = threading.local()
        self._ahead: deque[Future[list[_Chunk]]] = deque()
        self._unflushed: list[memoryview] = []
        batches = self._workers + _AHEAD_OF_WORKERS + _UNFLUSHED_BATCHES + 1
        self._free = aligned_buffers(parts.chunk_bytes, batches * self._batch_chunks + 1)
        self._zeros = self._free.pop()

    def run(self, extents: Sequence[Extent] | None, *, write_zeros: bool) -> None:
        """Copy the extents.

        Raises:
            DataDamaged: a chunk cannot be read; everything before it was written.
            StandbyUnavailable: the standby is gone.
            OperationalError: the writer failed.
            TaskCancelled: cancelled.
        """
        capacity = self._disk.capacity_bytes
        wanted = clip(normalize([Extent(0, capacity)] if extents is None else extents), capacity)
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="chunk-reader")
        try:
            for batch in self._batches(plan_chunks(wanted, self._parts.chunk_bytes)):
                self._ahead.append(pool.submit(self._load, batch))
                if len(self._ahead) > self._workers + _AHEAD_OF_WORKERS:
                    self._write_next(write_zeros=write_zeros)
            while self._ahead:
                self._write_next(write_zeros=write_zeros)
            self._flush()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batches(self, plan: Iterable[tuple[int, list[Extent]]]) -> Iterator[list[_Chunk]]:
        chunks = iter(plan)
        while batch := [_Chunk(*chunk, self._free.pop()) for chunk in islice(chunks, self._batch_chunks)]:
            self._cancel.check()
            yield batch

    def _load(self, batch: list[_Chunk]) -> list[_Chunk]:
        started = time.perf_counter()
        tools = getattr(self._tools, "own", None)
        if tools is None:
            tools = self._tools.own = _Tools(self._parts.decoder(), record_scratch(self._parts.chunk_bytes))
        for chunk in batch:
            self._cancel.check()
            try:
                digest = self._tree.digest(chunk.index)
                chunk.is_zeros = digest == ZERO_DIGEST
                if not chunk.is_zeros:
                    self._parts.store.chunk_into(digest, tools.decoder, tools.scratch, chunk.buffer)
            except (RecordLost, PageDamaged) as error:
                chunk.lost = error
        self._progress.busy(source_s=time.perf_counter() - started)
        return batch

    def _write_next(self, *, write_zeros: bool) -> None:
        self._cancel.check()
        batch = self._ahead.popleft().result()
        started = time.perf_counter()
        for chunk in batch:
            moved = sum(piece.length_bytes for piece in chunk.pieces)
            if chunk.lost is not None:
                self._refuse(chunk, chunk.lost)
                self._progress.advance(done_bytes=moved)
            elif chunk.is_zeros and not write_zeros:
                self._progress.advance(done_bytes=moved)
            else:
                self._write(chunk)
                read = 0 if chunk.is_zeros else moved
                self._progress.advance(done_bytes=moved, written_bytes=moved, read_bytes=read)
        self._unflushed += [chunk.buffer for chunk in batch]
        if len(self._unflushed) >= _UNFLUSHED_BATCHES * self._batch_chunks:
            self._flush()
        self._progress.busy(target_s=time.perf_counter() - started)

    def _write(self, chunk: _Chunk) -> None:
        base = chunk.index * self._parts.chunk_bytes
        data = self._zeros if chunk.is_zeros else chunk.buffer
        for piece in chunk.pieces:
            self._writer.write(base + piece.start, data[piece.start : piece.end])

    def _refuse(self, chunk: _Chunk, error: _Lost) -> None:
        """Stop at a chunk that is lost, or report what of the disk is lost with it and go on."""
        base = chunk.index * self._parts.chunk_bytes
        if self._on_damage is None:
            self._flush()
            raise damaged_chunk(self._point, self._disk, error, base) from error
        for piece in chunk.pieces:
            self._on_damage(
                Damage(
                    kind=DamageKind.CHUNK,
                    what=error.where if isinstance(error, RecordLost) else INDEX.fill(),
                    detail=error.said(),
                    disk_key=self._disk.key,
                    start=base + piece.start,
                    length_bytes=piece.length_bytes,
                )
            )

    def _flush(self) -> None:
        self._writer.flush()
        self._free += self._unflushed
        self._unflushed = []


def aligned_buffers(size_bytes: int, count: int) -> list[memoryview]:
    """Return buffers of zeros that begin at page boundaries; their memory is used when they are first filled."""
    memory = memoryview(mmap.mmap(-1, size_bytes * count))
    return [memory[at : at + size_bytes] for at in range(0, size_bytes * count, size_bytes)]
