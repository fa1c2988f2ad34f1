"""A range of a disk, read in bounds."""

from typing import Final

from app.core.disks import DiskReader, ReadRequest
from app.guestcheck.words import Part

MOST_BYTES: Final = 64 << 20
"""Read of one disk at most."""
MOST_AT_ONCE: Final = 1 << 20
SECTOR: Final = 512


class Damaged(Exception):
    """A structure is not as it has to be."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.part = part


class DiskBytes:
    """Counts what is read of a disk."""

    def __init__(self, reader: DiskReader) -> None:
        self._reader = reader
        self._left = MOST_BYTES

    @property
    def length(self) -> int:
        """Size of the disk."""
        return self._reader.capacity_bytes

    def read(self, offset: int, length: int, part: Part) -> bytes:
        """Return bytes of the disk.

        Raises:
            Damaged: they are not on the disk, or too many.
        """
        if offset < 0 or not 0 < length <= MOST_AT_ONCE or offset + length > self.length or length > self._left:
            raise Damaged(part)
        self._left -= length
        # Readers may want whole sectors.
        start = offset // SECTOR * SECTOR
        end = min(self.length, -(-(offset + length) // SECTOR) * SECTOR)
        buffer = bytearray(end - start)
        for _ in self._reader.read_many([ReadRequest(start, memoryview(buffer))]):
            pass
        return bytes(buffer[offset - start : offset - start + length])


class Volume:
    """A partition, or a whole disk."""

    def __init__(self, disk: DiskBytes, start: int, length: int) -> None:
        self._disk = disk
        self.start = start
        self.length = length

    def read(self, offset: int, length: int, part: Part) -> bytes:
        """Return bytes, counted from the beginning of the volume.

        Raises:
            Damaged: ``part`` would have to be outside of the volume.
        """
        if offset < 0 or length <= 0 or offset + length > self.length:
            raise Damaged(part)
        return self._disk.read(self.start + offset, length, part)

    def holds(self, length: int) -> bool:
        """Return whether the volume is so large."""
        return length <= self.length


def require(is_right: object, part: Part) -> None:
    """Go on where a structure is right.

    Raises:
        Damaged: it is not.
    """
    if not is_right:
        raise Damaged(part)


def is_power_of_two(number: int) -> bool:
    """Return whether a number is a power of two."""
    return number > 0 and number & (number - 1) == 0
