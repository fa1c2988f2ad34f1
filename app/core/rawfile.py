"""A raw image file as the target of a restore, written past the page cache where the system can."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from app.core.privatefiles import open_private
from app.core.sparse import extend_with_hole
from app.domain.errors import OperationalError
from app.domain.states import TransportMode

_WRITERS = 2
_ALIGNMENT = 4096
_DIRECT = getattr(os, "O_DIRECT", 0)


class RawFileWriter:
    """A new raw file: :class:`app.core.disks.DiskWriter`. What is not written stays a hole.

    Two threads write while the caller goes on. Whole pages go directly to the disk: it is the page cache's
    allocations that writing many gigabytes costs. Thread: one at a time.
    """

    mode = TransportMode.LOCAL

    def __init__(self, path: Path, capacity_bytes: int, *, failure: Callable[[OSError], OperationalError]) -> None:
        """Create the file; ``failure`` says what a refusal of the system means for the caller.

        Raises:
            OperationalError: what ``failure`` made of it; a file that is there already is not touched.
        """
        self.capacity_bytes = capacity_bytes
        self._failure = failure
        self._writes: list[Future[None]] = []
        self._direct = -1
        try:
            self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError as error:
            raise failure(error) from error
        try:
            extend_with_hole(self._descriptor, capacity_bytes)
        except OSError as error:
            os.close(self._descriptor)
            raise failure(error) from error
        if _DIRECT:
            with suppress(OSError):  # a file system without direct writes
                self._direct = open_private(path, os.O_RDWR | _DIRECT)
        # Without pwrite, as on Windows, the file has one position: one thread then.
        self._pool = ThreadPoolExecutor(
            max_workers=_WRITERS if hasattr(os, "pwrite") else 1, thread_name_prefix="raw-writer"
        )

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Begin to write; ``data`` must stay as it is until :meth:`flush` returns.

        Raises:
            ValueError: the range reaches beyond the capacity.
        """
        if offset < 0 or offset + len(data) > self.capacity_bytes:
            raise ValueError(f"write beyond the disk: {offset}+{len(data)}")
        self._writes.append(self._pool.submit(self._put, offset, memoryview(data)))

    def _put(self, offset: int, data: memoryview) -> None:
        whole = len(data) // _ALIGNMENT * _ALIGNMENT
        if self._direct >= 0 and offset % _ALIGNMENT == 0 and whole:
            done = self._put_directly(offset, data[:whole])
            offset, data = offset + done, data[done:]
        while data:
            if hasattr(os, "pwrite"):
                done = os.pwrite(self._descriptor, data, offset)
            else:
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                done = os.write(self._descriptor, data)
            offset, data = offset + done, data[done:]

    def _put_directly(self, offset: int, data: memoryview) -> int:
        try:
            return os.pwrite(self._direct, data, offset)
        except OSError as error:
            if error.errno != errno.EINVAL:  # this memory, or this file system, is not for direct writes
                raise
            return 0

    def flush(self) -> None:
        """Wait until everything is written. It is durable only after :meth:`sync`.

        Raises:
            OperationalError: the system refused; what ``failure`` made of it.
        """
        writes, self._writes = self._writes, []
        wait(writes)
        try:
            for write in writes:
                write.result()
        except OSError as error:
            raise self._failure(error) from error

    def sync(self) -> None:
        """Make durable what was flushed.

        Raises:
            OperationalError: the system refused; what ``failure`` made of it.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Release the file; never raises."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for descriptor in (self._descriptor, self._direct):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptor = self._direct = -1
