"""What is known of a disk of a restore point once it was read, shared by all its readers. Thread: any."""

import threading
from typing import Final

from app.repository.framecache import FrameCache
from app.repository.pages import PageTree
from app.repository.store import FrameReader

_MOST_CHUNKS: Final = 8192


class Zeros:
    """A chunk that is not stored, because it holds nothing but zeros."""


ZEROS: Final = Zeros()


class DiskTables:
    """The index of a disk, the chunks that were opened, and the frames that were decoded last.

    Looking a chunk up takes no lock: that would cost as much as it saves.

    Attributes:
        tree: the index.
        frames: frames of all disks of the point.
        chunk: returns a chunk that was opened, None when it was not.
    """

    def __init__(self, tree: PageTree, frames: FrameCache) -> None:
        self.tree = tree
        self.frames = frames
        self._chunks: dict[int, FrameReader | Zeros] = {}
        self._lock = threading.Lock()
        self.chunk = self._chunks.get

    def keep(self, index: int, chunk: FrameReader | Zeros) -> None:
        """Keep a chunk; the one that was opened first goes where there are too many."""
        with self._lock:
            self._chunks[index] = chunk
            if len(self._chunks) > _MOST_CHUNKS:
                del self._chunks[next(iter(self._chunks))]

    def forget(self, index: int) -> FrameReader | Zeros | None:
        """Forget a chunk, whose record may have moved; return it, None when it was not known."""
        with self._lock:
            return self._chunks.pop(index, None)

    def clear(self) -> None:
        """Forget all chunks."""
        with self._lock:
            self._chunks.clear()
