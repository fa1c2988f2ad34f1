"""Reads the restore point's disk below an overlay. Thread: any, several at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.core.disks import DiskReader, ReadRequest, ReadsNow


class BaseDisk:
    """Keeps as many readers open as threads read at once; each is used by one thread at a time."""

    def __init__(self, open_base: Callable[[], DiskReader], capacity_bytes: int) -> None:
        self._open_base = open_base
        self._capacity_bytes = capacity_bytes
        self._lock = threading.Lock()
        self._idle: list[DiskReader] = []
        self._reads_now: ReadsNow | None = None
        self._is_closed = False

    def read(self, requests: Sequence[ReadRequest]) -> None:
        """Fill buffers, several in flight.

        Raises:
            OperationalError: the disk cannot be opened or read.
            ValueError: it is shorter than the overlay.
        """
        with self._reader() as reader:
            for _ in reader.read_many(requests):
                pass

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a buffer where all of it is in memory; return whether it was filled. Never waits."""
        return self._reads_now is not None and self._reads_now.read_now(offset, view)

    @contextmanager
    def _reader(self) -> Iterator[DiskReader]:
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = self._open_base()
            if reader.capacity_bytes < self._capacity_bytes:
                reader.close()
                raise ValueError(f"the base has {reader.capacity_bytes} bytes, not {self._capacity_bytes}")
            if self._reads_now is None and isinstance(reader, ReadsNow):
                self._reads_now = reader  # what is in memory is the same for all
        try:
            yield reader
        finally:
            with self._lock:
                is_closed = self._is_closed
                if not is_closed:
                    self._idle.append(reader)
            if is_closed:
                reader.close()

    def close(self) -> None:
        """Close the readers, those in use as soon as they are not any more."""
        with self._lock:
            self._is_closed = True
            self._reads_now = None
            readers, self._idle = self._idle, []
        for reader in readers:
            reader.close()
