"""Paths and open files of a mounted export."""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Final, Self

from app.domain.extents import Extent
from app.simulator.nas.errors import NasLost
from app.simulator.nas.library import Stat, StatVfs
from app.simulator.nas.mount import NasMount
from app.simulator.storage import DatastoreFull, DiskTooLarge
from app.simulator.storage.places import ServedPath, StoredFile

_PIECE_BYTES: Final = 1 << 20
_MODE: Final = 0o644
_ROOT: Final = PurePosixPath("/")
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class NasStatus:
    """What a server says of a file."""

    st_size: int
    st_mtime: float
    st_ino: int
    taken_bytes: int
    is_folder: bool


class NasPath:
    """A path below a mounted export; fulfils :class:`app.simulator.storage.places.StoredPath`. Thread: any.

    Attributes:
        mount: the export.
    """

    def __init__(self, mount: NasMount, path: PurePosixPath = _ROOT) -> None:
        self.mount = mount
        self._path = path

    @property
    def name(self) -> str:
        """The last part."""
        return self._path.name

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on."""
        return self._path.suffix

    @property
    def parent(self) -> "NasPath":
        """The folder that it is in."""
        return NasPath(self.mount, self._path.parent)

    def __truediv__(self, key: str) -> "NasPath":
        return NasPath(self.mount, self._path / key)

    def __lt__(self, other: Any) -> bool:
        return self._path < PurePosixPath(other.as_posix())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NasPath) and (self.mount, self._path) == (other.mount, other._path)

    def __hash__(self) -> int:
        return hash((self.mount, self._path))

    def __repr__(self) -> str:
        return f"NasPath({self.mount.name!r}, {str(self._path)!r})"

    def with_name(self, name: str) -> "NasPath":
        """Return another path in the same folder."""
        return NasPath(self.mount, self._path.with_name(name))

    def as_posix(self) -> str:
        """Return its parts joined by slashes."""
        return self._path.as_posix()

    # ---- looking ----------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Return whether there is something.

        Raises:
            OSError, StorageError: the server does not say.
        """
        return self._look() is not None

    def is_file(self) -> bool:
        """Return whether there is a file.

        Raises:
            OSError, StorageError: the server does not say.
        """
        found = self._look()
        return found is not None and not found.is_folder

    def is_dir(self) -> bool:
        """Return whether there is a folder.

        Raises:
            OSError, StorageError: the server does not say.
        """
        found = self._look()
        return found is not None and found.is_folder

    def stat(self) -> NasStatus:
        """Return what the server says of it.

        Raises:
            OSError, StorageError: there is nothing, or the server does not say.
        """
        found: NasStatus = self.mount.ask("nfs_stat64_async", self.encoded(), take=_status)
        return found

    def taken_bytes(self) -> int:
        """Return the space that it takes on the server.

        Raises:
            OSError, StorageError: there is nothing, or the server does not say.
        """
        return self.stat().taken_bytes

    def iterdir(self) -> Iterator["NasPath"]:
        """Yield what is in the folder.

        Raises:
            OSError, StorageError: there is none, or the server does not say.
        """
        for name in self.mount.names(self._path.as_posix()):
            yield self / name

    def rglob(self, pattern: str) -> Iterator["NasPath"]:
        """Yield what is in the folder and below it; the pattern is ``*``.

        Raises:
            OSError, StorageError: there is none, or the server does not say.
        """
        for entry in self.iterdir():
            if fnmatchcase(entry.name, pattern):
                yield entry
            if entry.is_dir():
                yield from entry.rglob(pattern)

    def read_bytes(self) -> bytes:
        """Return the content of a file.

        Raises:
            OSError, StorageError: there is none, or the server does not say.
        """
        with NasFile(self, os.O_RDONLY) as file:
            return file.read(0, file.size_bytes())

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Return the content of a file of text.

        Raises:
            OSError, StorageError: there is none, or the server does not say.
        """
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    # ---- changing: all raise OSError, or StorageError when the server is away ----------------------------

    def open_file(self, create_bytes: int | None) -> StoredFile:
        """Open the file, or create one of a size."""
        if create_bytes is None:
            return NasFile(self, os.O_RDWR)
        file = NasFile(self, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            file.resize(create_bytes)
        except OSError as error:
            file.close()
            self.unlink()
            if error.errno not in (errno.EFBIG, errno.EINVAL):
                raise
            raise DiskTooLarge(self.name, create_bytes) from error
        return file

    def put(self, data: bytes) -> None:
        """Write the file, new or over an old one."""
        with NasFile(self, os.O_RDWR | os.O_CREAT) as file:
            file.resize(len(data))
            file.write(0, data)

    def make_folder(self) -> None:
        """Make the folder."""
        self.mount.ask("nfs_mkdir_async", self.encoded())

    def rename_to(self, target: ServedPath) -> bool:
        """Rename the file; return False when the target is on another mount."""
        if not isinstance(target, NasPath) or target.mount is not self.mount:
            return False
        self.mount.ask("nfs_rename_async", self.encoded(), target.encoded())
        return True

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - as pathlib has it
        """Remove the file."""
        try:
            self.mount.ask("nfs_unlink_async", self.encoded())
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rmdir(self) -> None:
        """Remove the empty folder."""
        self.mount.ask("nfs_rmdir_async", self.encoded())

    def encoded(self) -> bytes:
        """Return the path as the server spells it."""
        return self._path.as_posix().encode("utf-8", "surrogateescape")

    def _look(self) -> NasStatus | None:
        try:
            return self.stat()
        except NasLost:
            raise
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise


class NasFile:
    """An open file of an export; what is written is durable when the server has answered (FILE_SYNC).

    Fulfils :class:`app.simulator.storage.places.StoredFile`. Thread: any.
    """

    def __init__(self, path: NasPath, flags: int) -> None:
        """Open the file with ``flags`` of :func:`os.open`.

        Raises:
            OSError: the server refused; with ``O_EXCL`` there is such a file.
            StorageError: the server has been away for too long.
        """
        self._nas_path = path
        self._mount = path.mount
        self._handle: int | None = self._mount.ask(
            "nfs_open2_async", path.encoded(), flags | os.O_SYNC, _MODE, take=lambda _, data: data
        )

    @property
    def path(self) -> NasPath:
        """Where it is stored."""
        return self._nas_path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def status(self) -> NasStatus:
        """Return what the server says of the file.

        Raises:
            StorageError: the server does not say.
        """
        found: NasStatus = self._mount.ask("nfs_fstat64_async", self._require(), take=_status)
        return found

    def size_bytes(self) -> int:
        """Return the length of the file."""
        return self.status().st_size

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` from ``offset`` on; what is behind the end reads as zeros.

        Raises:
            StorageError: the file is gone, or the export was unmounted.
        """
        for start in range(0, len(target), _PIECE_BYTES):
            piece = target[start : start + _PIECE_BYTES]
            done = self._read(offset + start, piece)
            piece[done:] = bytes(len(piece) - done)

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes; what is behind the end reads as zeros.

        Raises:
            StorageError: the file is gone, or the export was unmounted.
        """
        buffer = bytearray(length_bytes)
        self.readinto(offset, memoryview(buffer))
        return bytes(buffer)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of ``data`` at ``offset``; it is durable afterwards.

        Raises:
            DatastoreFull: the server has no space for it.
            StorageError: the file is gone, or the export was unmounted.
        """
        view = memoryview(data)
        while view:
            piece = bytes(view[:_PIECE_BYTES])
            done = self._data(
                "nfs_pwrite_async", offset, len(piece), piece, take=lambda count, _: count, buffer=piece
            )
            offset += done
            view = view[done:]

    def resize(self, size_bytes: int) -> None:
        """Set the length.

        Raises:
            OSError: the server refused.
        """
        self._mount.ask("nfs_ftruncate_async", self._require(), size_bytes)

    def flush(self) -> None:
        """Make what was written durable, which it is."""

    def data_ranges(self) -> list[Extent]:
        """Return the whole file: a server does not say where holes are."""
        size_bytes = self.size_bytes()
        return [Extent(0, size_bytes)] if size_bytes else []

    def close(self) -> None:
        """Close the file, which the server does not hear of; closing twice is fine."""
        handle, self._handle = self._handle, None
        if handle is not None:
            try:
                self._mount.move_data("nfs_close_async", handle)
            except NasLost:  # with the mount all its files are closed
                return
            except OSError as error:
                if error.errno != errno.ESTALE:  # gone at the server; what was written was durable already
                    raise

    def _read(self, offset: int, target: memoryview) -> int:
        length = len(target)

        def take(count: int, data: int) -> int:
            if count:
                ctypes.memmove((ctypes.c_char * length).from_buffer(target), data, count)
            return count

        done: int = self._data("nfs_pread_async", offset, length, take=take, buffer=target)
        return done

    def _data(self, function: str, *arguments: Any, **more: Any) -> Any:
        try:
            return self._mount.move_data(function, self._require(), *arguments, **more)
        except NasLost:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DatastoreFull(self._mount.name, 0) from error
            raise NasLost(f"{self._nas_path.name}: {error}") from error

    def _require(self) -> int:
        if self._handle is None:
            raise NasLost(f"{self._nas_path.name} was closed")
        return self._handle


def _status(_: int, data: int) -> NasStatus:
    found = Stat.from_address(data)
    return NasStatus(
        st_size=found.size,
        st_mtime=found.mtime + found.mtime_nsec / 1e9,
        st_ino=found.ino,
        taken_bytes=found.used,
        is_folder=stat.S_ISDIR(found.mode),
    )


@dataclass(frozen=True, slots=True)
class NasFilling:
    """How full the volume of an export is."""

    capacity_bytes: int
    free_bytes: int


def filling_of(mount: NasMount) -> NasFilling:
    """Ask how full the volume of an export is.

    Raises:
        OSError, StorageError: the server does not say.
    """
    found: NasFilling = mount.ask("nfs_statvfs64_async", b"/", take=_filling)
    return found


def _filling(_: int, data: int) -> NasFilling:
    found = StatVfs.from_address(data)
    return NasFilling(found.frsize * found.blocks, found.frsize * found.bavail)
