"""Reads a disk, cuts it into chunks and stores those that are new: two or three threads doing all of it.

Each worker takes the next filled chunk from the reader (one lock), tests it for zeros, hashes it, looks it up,
compresses it and appends it. Buffers come from a pool that is larger than all that can be under way, so no
worker ever waits for one.
"""

import functools
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, ReadRequest, page_aligned
from app.core.progress import Progress
from app.domain.extents import Extent, complement, split
from app.repository.appender import PackAppender
from app.repository.crypto import Hasher, SessionCipher
from app.repository.encoding import RecordEncoder
from app.repository.levels import LevelControl
from app.repository.pages import ZERO_DIGEST, PageTree, PageTreeBuilder
from app.repository.records import Buffer, RecordDecoder, RecordKind
from app.repository.store import RecordStore, record_scratch


@dataclass(frozen=True, slots=True)
class StoragePlan:
    """How chunks become records in one repository."""

    chunk_bytes: int
    frame_bytes: int
    level: int
    hasher: Hasher
    session: SessionCipher | None

    def encoder(self, level: int | None = None) -> RecordEncoder:
        """Return an encoder for one thread; None: with the repository's own level."""
        return RecordEncoder(
            frame_bytes=self.frame_bytes, level=self.level if level is None else level, session=self.session
        )


@dataclass(slots=True)
class _Job:
    index: int
    buffer: memoryview
    pieces: Sequence[Extent]
    """What is read of the chunk, relative to its start."""
    is_whole: bool


@dataclass(frozen=True, slots=True)
class ParentDisk:
    """The disk of the parent point, from which unchanged bytes come."""

    tree: PageTree
    capacity_bytes: int
    store: RecordStore


_Frames = Mapping[tuple[int, int], Buffer]
"""Frames as they are stored but not encrypted, by where they begin and end in their chunk."""


def worker_count() -> int:
    """Return how many threads a pipeline uses."""
    return min(3, max(2, os.cpu_count() or 2))


def plan_chunks(extents: Sequence[Extent], chunk_bytes: int) -> Iterator[tuple[int, list[Extent]]]:
    """Group normalized extents by chunk; the pieces are relative to their chunk's start."""
    index, pieces = -1, list[Extent]()
    for piece in split(extents, chunk_bytes):
        number = piece.start // chunk_bytes
        if number != index and pieces:
            yield index, pieces
            pieces = []
        index = number
        pieces.append(Extent(piece.start - number * chunk_bytes, piece.length_bytes))
    if pieces:
        yield index, pieces


