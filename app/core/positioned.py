"""Files that several threads read and write at offsets, without one position that they would share.

Windows has neither ``pread`` nor ``pwrite`` nor ``fdatasync`` nor ``posix_fallocate``; there a lock for each file,
``fsync`` and zeros that are written take their place.
"""

import errno
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

Buffer = bytes | bytearray | memoryview

_ZEROS: Final = bytes(1 << 20)
_NOT_THERE: Final = frozenset({errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""How systems and file systems say that they cannot reserve space."""


class PositionedFile:
    """An open file that is read and written at offsets. Thread: any, several at once.

    It is closed when no one holds it any more, or by :meth:`close`. So a reader never meets the descriptor of
    another file, however late it comes.
    """

    __slots__ = ("__weakref__", "_close", "_seeking", "descriptor")

    def __init__(self, descriptor: int) -> None:
        """Take over an open descriptor."""
        self.descriptor = descriptor
        self._seeking = threading.Lock()
        self._close = os.close  # which may be gone already when the interpreter ends

    def __del__(self) -> None:
        self.close()

    def read_into(self, offset: int, parts: Sequence[memoryview]) -> int:
        """Fill buffers, one after the other, with the bytes from ``offset`` on; at most 1,024 buffers.

        Returns:
            How many bytes there were; fewer than fit into the buffers only where the file ends.

        Raises:
            OSError: the system refused.
        """
        wanted = sum(map(len, parts))
        done = self._read(offset, parts)
        while 0 < done < wanted:
            more = self._read(offset + done, _behind(parts, done))
            if not more:
                break
            done += more
        return done

    def read(self, offset: int, length_bytes: int) -> bytearray:
        """Return bytes from ``offset`` on; fewer where the file ends.

        Raises:
            OSError: the system refused.
        """
        buffer = bytearray(length_bytes)
        with memoryview(buffer) as view:
            done = self.read_into(offset, [view]) if length_bytes else 0
        del buffer[done:]
        return buffer

    def write(self, offset: int, parts: Sequence[Buffer]) -> None:
        """Write buffers one after the other from ``offset`` on; at most 1,024 buffers.

        Raises:
            OSError: the system refused; a part may be written.
        """
        wanted = sum(map(len, parts))
        done = self._write(offset, parts)
        while done < wanted:
            done += self._write(offset + done, _behind(parts, done))

    def _read(self, offset: int, parts: Sequence[memoryview]) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self.descriptor, parts, offset)
        with self._seeking:
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            data = os.read(self.descriptor, sum(map(len, parts)))
        done = 0
        for part in parts:
            piece = data[done : done + len(part)]
            part[: len(piece)] = piece
            done += len(piece)
        return done

    def _write(self, offset: int, parts: Sequence[Buffer]) -> int:
        if hasattr(os, "pwritev"):
            return os.pwritev(self.descriptor, parts, offset)
        with self._seeking:
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            return os.write(self.descriptor, parts[0] if len(parts) == 1 else b"".join(parts))

    def size_bytes(self) -> int:
        """Return the length of the file.

        Raises:
            OSError: the system refused.
        """
        return os.fstat(self.descriptor).st_size

    def sync_data(self) -> None:
        """Return when all that was written before is durable, and the file's length as far as reading it needs.

        After a failure nothing is known of what was written since the last success, and a second call may succeed
        all the same: the system may have forgotten what it could not write.

        Raises:
            OSError: the disk failed.
        """
        if hasattr(os, "fdatasync"):
            os.fdatasync(self.descriptor)
        else:
            os.fsync(self.descriptor)

    def sync(self) -> None:
        """Return when everything of the file is durable; see :meth:`sync_data`.

        Raises:
            OSError: the disk failed.
        """
        os.fsync(self.descriptor)

    def preallocate(self, length_bytes: int) -> None:
        """Let a new, empty file have so many bytes, all zero, whose space is taken at the disk already.

        Raises:
            OSError: the system refused, because of the space for example; the file may have any length.
        """
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self.descriptor, 0, length_bytes)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
            else:
                return
        for start in range(0, length_bytes, len(_ZEROS)):
            self.write(start, [memoryview(_ZEROS)[: length_bytes - start]])

    def truncate(self, length_bytes: int) -> None:
        """Cut the file to a length.

        Raises:
            OSError: the system refused.
        """
        os.ftruncate(self.descriptor, length_bytes)

    def forget_cached(self) -> None:
        """Let the system read the file from its disk again, as far as it can; never raises."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # it is a request only
                os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Close the file; a second call does nothing. No one may be using it."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                self._close(descriptor)


def _behind(parts: Sequence[Buffer], done: int) -> list[memoryview]:
    """Return what is left of buffers behind their first ``done`` bytes."""
    left: list[memoryview] = []
    for part in parts:
        if done < len(part):
            left.append(memoryview(part)[done:])
        done = max(0, done - len(part))
    return left
