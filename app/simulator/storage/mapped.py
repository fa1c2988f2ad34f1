"""The content of a small file in memory, changed there, and stored at once."""

import mmap
from typing import Protocol

from app.simulator.storage.places import COPY_BYTES, StoredFile
from app.simulator.storage.sparse import SparseFile


class MappedContent(Protocol):
    """The content of a file in memory. Thread: guarded by its owner.

    Attributes:
        content: the bytes; whoever changes them calls :meth:`save`.
        is_shared: True where the file changes with them.
    """

    content: "mmap.mmap | bytearray"
    is_shared: bool

    def save(self, start: int, end: int) -> None:
        """Store what was changed in a range.

        Raises:
            OSError: the file cannot be written.
        """
        ...

    def close(self) -> None:
        """Let go of it; twice is fine. Whoever made an array of the bytes drops that first."""
        ...


def map_file(file: StoredFile) -> MappedContent:
    """Return the content of an open file: on this machine's disk as a map, else as a copy that is written through.

    Raises:
        OSError: the file cannot be read.
    """
    return SharedMap(file) if isinstance(file, SparseFile) else WrittenThrough(file)


class SharedMap:
    """Fulfils :class:`MappedContent` with the system's own map of the file."""

    is_shared = True

    def __init__(self, file: SparseFile) -> None:
        self.content: mmap.mmap | bytearray = mmap.mmap(file.fileno(), 0)

    def save(self, start: int, end: int) -> None:
        """Do nothing: the file has changed with the map."""

    def close(self) -> None:
        """Do :meth:`MappedContent.close`."""
        if isinstance(self.content, mmap.mmap):
            self.content.close()


class WrittenThrough:
    """Fulfils :class:`MappedContent` with a copy."""

    is_shared = False

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self.content: mmap.mmap | bytearray = bytearray(file.size_bytes())
        view = memoryview(self.content)
        for start in range(0, len(view), COPY_BYTES):
            file.readinto(start, view[start : start + COPY_BYTES])

    def save(self, start: int, end: int) -> None:
        """Do :meth:`MappedContent.save`."""
        self._file.write(start, bytes(self.content[start:end]))

    def close(self) -> None:
        """Do :meth:`MappedContent.close`."""
        self.content = bytearray()
