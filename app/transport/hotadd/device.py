"""What reading and writing a block device past the page cache have in common."""

import itertools
import mmap
import os
import time
from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from app.core.cancel import CancelToken
from app.core.privatefiles import open_private

SECTOR_BYTES: Final = 4096
"""What offsets, lengths and buffers are multiples of; enough for devices with large sectors."""
THREADS: Final = 4
SLICE_S: Final = 0.25
_DIRECT: Final = getattr(os, "O_DIRECT", 0)


class DeviceStalled(OSError):
    """The device gave or took nothing for too long."""


class DeviceTooShort(OSError):
    """The device ends where it should go on."""


def open_direct(path: Path, flags: int) -> int:
    """Open a device or a file for direct I/O, or without that where its file system cannot do it.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return open_private(path, flags | _DIRECT)
    except OSError:
        if not _DIRECT:
            raise
        return open_private(path, flags)


def await_call(future: "Future[None]", patience_s: float, cancel: CancelToken) -> None:
    """Wait until a call that runs on a thread has ended.

    Raises:
        DeviceStalled: it has not, for too long.
        TaskCancelled: cancelled meanwhile.
        OSError: what the call raised.
    """
    limit = time.monotonic() + patience_s
    while not future.done() and not wait([future], SLICE_S).done:
        cancel.check()
        if time.monotonic() >= limit:
            raise DeviceStalled
    future.result()


class DirectDevice:
    """A block device or a file that threads read or write past the page cache, each through an aligned buffer.

    Attributes:
        capacity_bytes: how large the disk is.

    Thread: one at a time.
    """

    def __init__(self, fd: int, capacity_bytes: int, *, piece_bytes: int, threads_named: str) -> None:
        """Take an open device, which is closed with this; ``piece_bytes`` is what one call moves."""
        self.capacity_bytes = capacity_bytes
        self._fd = fd
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=threads_named)
        self._buffers: SimpleQueue[mmap.mmap] = SimpleQueue()
        for _ in range(THREADS):
            self._buffers.put(mmap.mmap(-1, piece_bytes))

    def size_bytes(self) -> int:
        """Return how large the device is.

        Raises:
            OSError: that cannot be found out.
        """
        return os.lseek(self._fd, 0, os.SEEK_END)

    def _end(self, calls: "Iterable[Future[None]]") -> None:
        """Close it; never raises. Where a call still hangs, the last one to end does it."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        hanging = wait([call for call in calls if not call.cancel()], SLICE_S).not_done
        self._pool.shutdown(wait=not hanging, cancel_futures=True)
        if hanging:
            _close_after(fd, hanging)
        else:
            os.close(fd)


def _close_after(fd: int, calls: "Collection[Future[None]]") -> None:
    counter = itertools.count(1)

    def ended(_: "Future[None]") -> None:
        if next(counter) == len(calls):
            os.close(fd)

    for call in calls:  # those that have ended meanwhile are told of at once
        call.add_done_callback(ended)
