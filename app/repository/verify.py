"""Reads back what a point consists of and names what is damaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.restore_point import PointDisk, RestorePoint
from app.repository.ahead import decode_ahead
from app.repository.errors import PointDamaged, PointMissing
from app.repository.healing import forget_lost
from app.repository.pages import PAGE_ENTRIES, ZERO_DIGEST, PageDamaged, PageTree
from app.repository.parts import RepositoryParts
from app.repository.reasons import INDEX
from app.repository.records import RecordDecoder
from app.repository.store import RecordLost, record_scratch
from app.repository.values import Damage, DamageKind, VerifyReport

_BATCH_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class _Checked:
    """What came of some chunks of a disk."""

    chunks: int
    last: int
    """The number of the last of them."""
    read_bytes: int
    lost: list[tuple[int, RecordLost]]


def _batches(chunks: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(chunks, _BATCH_CHUNKS)):
        yield batch


class PointVerifier:
    """Verifies one restore point. Use once."""

    def __init__(
        self,
        parts: RepositoryParts,
        point: RestorePoint,
        progress: Progress,
        cancel: CancelToken,
        checked: set[bytes] | None = None,
    ) -> None:
        """``checked`` holds digests that need not be read again; those found whole are added to it."""
        self._checked = checked
        self._parts = parts
        self._point = point
        self._progress = progress
        self._cancel = cancel
        self._damage: list[Damage] = []
        self._lost: list[RecordLost] = []
        self._chunks = 0
        self._bytes = 0

    def run(self) -> VerifyReport:
        """Verify the point.

        Raises:
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        self._check_files()
        for disk in self._point.disks:
            self._check_disk(disk)
        forget_lost(self._parts, {error.digest for error in self._lost})
        return VerifyReport(
            checked_chunks=self._chunks,
            checked_bytes=self._bytes,
            damage=tuple(self._damage),
            damaged_packs=tuple(sorted({error.pack_id for error in self._lost if error.pack_id is not None})),
        )

    def run_without_chunks(self) -> VerifyReport:
        """Verify the files and the index, and of the chunks only that a pack holds them.

        Raises:
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        self._check_files()
        for disk in self._point.disks:
            chunks = self._readable_chunks(disk, self._parts.tree(disk))
            while batch := list(islice(chunks, 4096)):
                self._cancel.check()
                known = self._parts.locator.find_many(digest for _, digest in batch)
                if any(digest not in known for _, digest in batch):
                    self._parts.packs.refuse_newer()
                self._damage += [
                    self._chunk_damage(disk, index, RecordLost(digest, None, "no pack holds it whole"))
                    for index, digest in batch
                    if digest not in known
                ]
        return VerifyReport(checked_chunks=0, checked_bytes=0, damage=tuple(self._damage))

    def _check_files(self) -> None:
        stored_points = self._parts.stored_points
        try:
            file = stored_points.load_file(self._point.id)
        except (PointDamaged, PointMissing) as error:
            self._damage.append(Damage(kind=DamageKind.FILE, what="point.json", detail=error.said()))
            return
        for name, detail in stored_points.check_files(self._point.id, file):
            self._damage.append(Damage(kind=DamageKind.FILE, what=name, detail=detail))

    def _check_disk(self, disk: PointDisk) -> None:
        batches, done = _batches(self._readable_chunks(disk, self._parts.tree(disk))), 0
        for checked in decode_ahead(self._parts.decoder, self._check_chunks, batches, "verifier"):
            self._cancel.check()
            self._bytes += checked.read_bytes
            self._lost += [error for _, error in checked.lost]
            self._damage += [self._chunk_damage(disk, index, error) for index, error in checked.lost]
            self._chunks += checked.chunks
            passed = min((checked.last + 1) * self._parts.chunk_bytes, disk.capacity_bytes)
            self._progress.advance(done_bytes=passed - done)
            done = passed
        self._progress.advance(done_bytes=disk.capacity_bytes - done)

    def _check_chunks(self, chunks: list[tuple[int, bytes]], decoder: RecordDecoder) -> _Checked:
        lost: list[tuple[int, RecordLost]] = []
        read = 0
        scratch = record_scratch(self._parts.chunk_bytes)
        for index, digest in chunks:
            self._cancel.check()
            if self._checked is not None and digest in self._checked:
                continue
            try:
                read += self._parts.store.check(digest, decoder, scratch)
            except RecordLost as error:
                lost.append((index, error))
            else:
                if self._checked is not None:
                    self._checked.add(digest)
        self._progress.advance(read_bytes=read)
        return _Checked(len(chunks), chunks[-1][0], read, lost)

    def _readable_chunks(self, disk: PointDisk, tree: PageTree) -> Iterator[tuple[int, bytes]]:
        """Yield all chunks; a page that cannot be read is noted with all the bytes below it."""
        yield from self._chunks_below(disk, tree, tree.depth - 1, 0)

    def _chunks_below(
        self, disk: PointDisk, tree: PageTree, level: int, number: int
    ) -> Iterator[tuple[int, bytes]]:
        try:
            page = tree.page(level, number)
        except (RecordLost, PageDamaged) as error:
            self._damage.append(self._page_damage(disk, level, number, error))
            if isinstance(error, RecordLost):
                self._lost.append(error)
            return
        first = number * PAGE_ENTRIES
        for slot in range(len(page) // len(ZERO_DIGEST)):
            digest = page[slot * len(ZERO_DIGEST) : (slot + 1) * len(ZERO_DIGEST)]
            if digest == ZERO_DIGEST:
                continue
            if (first + slot) * PAGE_ENTRIES**level >= tree.count:
                return
            if level:
                yield from self._chunks_below(disk, tree, level - 1, first + slot)
            else:
                yield first + slot, digest

    def _page_damage(self, disk: PointDisk, level: int, number: int, error: RecordLost | PageDamaged) -> Damage:
        span = self._parts.chunk_bytes * PAGE_ENTRIES ** (level + 1)
        where = error.where if isinstance(error, RecordLost) else INDEX.fill()
        return Damage(
            kind=DamageKind.PAGE,
            what=where,
            detail=error.said(),
            disk_key=disk.key,
            start=number * span,
            length_bytes=max(0, min(span, disk.capacity_bytes - number * span)),
        )

    def _chunk_damage(self, disk: PointDisk, index: int, error: RecordLost) -> Damage:
        start = index * self._parts.chunk_bytes
        return Damage(
            kind=DamageKind.CHUNK,
            what=error.where,
            detail=error.said(),
            disk_key=disk.key,
            start=start,
            length_bytes=max(0, min(self._parts.chunk_bytes, disk.capacity_bytes - start)),
        )
