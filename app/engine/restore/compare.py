"""Proving a restored disk: it is read back and compared with the restore point, byte by byte."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.cancel import CancelToken
from app.core.disks import DiskReader
from app.core.progress import Progress
from app.domain.extents import Extent, complement, total_bytes, union
from app.engine.platforms.diskcopy import block_requests


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing a disk with what it should hold."""

    compared_bytes: int
    difference: int | None
    """Offset of the first byte that differs."""


def compare_disk(
    written: DiskReader, expected: DiskReader, *, progress: Progress, cancel: CancelToken
) -> Compared:
    """Compare a disk that was written wherever either of two holds data.

    The progress is told to expect what the written disk holds besides; the caller has said what the expected one
    holds.

    Raises:
        OperationalError: one of the disks cannot be read.
        TaskCancelled: cancelled meanwhile.
    """
    held, present = expected.allocated_extents() or [], written.allocated_extents()
    extents = complement((), written.capacity_bytes) if present is None else union(held, present)
    progress.expect(total_bytes(extents) - total_bytes(held))
    difference = first_difference(written, expected, extents, progress=progress, cancel=cancel)
    return Compared(total_bytes(extents), difference)


def first_difference(
    restored: DiskReader,
    expected: DiskReader,
    extents: Sequence[Extent],
    *,
    progress: Progress,
    cancel: CancelToken,
) -> int | None:
    """Return the offset of the first byte that differs inside the extents, or None.

    The progress is advanced by the bytes compared; the caller has said what to expect.

    Raises:
        OperationalError: one of the disks cannot be read.
        TaskCancelled: cancelled meanwhile.
    """
    ours = restored.read_many(block_requests(extents))
    theirs = expected.read_many(block_requests(extents))
    for actual, wanted in zip(ours, theirs, strict=True):
        cancel.check()
        # The tags are the bytearrays behind the buffers: they compare in one memcmp, memoryviews byte by byte.
        if actual.tag != wanted.tag:
            return actual.offset + _mismatch(bytes(actual.buffer), bytes(wanted.buffer))
        progress.advance(done_bytes=len(actual.buffer), read_bytes=len(actual.buffer))
    return None


def _mismatch(left: bytes, right: bytes) -> int:
    return next(index for index, (byte, other) in enumerate(zip(left, right, strict=True)) if byte != other)
