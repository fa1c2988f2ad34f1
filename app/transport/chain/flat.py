"""Layers whose files hold a disk byte by byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.transport.chain.layers import ChainUnreadable, DataFile, Holds, Run
from app.transport.reasons import FILE_TOO_SHORT


@dataclass(frozen=True, slots=True)
class FlatExtent:
    """A part of a disk in a file."""

    file: DataFile
    file_offset: int
    length_bytes: int


class FlatLayer:
    """A disk in one or more plain files, one behind the other; thin ones have holes, which read as zeros."""

    def __init__(self, extents: Sequence[FlatExtent]) -> None:
        """Check that the files are as long as they should be.

        Raises:
            ChainUnreadable: one is not.
        """
        for extent in extents:
            if extent.file_offset + extent.length_bytes > extent.file.size_bytes:
                raise ChainUnreadable(FILE_TOO_SHORT.fill(file=extent.file.name))
        self._extents = tuple(extents)

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return sum(extent.length_bytes for extent in self._extents)

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield where a range lies."""
        position = 0
        for extent in self._extents:
            first, last = max(start, position), min(end, position + extent.length_bytes)
            if first < last:
                yield Run(Holds.DATA, last - first, extent.file, extent.file_offset + first - position)
            position += extent.length_bytes