class DiskPipeline:
    """Stores one disk in the repository. Use once."""

    def __init__(
        self,
        *,
        plan: StoragePlan,
        appender: PackAppender,
        builder: PageTreeBuilder,
        parent: ParentDisk | None,
        decoders: Iterable[RecordDecoder],
        capacity_bytes: int,
        levels: LevelControl,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self._plan = plan
        self._levels = levels
        self._appender = appender
        self._builder = builder
        self._parent = parent
        self._decoders = list(decoders)
        self._capacity = capacity_bytes
        self._progress = progress
        self._cancel = cancel
        self._zeros = bytes(plan.chunk_bytes)
        self._pool: list[memoryview] = []
        self._source_lock = threading.Lock()
        self._stop = threading.Event()
        self.read_bytes = 0
        """Bytes read from the reader so far."""

    def run(self, reader: DiskReader, extents: Sequence[Extent]) -> None:
        """Store what the extents cover.

        Raises:
            OperationalError: reading or storing failed; all threads have ended.
            TaskCancelled: cancelled; all threads have ended.
        """
        workers = len(self._decoders)
        self._pool = [page_aligned(self._plan.chunk_bytes) for _ in range(reader.window + workers + 2)]
        source = iter(reader.read_many(self._requests(extents)))
        try:
            with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="chunk-worker") as pool:
                running = [pool.submit(self._work, source, decoder) for decoder in self._decoders]
                try:
                    wait(running)
                except BaseException:
                    self._stop.set()
                    raise
            for future in running:
                future.result()
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
            self._pool = []

    def _requests(self, extents: Sequence[Extent]) -> Iterator[ReadRequest]:
        size = self._plan.chunk_bytes
        for index, pieces in plan_chunks(extents, size):
            self._cancel.check()
            if self._stop.is_set():
                return
            buffer = self._pool.pop()
            job = _Job(index, buffer, pieces, len(pieces) == 1 and pieces[0].length_bytes == size)
            self._builder.announce(index)
            base, last = index * size, len(pieces) - 1
            if job.is_whole:
                yield ReadRequest(base, buffer, job, is_exchangeable=True)
                continue
            for number, piece in enumerate(pieces):
                tag = job if number == last else None
                yield ReadRequest(base + piece.start, buffer[piece.start : piece.end], tag)

    def _next_job(self, source: Iterator[ReadRequest]) -> _Job | None:
        with self._source_lock:
            if self._stop.is_set():
                return None
            started, read, found = time.perf_counter(), 0, None
            for request in source:
                read += len(request.buffer)
                if isinstance(request.tag, _Job):
                    found = request.tag
                    if found.is_whole:
                        found.buffer = request.buffer
                    break
            self.read_bytes += read
            waited_s = time.perf_counter() - started
            self._levels.waited(waited_s)
            self._progress.busy(source_s=waited_s)
            self._progress.advance(read_bytes=read)
            return found

    def _work(self, source: Iterator[ReadRequest], decoder: RecordDecoder) -> None:
        encoder_of = functools.cache(self._plan.encoder)
        scratch = record_scratch(self._plan.chunk_bytes)
        try:
            while (job := self._next_job(source)) is not None:
                self._cancel.check()
                started = time.perf_counter()
                kept = {} if job.is_whole else self._fill_gaps(job, decoder, scratch)
                digest = self._store(job.buffer, encoder_of(self._levels.level), started, kept)
                self._builder.put(job.index, digest)
                self._pool.append(job.buffer)
                self._progress.advance(done_bytes=sum(piece.length_bytes for piece in job.pieces))
        except BaseException:
            self._stop.set()
            raise

    def _store(self, buffer: memoryview, encoder: RecordEncoder, started: float, kept: _Frames) -> bytes:
        if _is_zero(buffer):
            self._progress.busy(processing_s=time.perf_counter() - started)
            return ZERO_DIGEST
        plan = self._plan
        frames = plan.hasher.frame_digests(buffer, plan.frame_bytes)
        digest = plan.hasher.blob_digest(RecordKind.CHUNK, len(buffer), frames)
        if not self._appender.claim(digest):
            self._progress.busy(processing_s=time.perf_counter() - started)
            return digest
        try:
            record = encoder.encode(RecordKind.CHUNK, buffer, digest, frames, kept)
            encoded = time.perf_counter()
            self._appender.append(RecordKind.CHUNK, digest, len(buffer), record)
        except BaseException:
            self._appender.give_up(digest)
            raise
        self._progress.busy(processing_s=encoded - started, target_s=time.perf_counter() - encoded)
        self._progress.advance(written_bytes=record.length_bytes)
        self._levels.packed(encoder.level, len(buffer))
        return digest

    def _fill_gaps(self, job: _Job, decoder: RecordDecoder, scratch: memoryview) -> _Frames:
        """Put the parent's bytes, or zeros, where nothing was read.

        Returns frames that are the parent's from end to end, as they are stored: checked, but not to be compressed
        once more.
        """
        size, gaps = self._plan.chunk_bytes, complement(job.pieces, self._plan.chunk_bytes)
        digest, valid = self._parent_chunk(job.index)
        view = job.buffer
        kept: _Frames = {}
        if self._parent is not None and digest != ZERO_DIGEST:
            kept = self._parent.store.gaps_into(digest, decoder, scratch, view, gaps)
        for gap in gaps:
            inside = max(gap.start, min(gap.end, valid))
            view[inside : gap.end] = self._zeros[inside : gap.end]
        return kept if valid == size else {}

    def _parent_chunk(self, index: int) -> tuple[bytes, int]:
        """Return the digest of the parent's chunk, and how many of its bytes lie on both disks."""
        parent, size = self._parent, self._plan.chunk_bytes
        if parent is None or index >= parent.tree.count:
            return ZERO_DIGEST, 0
        digest = parent.tree.digest(index)
        valid = min(self._capacity, parent.capacity_bytes) - index * size
        return digest, 0 if digest == ZERO_DIGEST else max(0, min(size, valid))

    def rewrite_tail(self) -> None:
        """Store the last chunk again with zeros behind the disk's end, where the parent's disk was larger."""
        index = self._capacity // self._plan.chunk_bytes
        job = _Job(index, page_aligned(self._plan.chunk_bytes), (), is_whole=False)
        self._builder.announce(index)
        kept = self._fill_gaps(job, self._decoders[0], record_scratch(self._plan.chunk_bytes))
        self._builder.put(index, self._store(job.buffer, self._plan.encoder(), time.perf_counter(), kept))


def _is_zero(chunk: memoryview) -> bool:
    return not chunk[0] and not np.frombuffer(chunk, dtype=np.uint64).max()
