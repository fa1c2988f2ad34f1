"""Reading a block device or a file past the page cache, several reads in flight on threads."""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest, page_aligned
from app.transport.ahead import Pull, ReadAhead
from app.transport.hotadd.device import (
    SECTOR_BYTES,
    SLICE_S,
    THREADS,
    DeviceTooShort,
    DirectDevice,
    await_call,
    open_direct,
)

_PIECE_BYTES: Final = 256 * 1024
"""What one call reads where it is copied: little enough to be in the processor's cache still."""


class _Reading:
    """A request that is under way on a thread. Once it is abandoned, its buffer is its owner's alone."""

    def __init__(self, pull: Pull) -> None:
        self.pull = pull
        self.future: Future[None] = Future()
        self._lock = threading.Lock()
        self._is_abandoned = False

    def deliver(self, offset: int, data: memoryview) -> None:
        """Put what was read at a place of the disk into the request's buffer, as far as it belongs there."""
        skipped = max(0, self.pull.offset - offset)
        target = offset + skipped - self.pull.offset
        wanted = data[skipped : skipped + len(self.pull.view) - target]
        with self._lock:
            if not self._is_abandoned:
                self.pull.view[target : target + len(wanted)] = wanted

    def exchange(self, filled: memoryview) -> memoryview:
        """Give the request a buffer that holds what it asked for; return the one that is free now."""
        request = self.pull.request
        with self._lock:
            if self._is_abandoned:
                return filled
            free, request.buffer = request.buffer, filled
            return free

    def abandon(self) -> None:
        """Leave its buffer to its owner."""
        with self._lock:
            self._is_abandoned = True


class DirectInput(DirectDevice):
    """A block device or a file that is read with direct I/O where its file system can do that.

    Threads read into aligned buffers of their own, so that a read which hangs in the kernel can be left alone:
    what it brings in the end goes nowhere. What they have read they exchange for the buffer of the request where
    that is as good as theirs, else they copy it.

    Thread: one at a time.
    """

    def __init__(self, path: Path, capacity_bytes: int) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        fd = open_direct(path, os.O_RDONLY)
        super().__init__(fd, capacity_bytes, piece_bytes=_PIECE_BYTES, threads_named="direct-read")
        self._in_flight: deque[_Reading] = deque()
        self._whole: SimpleQueue[memoryview] = SimpleQueue()
        """Buffers to exchange, all of the size of the first request that wanted that."""
        self._whole_bytes = 0

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
                self._await_oldest(patience_s, cancel)
                open_bytes -= len(pull.view)
                yield pull.finish()
        finally:
            self._forget()

    def close(self) -> None:
        """Close it; never raises. Where a read still hangs, the last one to end does it."""
        for reading in self._in_flight:
            reading.abandon()
        self._end(reading.future for reading in self._in_flight)

    # ---- inside ----------------------------------------------------------------------------------------------

    def _begin(self, pull: Pull) -> None:
        reading = _Reading(pull)
        fill = self._fill_other if self._is_to_exchange(pull) else self._fill
        reading.future = self._pool.submit(fill, self._fd, reading)
        self._in_flight.append(reading)

    def _is_to_exchange(self, pull: Pull) -> bool:
        if not pull.request.is_exchangeable or pull.offset % SECTOR_BYTES or len(pull.view) % SECTOR_BYTES:
            return False
        if not self._whole_bytes:
            self._whole_bytes = len(pull.view)
            for _ in range(THREADS):
                self._whole.put(page_aligned(self._whole_bytes))
        return len(pull.view) == self._whole_bytes

    def _fill_other(self, fd: int, reading: _Reading) -> None:
        """Read what a request asks for into another buffer, and exchange them; run on a thread of the pool.

        Raises:
            DeviceTooShort: the device ends before.
            OSError: it cannot be read.
        """
        buffer = self._whole.get()
        try:
            done = 0
            while done < len(buffer):
                count = os.preadv(fd, [buffer[done:]], reading.pull.offset + done)
                if not count or count % SECTOR_BYTES:
                    raise DeviceTooShort
                done += count
            buffer = reading.exchange(buffer)
        finally:
            self._whole.put(buffer)

    def _fill(self, fd: int, reading: _Reading) -> None:
        """Read what a request asks for, in whole sectors; run on a thread of the pool.

        Raises:
            DeviceTooShort: the device ends before.
            OSError: it cannot be read.
        """
        pull = reading.pull
        end = pull.offset + len(pull.view)
        position = pull.offset // SECTOR_BYTES * SECTOR_BYTES
        buffer = self._buffers.get()
        try:
            with memoryview(buffer) as view:
                while position < end:
                    wanted = min(_PIECE_BYTES, -(-(end - position) // SECTOR_BYTES) * SECTOR_BYTES)
                    count = os.preadv(fd, [view[:wanted]], position)
                    if not count or (count % SECTOR_BYTES and position + count < end):
                        raise DeviceTooShort
                    reading.deliver(position, view[:count])
                    position += count
        finally:
            self._buffers.put(buffer)

    def _await_oldest(self, patience_s: float, cancel: CancelToken) -> None:
        await_call(self._in_flight[0].future, patience_s, cancel)
        self._in_flight.popleft()

    def _forget(self) -> None:
        """Give up reads that no one wants any more."""
        for reading in self._in_flight:
            reading.abandon()
        pending = {reading.future for reading in self._in_flight if not reading.future.cancel()}
        if not wait(pending, SLICE_S).not_done:
            self._in_flight.clear()
