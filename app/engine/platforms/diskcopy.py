"""Disks block by block, without a repository in between: copying one from a reader to a writer."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, DiskWriter, ReadRequest
from app.core.progress import Progress
from app.domain.extents import Extent, split

BLOCK_BYTES: Final = 1 << 20


def copy_extents(
    reader: DiskReader,
    writer: DiskWriter,
    extents: Sequence[Extent],
    *,
    write_zeros: bool,
    progress: Progress,
    cancel: CancelToken,
) -> int:
    """Copy parts of a disk, and wait until all is acknowledged; return the bytes that were written.

    The progress is advanced by the bytes of the extents; the caller has said what to expect.

    Args:
        reader: the source.
        writer: the target.
        extents: which parts.
        write_zeros: False leaves blocks of zeros out, for a target that is empty.
        progress: of the task.
        cancel: is checked for each block.

    Raises:
        OperationalError: one of the disks fails.
        TaskCancelled: cancelled meanwhile.
    """
    written_bytes = 0
    for done in reader.read_many(block_requests(extents)):
        cancel.check()
        size = len(done.buffer)
        # The tag is the bytearray behind the buffer: it compares in one memcmp, a memoryview byte by byte.
        if write_zeros or done.tag != bytes(size):
            writer.write(done.offset, done.buffer)
            written_bytes += size
            progress.advance(done_bytes=size, read_bytes=size, written_bytes=size)
        else:
            progress.advance(done_bytes=size, read_bytes=size)
    writer.flush()
    return written_bytes


def block_requests(extents: Sequence[Extent]) -> Iterator[ReadRequest]:
    """Yield a request for each block of some extents; the tag is the bytearray behind the buffer."""
    for piece in split(extents, BLOCK_BYTES):
        content = bytearray(piece.length_bytes)
        yield ReadRequest(piece.start, memoryview(content), tag=content)
