"""Where the files of datastores are: on this machine's disk, or on an NFS server.

A :class:`StoredPath` is a path as :class:`pathlib.Path` is one, which fulfils it; ``app.simulator.nas.NasPath`` is
the other one. What :mod:`pathlib` cannot do, or not privately, is a function here that acts on either. An open
file is a :class:`StoredFile`: a :class:`app.simulator.storage.sparse.SparseFile`, or one that a server keeps.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, Self, runtime_checkable

from app.core.privatefiles import make_private_folder, make_private_folders, write_private
from app.domain.extents import Extent
from app.simulator.storage import sparse
from app.simulator.storage.sparse import SparseFile

COPY_BYTES: Final = 1 << 20
_in_a_hurry: ContextVar[bool] = ContextVar("in_a_hurry", default=False)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Wait for no server inside the block, in which a lock is held that others need: what takes time fails."""
    token = _in_a_hurry.set(True)
    try:
        yield
    finally:
        _in_a_hurry.reset(token)


def is_in_a_hurry() -> bool:
    """Return whether the caller may not wait for a server."""
    return _in_a_hurry.get()


class FileStatus(Protocol):
    """What is known of a file; :class:`os.stat_result` fulfils it."""

    @property
    def st_size(self) -> int:
        """Its length in bytes."""
        ...

    @property
    def st_mtime(self) -> float:
        """When it was written last, in seconds since 1970."""
        ...

    @property
    def st_ino(self) -> int:
        """Its number, unique within its volume."""
        ...


class StoredPath(Protocol):
    """A path below a datastore, with the part of :class:`pathlib.Path` that is used here. Thread: any."""

    @property
    def name(self) -> str:
        """The last part."""
        ...

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on."""
        ...

    @property
    def parent(self) -> "StoredPath":
        """The folder that it is in."""
        ...

    def __truediv__(self, key: str) -> "StoredPath":
        """Return what is at a path below it."""
        ...

    def __lt__(self, other: Any) -> bool:
        """Return whether it comes before another one in a sorted list."""
        ...

    def with_name(self, name: str) -> "StoredPath":
        """Return another path in the same folder."""
        ...

    def as_posix(self) -> str:
        """Return its parts joined by slashes."""
        ...

    def exists(self) -> bool:
        """Return whether there is something."""
        ...

    def is_file(self) -> bool:
        """Return whether there is a file."""
        ...

    def is_dir(self) -> bool:
        """Return whether there is a folder."""
        ...

    def stat(self) -> FileStatus:
        """Return what is known of it."""
        ...

    def iterdir(self) -> Iterator["StoredPath"]:
        """Yield what is in the folder."""
        ...

    def rglob(self, pattern: str) -> Iterator["StoredPath"]:
        """Yield what is in the folder and below it; the pattern is ``*``."""
        ...

    def read_bytes(self) -> bytes:
        """Return the content of a file."""
        ...

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Return the content of a file of text."""
        ...

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - as pathlib has it
        """Remove a file."""
        ...

    def rmdir(self) -> None:
        """Remove an empty folder."""
        ...


class StoredFile(Protocol):
    """An open file of a datastore; see :class:`SparseFile`. Thread: any."""

    @property
    def path(self) -> StoredPath:
        """Where it is stored."""
        ...

    def __enter__(self) -> Self:
        """Return the file, which is closed at the end of the block."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close the file."""
        ...

    def size_bytes(self) -> int:
        """Do :meth:`SparseFile.size_bytes`."""
        ...

    def readinto(self, offset: int, target: memoryview) -> None:
        """Do :meth:`SparseFile.readinto`."""
        ...

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Do :meth:`SparseFile.read`."""
        ...

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Do :meth:`SparseFile.write`."""
        ...

    def resize(self, size_bytes: int) -> None:
        """Do :meth:`SparseFile.resize`."""
        ...

    def flush(self) -> None:
        """Do :meth:`SparseFile.flush`."""
        ...

    def data_ranges(self) -> list[Extent]:
        """Do :meth:`SparseFile.data_ranges`."""
        ...

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        ...


