"""Writing a block device or a file past the page cache, several writes in flight on threads."""

import errno
import os
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.core.cancel import CancelToken
from app.core.filelocks import try_lock
from app.transport.hotadd.device import (
    SECTOR_BYTES,
    THREADS,
    DeviceTooShort,
    DirectDevice,
    await_call,
    open_direct,
)

CLAIMED_WITHIN_S: Final = 30.0
_PAUSE_S: Final = 0.1
_PIECE_BYTES: Final = 1024 * 1024
"""What one call writes."""


@dataclass(slots=True, eq=False)
class _Writing:
    """Bytes that are under way on a thread, within whole sectors."""

    first: int
    end: int
    """The sectors that are touched."""
    offset: int
    view: memoryview
    future: "Future[None]" = field(default_factory=Future)

    def touches(self, other: "_Writing") -> bool:
        return self.first < other.end and other.first < self.end


class DirectOutput(DirectDevice):
    """A block device or a file that is written with direct I/O where its file system can do that.

    While it is open nothing else of this system may use it: it is opened exclusively, which keeps the kernel from
    mounting it or building anything on it, and locked, which keeps udev from looking for partitions, volume groups
    and arrays in what is half written.

    A write is copied into an aligned buffer by the thread that sends it. Two writes that touch the same sector are
    never under way together.

    Thread: one at a time.
    """

    def __init__(self, path: Path, capacity_bytes: int, cancel: CancelToken) -> None:
        """Open it and keep everybody else away from it.

        Raises:
            OSError: it cannot be opened, or something of this system uses it.
            TaskCancelled: cancelled meanwhile.
        """
        fd = open_direct(path, os.O_RDWR | os.O_EXCL)
        try:
            _claim(fd, cancel)
        except BaseException:
            os.close(fd)
            raise
        super().__init__(fd, capacity_bytes, piece_bytes=_PIECE_BYTES, threads_named="direct-write")
        self._in_flight: deque[_Writing] = deque()
        self._open_bytes = 0

    def write(
        self, offset: int, view: memoryview, *, budget_bytes: int, patience_s: float, cancel: CancelToken
    ) -> None:
        """Send bytes, which have to stay unchanged until :meth:`flush` returns.

        Raises:
            OSError: an earlier write failed, or the device takes nothing for too long.
            TaskCancelled: cancelled meanwhile.
        """
        position, end = offset, offset + len(view)
        while position < end:
            first = position // SECTOR_BYTES * SECTOR_BYTES
            stop = min(end, first + _PIECE_BYTES)
            last = min(-(-stop // SECTOR_BYTES) * SECTOR_BYTES, self.capacity_bytes)
            writing = _Writing(first, last, position, view[position - offset : stop - offset])
            while self._has_to_wait(writing, budget_bytes):
                self._await_oldest(patience_s, cancel)
            self._open_bytes += len(writing.view)
            writing.future = self._pool.submit(self._put, self._fd, writing)
            self._in_flight.append(writing)
            position = stop

    def flush(self, *, patience_s: float, cancel: CancelToken) -> None:
        """Wait until everything written is on the disk.

        Raises:
            OSError: something is not, or the device takes nothing for too long.
            TaskCancelled: cancelled meanwhile.
        """
        while self._in_flight:
            self._await_oldest(patience_s, cancel)
        await_call(self._pool.submit(os.fsync, self._fd), patience_s, cancel)

    def close(self) -> None:
        """Close it; never raises. Where a write still hangs, the last one to end does it."""
        self._end(writing.future for writing in self._in_flight)

    # ---- inside ----------------------------------------------------------------------------------------------

    def _has_to_wait(self, writing: _Writing, budget_bytes: int) -> bool:
        return bool(self._in_flight) and (
            len(self._in_flight) >= 2 * THREADS
            or self._open_bytes + len(writing.view) > budget_bytes
            or any(writing.touches(other) for other in self._in_flight)
        )

    def _await_oldest(self, patience_s: float, cancel: CancelToken) -> None:
        oldest = self._in_flight[0]
        await_call(oldest.future, patience_s, cancel)
        self._in_flight.popleft()
        self._open_bytes -= len(oldest.view)

    def _put(self, fd: int, writing: _Writing) -> None:
        """Write whole sectors, with what the device holds around the bytes; run on a thread of the pool.

        Raises:
            DeviceTooShort: the device ends before.
            OSError: it cannot be read or written.
        """
        buffer = self._buffers.get()
        try:
            with memoryview(buffer) as whole, whole[: writing.end - writing.first] as target:
                start = writing.offset - writing.first
                stop = start + len(writing.view)
                if start:
                    _read_sector(fd, target, 0, writing.first)
                if stop < len(target):
                    _read_sector(fd, target, (stop // SECTOR_BYTES) * SECTOR_BYTES, writing.first)
                target[start:stop] = writing.view
                write_whole(fd, target, writing.first)
        finally:
            self._buffers.put(buffer)


def _claim(fd: int, cancel: CancelToken) -> None:
    """Take the lock that udev respects, as soon as udev has finished looking at the new device.

    Source: "Locking Block Device Access" of systemd.

    Raises:
        OSError: someone else keeps it.
        TaskCancelled: cancelled meanwhile.
    """
    for _ in range(round(CLAIMED_WITHIN_S / _PAUSE_S)):
        if try_lock(fd):
            return
        cancel.wait(_PAUSE_S)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _read_sector(fd: int, target: memoryview, place: int, first: int) -> None:
    with target[place : place + SECTOR_BYTES] as sector:
        if os.preadv(fd, [sector], first + place) < len(sector):
            raise DeviceTooShort


def write_whole(fd: int, data: memoryview, offset: int) -> None:
    """Write whole sectors, and go on after a short write.

    Raises:
        OSError: the device takes them not, or not all of them.
    """
    done = 0
    while done < len(data):
        with data[done:] as rest:
            count = os.pwritev(fd, [rest], offset + done)
        if done + count < len(data):  # a short write goes on at a whole sector
            count = count // SECTOR_BYTES * SECTOR_BYTES
            if not count:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        done += count
