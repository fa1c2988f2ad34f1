"""Bringing one disk of a target up to date from the frozen disk of its source."""

from collections.abc import Sequence

from app.core.cancel import CancelToken
from app.core.disks import DiskReader
from app.core.progress import Progress
from app.domain.extents import Extent, complement, normalize, union
from app.engine.platforms.diskcopy import block_requests


def held_by_either(source: Sequence[Extent] | None, target: DiskReader) -> tuple[Extent, ...]:
    """Return where one of two disks may hold data; all of it where a side cannot tell.

    Args:
        source: what the source's disk holds; None: not known.
        target: the target's disk.
    """
    written = target.allocated_extents()
    if source is None or written is None:
        return tuple(complement((), target.capacity_bytes))
    return tuple(union(source, written))


def differences(
    source: DiskReader,
    target: DiskReader,
    extents: Sequence[Extent],
    *,
    progress: Progress,
    cancel: CancelToken,
) -> list[Extent]:
    """Return the blocks in which two disks differ; the progress is advanced by what was compared.

    Raises:
        OperationalError: one of the disks cannot be read.
        TaskCancelled: cancelled meanwhile.
    """
    found: list[Extent] = []
    ours = target.read_many(block_requests(extents))
    theirs = source.read_many(block_requests(extents))
    for actual, wanted in zip(ours, theirs, strict=True):
        cancel.check()
        size = len(actual.buffer)
        # The tags are the bytearrays behind the buffers: they compare in one memcmp, memoryviews byte by byte.
        if actual.tag != wanted.tag:
            found.append(Extent(actual.offset, size))
        progress.advance(done_bytes=size, read_bytes=size)
    return normalize(found)