@runtime_checkable
class ServedPath(Protocol):
    """What a path on a server does by itself and a path of this machine does not. Thread: any."""

    def open_file(self, create_bytes: int | None) -> StoredFile:
        """Do :func:`open_file`."""
        ...

    def put(self, data: bytes) -> None:
        """Do :func:`write_bytes`."""
        ...

    def make_folder(self) -> None:
        """Do :func:`make_folder`."""
        ...

    def rename_to(self, target: "ServedPath") -> bool:
        """Rename the file; return False when the target is on another server or volume."""
        ...

    def taken_bytes(self) -> int:
        """Do :func:`allocated_bytes`."""
        ...


def _served(path: StoredPath) -> ServedPath:
    assert isinstance(path, ServedPath)
    return path


def open_file(path: StoredPath, *, create_bytes: int | None = None) -> StoredFile:
    """Open a file for reading and writing, or create one of a size that is all holes.

    Raises:
        FileExistsError: it is to be created and is there already.
        DiskTooLarge: there can be no file of this size; none is left.
        OSError: it cannot be opened.
    """
    if isinstance(path, Path):
        return SparseFile(path, create_bytes=create_bytes)
    return _served(path).open_file(create_bytes)


def write_bytes(path: StoredPath, data: bytes) -> None:
    """Write a small file, new or over an old one.

    Raises:
        OSError: it was refused.
    """
    if isinstance(path, Path):
        write_private(path, data)
    else:
        _served(path).put(data)


def make_folder(path: StoredPath) -> None:
    """Make a folder.

    Raises:
        FileExistsError: something is there already.
        OSError: it was refused.
    """
    if isinstance(path, Path):
        make_private_folder(path)
    else:
        _served(path).make_folder()


def make_folders(path: StoredPath) -> None:
    """Make a folder and those missing above it; an existing one stays as it is.

    Raises:
        OSError: it was refused.
    """
    if isinstance(path, Path):
        make_private_folders(path)
    elif not path.is_dir():
        make_folders(path.parent)
        make_folder(path)


def remove_tree(path: StoredPath) -> None:
    """Remove a folder with all that is in it.

    Raises:
        OSError: it was refused.
    """
    if isinstance(path, Path):
        shutil.rmtree(path)
        return
    for entry in list(path.iterdir()):
        if entry.is_dir():
            remove_tree(entry)
        else:
            entry.unlink()
    path.rmdir()


def present_entries(folder: StoredPath) -> list[StoredPath]:
    """Return what is in a folder, sorted; nothing when there is no such folder, or no more.

    Raises:
        OSError: it was refused.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def allocated_bytes(path: StoredPath) -> int:
    """Return the space that a file takes, its holes left out where they are known."""
    return sparse.allocated_bytes(path) if isinstance(path, Path) else _served(path).taken_bytes()


def rename(source: StoredPath, target: StoredPath) -> bool:
    """Give a file another name, over what has that name; return False when that takes a copy.

    Raises:
        OSError: it was refused.
    """
    if isinstance(source, Path) and isinstance(target, Path):
        source.replace(target)
        return True
    if isinstance(source, Path) or isinstance(target, Path):
        return False
    return _served(source).rename_to(_served(target))


def move_file(source: StoredPath, target: StoredPath) -> None:
    """Move a file, to another place by a copy that keeps the holes.

    Raises:
        OSError: it cannot be moved; the source is still there.
    """
    if isinstance(source, Path) and isinstance(target, Path):
        sparse.move_file(source, target)
        return
    if rename(source, target):
        return
    with open_file(source) as old, open_file(target, create_bytes=old.size_bytes()) as new:
        for extent in old.data_ranges():
            copy_range(old, extent.start, new, extent.start, extent.length_bytes)
    source.unlink()


def copy_range(source: StoredFile, offset: int, target: StoredFile, target_offset: int, length_bytes: int) -> None:
    """Copy a range into another file, in the kernel where that is possible; what is zero stays a hole.

    Raises:
        OSError: one of the files fails.
    """
    if isinstance(source, SparseFile) and isinstance(target, SparseFile):
        source.copy_to(offset, target, target_offset, length_bytes)
        return
    buffer = memoryview(bytearray(min(length_bytes, COPY_BYTES)))
    for start in range(0, length_bytes, COPY_BYTES):
        piece = buffer[: min(COPY_BYTES, length_bytes - start)]
        source.readinto(offset + start, piece)
        target.write(target_offset + start, piece)
