"""What sessions share, and what they report of a disk: buffer memory, and which chunks are allocated."""

import threading

import numpy as np

from app.domain.extents import Extent


class BufferBudget:
    """The sum of the buffers that all sessions of one host may have.

    Thread: any.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._lock = threading.Lock()
        self._left = limit_bytes

    def take(self, n_bytes: int) -> bool:
        """Reserve bytes; False when there are not so many left."""
        with self._lock:
            if n_bytes > self._left:
                return False
            self._left -= n_bytes
            return True

    def give_back(self, n_bytes: int) -> None:
        """Return what was reserved."""
        with self._lock:
            self._left += n_bytes


def allocation_bitmap(areas: list[Extent], chunk_bytes: int, start: int, count: int) -> bytes:
    """Return one bit per chunk, least significant first, padded to four bytes."""
    bits = np.zeros(-(-count // 32) * 32, dtype=np.bool_)
    for area in areas:
        first = max(0, (area.start - start) // chunk_bytes)
        end = min(count, -(-(area.end - start) // chunk_bytes))
        if first < end:
            bits[first:end] = True
    return np.packbits(bits, bitorder="little").tobytes()
