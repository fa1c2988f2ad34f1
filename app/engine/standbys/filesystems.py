"""The file systems of standby machines: whether they are there, their space, their directories.

A file in the root of every standby machine says which one it is. A root without it, or with another, is a share
that is not mounted or another disk: nothing is created there.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.contract.standbys import DirectoryEntry
from app.core.accesslists import restrict_access_list
from app.core.durable import remove_directory, replace_durably, unlink
from app.core.privatefiles import (
    file_mode_in,
    make_folder_on_standby,
    make_folders_on_standby,
    open_on_standby,
)
from app.core.space import space_at
from app.core.utf8 import can_be_path, shown_path
from app.domain.errors import OperationalError, StandbyUnavailable
from app.domain.reasons import reason_of
from app.domain.standbys import RepositoryPlace, Standby, target_directory
from app.engine.reasons import MARK_MISSING, NO_DIRECTORY, NOT_ABSOLUTE, NOT_UTF8, OTHER_STANDBY
from app.repository import Repository

MARK_NAME = ".standfast-standby"
_LONGEST_MARK_BYTES = 100
_SEARCH_DEPTH = 3
_NO_DATE_BEFORE_S = 946_684_800
"""The year 2000: file systems that keep no times show 1970 or 1980."""
_SEARCH_LIMIT = 2000
"""Directories that are looked at when a root is searched for repositories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyHealth:
    """How a standby machine was when it was last looked at."""

    reachable: bool
    writable: bool
    error: OperationalError | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    clock_ahead: timedelta | None = None
    """By how much this machine's clock is ahead of that of the file server; None when it is not known."""
    locked: OperationalError | None = None
    """Why encrypted repositories there cannot be opened on this machine."""


def look_at(standby: Standby) -> StandbyHealth:
    """Look whether a standby machine is there, is the one that was registered, and can be written.

    Never raises. May take long where a share does not answer.
    """
    root = Path(standby.root_path)
    try:
        check_root(standby)
    except OperationalError as error:
        return StandbyHealth(reachable=False, writable=False, error=error)
    space = space_at(root)
    problem, clock_ahead = _write_and_read_date(root)
    return StandbyHealth(
        reachable=True,
        writable=problem is None,
        error=problem,
        total_bytes=None if space is None else space.total_bytes,
        free_bytes=None if space is None else space.free_bytes,
        clock_ahead=clock_ahead,
    )


def check_root(standby: Standby) -> None:
    """Accept the root of a standby machine as the one that was registered.

    Raises:
        StandbyUnavailable: it is not there, or something else is there.
    """
    root = Path(standby.root_path)
    try:
        if not root.is_dir():
            raise StandbyUnavailable(path=root, detail=NO_DIRECTORY)
        if standby.mark is None:
            return
        found = read_mark(root)
    except OSError as error:
        raise _unavailable(root, error) from error
    if found is None:
        raise StandbyUnavailable(path=root, detail=MARK_MISSING.fill(file=MARK_NAME))
    if found != standby.mark:
        raise StandbyUnavailable(path=root, detail=OTHER_STANDBY)


