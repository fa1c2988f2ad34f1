"""Proving a restored disk: it is read back and compared with the restore point, byte by byte."""

from collections.abc import Iterator, Sequence

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, ReadRequest
from app.core.progress import Progress
from app.domain.extents import Extent, split

BLOCK_BYTES = 1024 * 1024


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
    ours = restored.read_many(_requests(extents))
    theirs = expected.read_many(_requests(extents))
    for actual, wanted in zip(ours, theirs, strict=True):
        cancel.check()
        # The tags are the bytearrays behind the buffers: they compare in one memcmp, memoryviews byte by byte.
        if actual.tag != wanted.tag:
            return actual.offset + _mismatch(bytes(actual.buffer), bytes(wanted.buffer))
        progress.advance(done_bytes=len(actual.buffer), read_bytes=len(actual.buffer))
    return None


def _requests(extents: Sequence[Extent]) -> Iterator[ReadRequest]:
    for piece in split(extents, BLOCK_BYTES):
        content = bytearray(piece.length_bytes)
        yield ReadRequest(piece.start, memoryview(content), tag=content)


def _mismatch(left: bytes, right: bytes) -> int:
    return next(index for index, (byte, other) in enumerate(zip(left, right, strict=True)) if byte != other)
