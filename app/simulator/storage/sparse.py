"""Sparse files on Linux and Windows: positional reads and writes, and where the holes are."""

import errno
import os
import sys
import threading
from pathlib import Path
from typing import Self

from app.core.privatefiles import open_private
from app.domain.extents import Extent
from app.simulator.storage.errors import DiskTooLarge

_COPY_BYTES = 4 << 20


class SparseFile:
    """A file whose unwritten ranges take no space and read as zeros.

    Thread: any; positional reads and writes do not disturb each other.
    """

    def __init__(self, path: Path, *, create_bytes: int | None = None) -> None:
        """Open a file for reading and writing.

        Args:
            path: where it is stored.
            create_bytes: None opens an existing file; a number creates one of that size, all holes.

        Raises:
            FileExistsError: it is to be created and is there already.
            DiskTooLarge: the file system holds no file of this size; none is left.
            OSError: it cannot be opened.
        """
        self.path = path
        making = 0 if create_bytes is None else os.O_CREAT | os.O_EXCL
        self._fd = open_private(path, os.O_RDWR | making)
        self._lock = threading.Lock()
        if create_bytes is not None:
            _mark_sparse(self._fd)
            self._set_first_size(create_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor; it stays ours."""
        return self._fd

    def size_bytes(self) -> int:
        """Return the length of the file, holes included."""
        return os.fstat(self._fd).st_size

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset`` on; what is behind the end reads as zeros.

        Raises:
            OSError: the file cannot be read.
        """
        done = 0
        while done < len(target):
            n_bytes = _read_at(self._fd, offset + done, target[done:], self._lock)
            if not n_bytes:
                target[done:] = bytes(len(target) - done)
                return
            done += n_bytes

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes; what is behind the end reads as zeros.

        Raises:
            OSError: the file cannot be read.
        """
        buffer = bytearray(length_bytes)
        self.readinto(offset, memoryview(buffer))
        return bytes(buffer)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of ``data`` at ``offset``.

        Raises:
            OSError: the file cannot be written.
        """
        view = memoryview(data)
        while view:
            n_bytes = _write_at(self._fd, offset, view, self._lock)
            offset += n_bytes
            view = view[n_bytes:]

    def resize(self, size_bytes: int) -> None:
        """Set the length; new space is a hole."""
        os.ftruncate(self._fd, size_bytes)

    def flush(self) -> None:
        """Make what was written durable."""
        os.fsync(self._fd)

    def data_ranges(self) -> list[Extent]:
        """Return the ranges that take space; the whole file where the system does not know."""
        size_bytes = self.size_bytes()
        if not size_bytes:
            return []
        ranges = (
            _windows_ranges(self._fd, size_bytes) if sys.platform == "win32" else self._posix_ranges(size_bytes)
        )
        return [Extent(0, size_bytes)] if ranges is None else ranges

    def copy_to(self, offset: int, target: "SparseFile", target_offset: int, length_bytes: int) -> None:
        """Copy a range into another file, in the kernel where that is possible.

        Raises:
            OSError: one of the files fails.
        """
        while length_bytes:
            n_bytes = _kernel_copy(self._fd, target.fileno(), offset, target_offset, length_bytes)
            if not n_bytes:
                buffer = memoryview(bytearray(min(length_bytes, _COPY_BYTES)))
                self.readinto(offset, buffer)
                target.write(target_offset, buffer)
                n_bytes = len(buffer)
            offset += n_bytes
            target_offset += n_bytes
            length_bytes -= n_bytes

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _set_first_size(self, size_bytes: int) -> None:
        try:
            os.ftruncate(self._fd, size_bytes)
        except OSError as error:
            self.close()
            self.path.unlink()
            if error.errno not in (errno.EFBIG, errno.EINVAL):
                raise
            raise DiskTooLarge(self.path.name, size_bytes) from error

    def _posix_ranges(self, size_bytes: int) -> list[Extent] | None:
        seek_data, seek_hole = getattr(os, "SEEK_DATA", None), getattr(os, "SEEK_HOLE", None)
        if seek_data is None or seek_hole is None:
            return None
        ranges: list[Extent] = []
        position = 0
        while position < size_bytes:
            try:
                start = os.lseek(self._fd, position, seek_data)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but holes from here on
                    break
                return None
            position = os.lseek(self._fd, start, seek_hole)
            ranges.append(Extent(start, position - start))
        return ranges


def allocated_bytes(path: Path) -> int:
    """Return the space a file takes, its holes left out where the system knows them."""
    status = path.stat()
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else int(blocks) * 512


def move_file(source: Path, target: Path) -> None:
    """Move a file, to another file system by a copy that keeps the holes.

    Raises:
        OSError: it cannot be moved; the source is still there.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with SparseFile(source) as old, SparseFile(target, create_bytes=old.size_bytes()) as new:
            for extent in old.data_ranges():
                old.copy_to(extent.start, new, extent.start, extent.length_bytes)
        source.unlink()


def _kernel_copy(source: int, target: int, offset: int, target_offset: int, length_bytes: int) -> int:
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return 0
    try:
        copied: int = copy(source, target, length_bytes, offset, target_offset)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            return 0
        raise
    return copied


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _FSCTL_SET_SPARSE = 0x000900C4
    _FSCTL_QUERY_ALLOCATED_RANGES = 0x000940CF
    _ERROR_MORE_DATA = 234
    _RANGES_PER_CALL = 1024

    class _Range(ctypes.Structure):
        _fields_ = (("offset", ctypes.c_int64), ("length", ctypes.c_int64))

    def _control(fd: int, code: int, query: _Range | None, answer: ctypes.Array[_Range]) -> tuple[bool, int]:
        returned = wintypes.DWORD(0)
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        done = kernel.DeviceIoControl(
            wintypes.HANDLE(msvcrt.get_osfhandle(fd)),
            code,
            None if query is None else ctypes.byref(query),
            0 if query is None else ctypes.sizeof(query),
            answer,
            ctypes.sizeof(answer),
            ctypes.byref(returned),
            None,
        )
        return bool(done), returned.value

    def _mark_sparse(fd: int) -> None:
        _control(fd, _FSCTL_SET_SPARSE, None, (_Range * 0)())

    def _windows_ranges(fd: int, size_bytes: int) -> list[Extent] | None:
        ranges: list[Extent] = []
        answer = (_Range * _RANGES_PER_CALL)()
        position = 0
        while position < size_bytes:
            query = _Range(position, size_bytes - position)
            done, n_bytes = _control(fd, _FSCTL_QUERY_ALLOCATED_RANGES, query, answer)
            if not done and ctypes.get_last_error() != _ERROR_MORE_DATA:
                return None
            found = [Extent(area.offset, area.length) for area in answer[: n_bytes // ctypes.sizeof(_Range)]]
            ranges += found
            if done or not found:
                break
            position = found[-1].end
        return ranges

    def _read_at(fd: int, offset: int, target: memoryview, lock: threading.Lock) -> int:
        with lock:
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, len(target))
        target[: len(data)] = data
        return len(data)

    def _write_at(fd: int, offset: int, data: memoryview, lock: threading.Lock) -> int:
        with lock:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, data)

else:

    def _read_at(fd: int, offset: int, target: memoryview, _lock: threading.Lock) -> int:
        return os.preadv(fd, [target], offset)

    def _write_at(fd: int, offset: int, data: memoryview, _lock: threading.Lock) -> int:
        return os.pwrite(fd, data, offset)

    def _mark_sparse(_fd: int) -> None:
        """Do nothing: elsewhere files are sparse by themselves."""

    def _windows_ranges(_fd: int, _size_bytes: int) -> list[Extent] | None:
        return None