def read_mark(root: Path) -> str | None:
    """Return what marks a root, or None.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (root / MARK_NAME).open("rb") as file:
            text = file.read(_LONGEST_MARK_BYTES).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return text or None


def known_mark(path: Path) -> str | None:
    """Return what marks a directory that may become a root; None without a mark or without such a directory.

    Raises:
        StandbyUnavailable: it cannot be looked at.
    """
    try:
        return read_mark(path)
    except NotADirectoryError:
        return None
    except OSError as error:
        raise _unavailable(path, error) from error


def is_same_root(path: str, other: str) -> bool:
    """Return whether two paths lead to one directory: by a link, a second mount or another spelling."""
    if path == other:
        return True
    try:
        return Path(path).samefile(other)
    except OSError:
        return False


def adopt_root(path: Path, *, renew: bool = False, prepare: Callable[[Path], None] | None = None) -> str | None:
    """Make a directory the root of a standby machine and return its mark.

    Args:
        path: the directory, made when its parent is there.
        renew: give it another mark; otherwise an existing mark stays.
        prepare: sets the rights of the directory before anything is made in it; when it fails, a directory that
            was made is removed again.

    Returns:
        None where nothing can be written, so that points on a read-only disk can still be restored.

    Raises:
        StandbyUnavailable: the directory is not there and cannot be made.
        OperationalError: ``prepare`` failed.
    """
    try:
        is_new = not path.is_dir()
        if is_new:
            make_folder_on_standby(path)
            if os.name == "nt":
                restrict_access_list(path)
        if prepare is not None:
            _prepare(path, prepare, is_new=is_new)
        known = read_mark(path)
    except OSError as error:
        raise _unavailable(path, error) from error
    if known is not None and not renew:
        return known
    mark = str(uuid.uuid4())
    try:
        replace_durably(path / MARK_NAME, f"{mark}\n".encode(), mode=file_mode_in(path))
    except OSError as error:
        if renew:
            raise _unavailable(path, error) from error
        return None
    return mark


def _prepare(path: Path, prepare: Callable[[Path], None], *, is_new: bool) -> None:
    try:
        prepare(path)
    except OperationalError:
        if is_new:
            with suppress(OSError):
                remove_directory(path)
        raise


def prepare_target(place: RepositoryPlace) -> None:
    """Make the directory for a repository that was never there before.

    Raises:
        StandbyUnavailable: the standby machine is not there, or refuses.
    """
    check_root(place.standby)
    try:
        make_folders_on_standby(place.path)
    except OSError as error:
        raise _unavailable(place.path, error) from error


def repository_above(standby: Standby, target_path: str) -> str | None:
    """Return the target path of the repository that would contain a target path, or None."""
    parts = target_path.split("/") if target_path else []
    for depth in range(len(parts)):
        above = "/".join(parts[:depth])
        if Repository.exists_at(target_directory(standby, above)):
            return above
    return None


def find_repositories(standby: Standby) -> Iterator[str]:
    """Yield the target paths of the repositories in the root and a few levels below it."""
    waiting, looked_at = [""], 0
    while waiting and looked_at < _SEARCH_LIMIT:
        target_path = waiting.pop(0)
        looked_at += 1
        directory = target_directory(standby, target_path)
        if Repository.exists_at(directory):
            yield target_path
        elif len(target_path.split("/")) <= _SEARCH_DEPTH:
            waiting.extend(f"{target_path}/{name}".lstrip("/") for name in _names_of_directories(directory))


def browse(standby: Standby, target_path: str) -> tuple[DirectoryEntry, ...]:
    """Return the directories in a directory of a standby machine, by name.

    Raises:
        StandbyUnavailable: it cannot be read.
    """
    check_root(standby)
    directory = target_directory(standby, target_path)
    return tuple(_entries(directory, target_path))


def browse_machine(path: str) -> tuple[DirectoryEntry, ...]:
    """Return the directories in a directory of this machine, by name; an empty path lists the roots.

    Raises:
        StandbyUnavailable: it cannot be read, or is not absolute.
    """
    if not path:
        return tuple(_machine_roots())
    if not can_be_path(path):
        raise StandbyUnavailable(path=shown_path(path), detail=NOT_UTF8)
    directory = Path(path)
    if not directory.is_absolute():
        raise StandbyUnavailable(path=path, detail=NOT_ABSOLUTE)
    return tuple(_entries(directory, directory.as_posix()))


def _machine_roots() -> Iterator[DirectoryEntry]:
    if sys.platform == "win32":
        roots = [Path(drive) for drive in os.listdrives()] if hasattr(os, "listdrives") else _drives_by_letter()
    else:
        roots = [Path("/")]
    for root in roots:
        yield DirectoryEntry(
            name=str(root),
            path=root.as_posix(),
            is_repository=Repository.exists_at(root),
            has_children=next(_names_of_directories(root), None) is not None,
        )


def _drives_by_letter() -> list[Path]:
    return [drive for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if (drive := Path(f"{letter}:\\")).exists()]


def _entries(directory: Path, shown: str) -> Iterator[DirectoryEntry]:
    try:
        names = sorted(_scan(directory), key=str.casefold)
    except OSError as error:
        raise _unavailable(directory, error) from error
    base = shown.rstrip("/")
    for name in names:
        inside = directory / name
        yield DirectoryEntry(
            name=name,
            path=f"{base}/{name}" if base or shown == "/" else name,
            is_repository=Repository.exists_at(inside),
            has_children=next(_names_of_directories(inside), None) is not None,
        )


def _names_of_directories(directory: Path) -> Iterator[str]:
    try:
        yield from _scan(directory)
    except OSError:
        return


def _scan(directory: Path) -> Iterator[str]:
    with os.scandir(directory) as found:
        for entry in found:
            # A backslash in a name could not be told from a separator; names that begin with a dot are hidden; one
            # that is not UTF-8 can neither be shown nor kept.
            is_usable = not entry.name.startswith(".") and "\\" not in entry.name and can_be_path(entry.name)
            if is_usable and entry.is_dir():
                yield entry.name


def _write_and_read_date(root: Path) -> tuple[OperationalError | None, timedelta | None]:
    """Write a file; return why that failed, and by how much our clock is ahead of the one that dated the file."""
    written = root / f".standfast-probe-{uuid.uuid4()}"
    try:
        os.close(open_on_standby(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        dated_s, now_s = written.stat().st_mtime, time.time()
        unlink(written)
    except OSError as error:
        return _unavailable(root, error), None
    if dated_s < _NO_DATE_BEFORE_S:
        return None, None
    return None, timedelta(seconds=now_s - dated_s)


def _unavailable(path: Path, error: OSError) -> StandbyUnavailable:
    return StandbyUnavailable(path=path, detail=reason_of(error))
