"""The port to a disk that file systems use: bytes that can be read and written at any offset."""

from typing import Protocol

SECTOR_BYTES = 512


class BlockDevice(Protocol):
    """A disk as its guest sees it."""

    @property
    def capacity_bytes(self) -> int:
        """Its size."""
        ...

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes."""
        ...

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write bytes."""
        ...
