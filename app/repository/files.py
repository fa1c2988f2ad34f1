"""Durable files at the standby, and one place that turns the system's errors into ours."""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from app.core.durable import (
    plain_path,
    remove_directory_tree,
    rename,
    replace,
    scratch_path_for,
    sync_directory,
    unlink,
)
from app.core.privatefiles import make_folder_on_standby, open_on_standby
from app.core.space import space_at
from app.core.utf8 import names_are_utf8
from app.domain.errors import OperationalError, StandbyFull, StandbyUnavailable
from app.domain.messages import Message, MessageKind
from app.domain.reasons import reason_of
from app.repository.errors import FileNamesNotUtf8, LinkRefused
from app.repository.layout import SCRATCH_SUFFIX
from app.repository.reasons import LINK_IN_PLACE, NAME_NOT_WRITABLE, NO_FILE_IN_PLACE

_ATTEMPTS = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WINDOWS_FULL = frozenset({39, 112})
_LINK_TAGS = frozenset({0xA000000C, 0xA0000003})
"""Of Windows: symbolic links, and junctions."""
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_GUARDED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Displaced(OSError):
    """A link or a special file is where a file or directory of ours should be: someone put it there."""

    def __init__(self, path: Path, reason: MessageKind = LINK_IN_PLACE) -> None:
        super().__init__(errno.ELOOP, reason.template, str(path))
        self.reason = reason

    def said(self) -> Message:
        """Return it as a message."""
        return self.reason.fill()


def is_windows() -> bool:
    """Return whether this is Windows, where directories cannot be synced and open files not renamed."""
    return os.name == "nt"


@contextmanager
def storage_errors(root: Path) -> Iterator[None]:
    """Turn every :class:`OSError` inside the block into an error about the standby path ``root``.

    Raises:
        StandbyFull: there is no space left.
        StandbyUnavailable: anything else the system refused, or a name that cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, root) from error
    except UnicodeError as error:
        raise StandbyUnavailable(
            path=root, detail=NAME_NOT_WRITABLE.fill(encoding=sys.getfilesystemencoding(), details=str(error))
        ) from error


def refuse_foreign_names(root: Path) -> None:
    """Make sure that the names this process writes can be read by every other machine.

    Raises:
        FileNamesNotUtf8: it does not write them in UTF-8.
    """
    if not names_are_utf8():
        raise FileNamesNotUtf8(path=root, encoding=sys.getfilesystemencoding())


def storage_error(error: OSError, root: Path) -> OperationalError:
    """Return our error for a failed system call at the standby."""
    if isinstance(error, Displaced):
        return LinkRefused(path=plain_path(Path(error.filename)))
    if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
        return StandbyFull(path=root, free_bytes=free_bytes(root) or 0)
    return StandbyUnavailable(path=root, detail=reason_of(error))


def is_link(path: Path) -> bool:
    """Return whether a symbolic link or a junction is here; False when nothing does."""
    try:
        return _is_link(os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_link(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) in _LINK_TAGS


def refuse_links(paths: Iterable[Path]) -> None:
    """Make sure that no link is in the place of a directory of ours.

    Raises:
        Displaced: one does.
    """
    for path in paths:
        if is_link(path):
            raise Displaced(path)


def subdirectories(directory: Path) -> tuple[list[str], list[str]]:
    """Return the names of the directories in a directory, and those of links.

    Raises:
        Displaced: a link is in the place of the directory itself.
        OSError: it cannot be read.
    """
    refuse_links([directory])
    found: list[str] = []
    links: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink() or (is_windows() and is_link(Path(entry.path))):
                links.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found), sorted(links)


def open_regular(path: Path, flags: int = _READING) -> int:
    """Open a file that exists, and nothing else: no link, in its place or its directory's, and no pipe.

    Raises:
        Displaced: something else is there.
        OSError: it cannot be opened.
    """
    if not _GUARDED:
        refuse_links([path])
    try:
        descriptor = os.open(path, flags | _GUARDED)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Displaced(path) from error
        if is_windows() and isinstance(error, PermissionError) and path.is_dir():  # which it does not open
            raise Displaced(path, NO_FILE_IN_PLACE) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Displaced(path, NO_FILE_IN_PLACE)
    return descriptor


def free_bytes(root: Path) -> int | None:
    """Return the free bytes at a path, or None when the system does not know."""
    space = space_at(root)
    return None if space is None else space.free_bytes


def make_directory(path: Path) -> None:
    """Create a directory durably; one that is there already is fine.

    Raises:
        Displaced: a link is in its place.
        OSError: the system refused.
    """
    try:
        make_folder_on_standby(path)
    except FileExistsError:
        refuse_links([path])
        return
    sync_directory(path.parent)


def move_into(source: Path, target: Path) -> None:
    """Rename into a directory that is made when it is missing; the rename is not durable yet.

    Others remove directories that are empty, perhaps in the moment between.
    """
    for _ in range(_ATTEMPTS):
        make_directory(target.parent)
        try:
            rename(source, target)
        except FileNotFoundError:
            if not source.is_dir():
                raise
        else:
            return
    rename(source, target)


def write_new(path: Path, data: bytes) -> None:
    """Create a file that does not exist yet and make its content durable (its name is not yet).

    Raises:
        FileExistsError: the name is taken.
    """
    descriptor = open_on_standby(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(descriptor, [data])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, parts: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write all bytes of some buffers, in one call of the system where it does so."""
    written = 0 if is_windows() else os.writev(descriptor, parts)
    if written != sum(map(len, parts)):
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def replace_file(path: Path, data: bytes) -> None:
    """Put new content under a name at once: afterwards there is the old content or the new, never a part."""
    scratch = scratch_path_for(path, SCRATCH_SUFFIX)
    try:
        write_new(scratch, data)
        replace(scratch, path)
    except FileExistsError:  # what is there under this name is not ours
        raise
    except OSError:
        with suppress(OSError):
            unlink(scratch)
        raise
    sync_directory(path.parent)


def read_bounded(path: Path, longest_bytes: int) -> bytes:
    """Read a whole small file.

    Raises:
        ValueError: it is longer than any honest file of its kind.
        Displaced: it is no file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        # Room is made for what is asked for: no more than the file has, whatever somebody says that it has.
        size_bytes = os.fstat(file.fileno()).st_size
        data = file.read(min(longest_bytes, size_bytes) + 1)
        if size_bytes < len(data) <= longest_bytes:  # it has grown
            data += file.read(longest_bytes + 1 - len(data))
    if len(data) > longest_bytes:
        raise ValueError(f"longer than {longest_bytes} bytes")
    return data


def remove_tree(path: Path) -> None:
    """Delete a directory of ours with everything in it; one that is gone already is fine."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not is_link(path):
            remove_directory_tree(path)
        else:
            unlink(path)
