"""libnfs, an NFS client that others wrote, by ctypes: the judge of our server."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

LIBRARY: Final = "libnfs.so.13"


class _Url(ctypes.Structure):
    _fields_ = (("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p))


_STAT_FIELDS: Final = (
    "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec mtime_nsec ctime_nsec used"
)


class _Stat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in _STAT_FIELDS.split(" "))


class _Entry(ctypes.Structure):
    pass


_Entry._fields_ = (("next", ctypes.POINTER(_Entry)), ("name", ctypes.c_char_p), ("inode", ctypes.c_uint64))


def _loaded() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    for name in ("nfs_init_context", "nfs_get_error"):
        getattr(library, name).restype = ctypes.c_char_p if name == "nfs_get_error" else ctypes.c_void_p
    library.nfs_parse_url_dir.restype = ctypes.POINTER(_Url)
    library.nfs_readdir.restype = ctypes.POINTER(_Entry)
    return library


def is_there() -> bool:
    """Return whether the library is installed."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class LibNfs:
    """A mounted folder. Use as a context manager. Thread: one at a time.

    Raises:
        OSError: the server refused, with the number that the library made of its answer.
    """

    def __init__(self, url: str) -> None:
        """Mount a URL such as ``nfs://127.0.0.1/export?nfsport=2049&mountport=2049``."""
        self._library = _loaded()
        self._context = ctypes.c_void_p(self._library.nfs_init_context())
        parsed = self._library.nfs_parse_url_dir(self._context, url.encode())
        if not parsed:
            raise ValueError(self._error())
        self.call("nfs_mount", parsed.contents.server, parsed.contents.path)
        self._library.nfs_destroy_url(parsed)

    def _error(self) -> str:
        told = self._library.nfs_get_error(self._context)
        return told.decode() if told else "no reason"

    def call(self, function: str, *arguments: object) -> int:
        """Call a function of the library that takes the context first.

        Raises:
            OSError: it failed.
        """
        result: int = getattr(self._library, function)(self._context, *arguments)
        if result < 0:
            raise OSError(-result, self._error())
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.nfs_destroy_context(self._context)

    @contextmanager
    def open(self, path: str, flags: int = os.O_RDWR) -> Iterator["LibNfsFile"]:
        """Open a file, or make it with ``O_CREAT``."""
        file = ctypes.c_void_p()
        if flags & os.O_CREAT:
            self.call("nfs_open2", path.encode(), flags, 0o644, ctypes.byref(file))
        else:
            self.call("nfs_open", path.encode(), flags, ctypes.byref(file))
        try:
            yield LibNfsFile(self, file)
        finally:
            self.call("nfs_close", file)

    def size(self, path: str) -> int:
        """Return the size of a file."""
        return int(self._stat(path).size)

    def inode(self, path: str) -> int:
        """Return the number of a file."""
        return int(self._stat(path).ino)

    def _stat(self, path: str) -> _Stat:
        found = _Stat()
        self.call("nfs_stat64", path.encode(), ctypes.byref(found))
        return found

    def names(self, path: str) -> set[str]:
        """Return the names in a folder."""
        folder = ctypes.c_void_p()
        self.call("nfs_opendir", path.encode(), ctypes.byref(folder))
        found = set()
        while entry := self._library.nfs_readdir(self._context, folder):
            found.add(entry.contents.name.decode())
        self._library.nfs_closedir(self._context, folder)
        return found - {".", ".."}

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        self.call("nfs_mkdir", path.encode())

    def rmdir(self, path: str) -> None:
        """Remove a folder."""
        self.call("nfs_rmdir", path.encode())

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self.call("nfs_unlink", path.encode())

    def rename(self, path: str, to_path: str) -> None:
        """Give a file another name or place."""
        self.call("nfs_rename", path.encode(), to_path.encode())

    def truncate(self, path: str, size: int) -> None:
        """Cut a file, or lengthen it."""
        self.call("nfs_truncate", path.encode(), ctypes.c_uint64(size))


class LibNfsFile:
    """An open file."""

    def __init__(self, mounted: LibNfs, file: ctypes.c_void_p) -> None:
        self._mounted = mounted
        self._file = file

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file; fewer at its end."""
        buffer = ctypes.create_string_buffer(length)
        place = ctypes.c_uint64(offset), ctypes.c_uint64(length)
        done = self._mounted.call("nfs_pread", self._file, *place, buffer)
        return buffer.raw[:done]

    def write(self, offset: int, data: bytes) -> None:
        """Write all of it."""
        while data:
            place = ctypes.c_uint64(offset), ctypes.c_uint64(len(data))
            done = self._mounted.call("nfs_pwrite", self._file, *place, data)
            data, offset = data[done:], offset + done

    def sync(self) -> None:
        """Wait until all is durable."""
        self._mounted.call("nfs_fsync", self._file)
