"""Frames of a restore point that were read last, shared by all readers of its disks. Thread: any."""

import threading
from collections.abc import Iterable
from typing import Final

from app.repository.records import Buffer

Key = tuple[int, int, int]
"""Key of the disk, index of the chunk, number of the frame in it."""
_MOST_BYTES: Final = 16 * 1024 * 1024


class FrameCache:
    """Decoded frames up to a number of bytes; what was put in first goes first.

    Looking one up takes no lock and moves nothing: that would cost as much as it saves.

    Attributes:
        get: returns the frame of a key, None when it is not held.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._frames: dict[Key, Buffer] = {}
        self._lock = threading.Lock()
        self.get = self._frames.get

    def put(self, key: Key, frame: Buffer) -> None:
        """Keep a frame, and let go of the oldest ones that have no room beside it."""
        self.put_all(((key, frame),))

    def put_all(self, frames: Iterable[tuple[Key, Buffer]]) -> None:
        """Keep frames, and let go of the oldest ones that have no room beside them."""
        with self._lock:
            for key, frame in frames:
                if key not in self._frames:
                    self._frames[key] = frame
                    self._held_bytes += len(frame)
            while self._held_bytes > self._most_bytes:
                self._held_bytes -= len(self._frames.pop(next(iter(self._frames))))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._frames.clear()
            self._held_bytes = 0
