"""Reading a block device or a file past the page cache, several reads in flight on threads."""

import itertools
import mmap
import os
import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.transport.ahead import Pull, ReadAhead

SECTOR_BYTES: Final = 4096
"""What offsets, lengths and buffers are multiples of; enough for devices with large sectors."""
THREADS: Final = 4
_SLICE_S: Final = 0.25
_DIRECT: Final = getattr(os, "O_DIRECT", 0)


class DeviceStalled(OSError):
    """The device gave nothing for too long."""


class DeviceTooShort(OSError):
    """The device ends where it should go on."""


class DirectFile:
    """A block device or a file that is read with direct I/O where its file system can do that.

    Threads read into aligned buffers of our own; only the caller's thread copies into the caller's buffers. A read
    that hangs in the kernel can therefore be left alone.

    Thread: one at a time.
    """

    def __init__(self, path: Path, capacity_bytes: int) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self.capacity_bytes = capacity_bytes
        self._fd = _open(path)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="direct-read")
        self._free: list[mmap.mmap] = []
        self._in_flight: deque[tuple[Future[None], mmap.mmap]] = deque()

    def size_bytes(self) -> int:
        """Return how large the device is.

        Raises:
            OSError: that cannot be found out.
        """
        return os.lseek(self._fd, 0, os.SEEK_END)

    def read_many(
        self,
        requests: Iterable[ReadRequest],
        *,
        window: int,
        budget_bytes: int,
        patience_s: float,
        cancel: CancelToken,
    ) -> Generator[ReadRequest, None, None]:
        """Fill the requests' buffers and yield each, in order.

        Raises:
            OSError: the device cannot be read, or stays silent for too long.
            ValueError: a request reaches beyond the capacity.
            TaskCancelled: cancelled meanwhile.
        """
        ahead = ReadAhead(
            requests,
            capacity_bytes=self.capacity_bytes,
            window=window,
            budget_bytes=budget_bytes,
            cancel=cancel,
        )
        open_bytes = 0
        try:
            while True:
                while (pull := ahead.next_within(open_bytes)) is not None:
                    open_bytes += len(pull.view)
                    self._begin(pull)
                if not ahead.pulled:
                    return
                pull = ahead.pulled.popleft()
                self._end(pull, patience_s, cancel)
                open_bytes -= len(pull.view)
                yield pull.finish()
        finally:
            self._forget()

    def close(self) -> None:
        """Close it; never raises. Where a read still hangs, the last one to end does it."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        has_ended = self._forget()
        self._pool.shutdown(wait=has_ended, cancel_futures=True)
        if has_ended:
            os.close(fd)
        else:
            _close_after(fd, [future for future, _ in self._in_flight])

    # ---- inside ----------------------------------------------------------------------------------------------

    def _begin(self, pull: Pull) -> None:
        start, end = _whole_sectors(pull)
        buffer = self._buffer(end - start)
        needed = pull.offset + len(pull.view) - start
        reading = self._pool.submit(_fill, self._fd, start, memoryview(buffer)[: end - start], needed)
        self._in_flight.append((reading, buffer))

    def _end(self, pull: Pull, patience_s: float, cancel: CancelToken) -> None:
        """Wait for the oldest read and copy what it brought to where it belongs."""
        future, buffer = self._in_flight[0]
        limit = time.monotonic() + patience_s
        while not wait([future], _SLICE_S).done:
            cancel.check()
            if time.monotonic() >= limit:
                raise DeviceStalled
        future.result()
        self._in_flight.popleft()
        start, _ = _whole_sectors(pull)
        skipped = pull.offset - start
        pull.view[:] = memoryview(buffer)[skipped : skipped + len(pull.view)]
        self._free.append(buffer)

    def _buffer(self, size_bytes: int) -> mmap.mmap:
        for index, buffer in enumerate(self._free):
            if len(buffer) >= size_bytes:
                return self._free.pop(index)
        self._free.clear()  # they are too small for what is asked for now
        return mmap.mmap(-1, max(size_bytes, SECTOR_BYTES))

    def _forget(self) -> bool:
        """Wait a moment for reads that no one wants any more; return whether all have ended."""
        pending = {future for future, _ in self._in_flight if not future.cancel()}
        if wait(pending, _SLICE_S).not_done:
            return False
        self._in_flight.clear()
        return True


def _close_after(fd: int, futures: list[Future[None]]) -> None:
    left = [future for future in futures if not future.done()]
    counter = itertools.count(1)

    def ended(_: Future[None]) -> None:
        if next(counter) == len(left):
            os.close(fd)

    for future in left:
        future.add_done_callback(ended)


def _open(path: Path) -> int:
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags | _DIRECT)
    except OSError:
        if not _DIRECT:
            raise
        return os.open(path, flags)  # some file systems have no direct I/O; what else is wrong shows again


def _whole_sectors(pull: Pull) -> tuple[int, int]:
    end = pull.offset + len(pull.view)
    return pull.offset // SECTOR_BYTES * SECTOR_BYTES, -(-end // SECTOR_BYTES) * SECTOR_BYTES


def _fill(fd: int, offset: int, view: memoryview, needed: int) -> None:
    """Fill a buffer from a place of a file, as far as the file goes.

    Raises:
        DeviceTooShort: it ends before what is needed.
        OSError: it cannot be read.
    """
    done = 0
    with view:
        while done < len(view):
            count = os.preadv(fd, [view[done:]], offset + done)
            done += count
            if not count or count % SECTOR_BYTES:  # its end
                break
    if done < needed:
        raise DeviceTooShort
