"""Files and folders that only this user can read, whatever the umask says.

What is stored on a standby machine may be for a group: where a folder has the setgid bit and the group may write
into it (``chmod 2770``), everything that is made in it is for that group as well, and for no other user.

On Windows a new file or folder takes the access list of the folder around it. The program's own folders are in the
user's profile, which other users cannot read; the root of a standby machine that the program makes gets an access
list of its own.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
GROUP_FILE: Final = 0o660
GROUP_FOLDER: Final = 0o2770
_OTHERS: Final = 0o077
PRIVATE_UMASK: Final = -1 if os.name == "nt" else _OTHERS
"""For a program of others that makes files for us (``umask`` of ``subprocess.Popen``)."""
_BINARY: Final = getattr(os, "O_BINARY", 0)
_CLOSED_IN_CHILDREN: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)


def open_private(path: Path, flags: int) -> int:
    """Open a file with ``flags`` of :func:`os.open`; a file that this creates is its owner's alone.

    Raises:
        OSError: the system refused.
    """
    return os.open(path, flags | _BINARY | _CLOSED_IN_CHILDREN, PRIVATE_FILE)


def create_private(path: Path) -> BinaryIO:
    """Create a file for writing bytes that only its owner can read.

    Raises:
        FileExistsError: the name is taken.
        OSError: the system refused.
    """
    return os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")


def create_private_text(path: Path, *, encoding: str, newline: str | None = None) -> TextIO:
    """Create a file for writing text that only its owner can read.

    Raises:
        FileExistsError: the name is taken.
        OSError: the system refused.
    """
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    return os.fdopen(descriptor, "w", encoding=encoding, newline=newline)


def write_private(path: Path, data: bytes) -> None:
    """Write a file of the moment, new or over an old one, that only its owner can read; it may be torn by a crash.

    Raises:
        OSError: the system refused.
    """
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(data)


def touch_private(path: Path) -> None:
    """Date a file to now; one that is not there is made for its owner alone.

    Raises:
        OSError: the system refused.
    """
    os.close(open_private(path, os.O_WRONLY | os.O_CREAT))
    os.utime(path)


def make_private_folder(path: Path) -> None:
    """Create a folder for its owner alone.

    Raises:
        FileExistsError: something is there already.
        OSError: the system refused.
    """
    path.mkdir(mode=PRIVATE_FOLDER)


def make_private_folders(path: Path) -> None:
    """Create a folder and those missing above it, each for its owner alone; an existing one stays as it is.

    Raises:
        OSError: the system refused, or something else than a folder is there.
    """
    _make_folders(path, make_private_folder)


def take_from_others(path: Path) -> None:
    """Take the rights of the group and of others from a file or folder of this user; never raises."""
    if os.name == "nt":
        return
    with suppress(OSError):  # it is not there, or belongs to someone else, or the file system has no modes
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISLNK(status.st_mode) and status.st_uid == os.geteuid() and mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)


def is_for_group(folder: Path) -> bool:
    """Return whether what is made in a folder is for its group: setgid, and the group may read, write and enter.

    Raises:
        OSError: the folder cannot be looked at.
    """
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISGID) and mode & stat.S_IRWXG == stat.S_IRWXG


def file_mode_in(folder: Path) -> int:
    """Return the mode of a new file in a folder of a standby machine.

    Raises:
        OSError: the folder cannot be looked at.
    """
    return GROUP_FILE if is_for_group(folder) else PRIVATE_FILE


def open_on_standby(path: Path, flags: int) -> int:
    """Open a file on a standby machine with ``flags`` of :func:`os.open`; a new one is its owner's or group's.

    Raises:
        OSError: the system refused.
    """
    descriptor = open_private(path, flags)
    if os.name != "nt" and flags & os.O_EXCL:
        with suppress(OSError):  # network file systems without modes
            if is_for_group(path.parent):
                os.fchmod(descriptor, GROUP_FILE)
    return descriptor


def make_folder_on_standby(path: Path) -> None:
    """Create a folder on a standby machine for its owner, or for the group that the folder around it is for.

    Raises:
        FileExistsError: something is there already.
        OSError: the system refused.
    """
    make_private_folder(path)
    if os.name != "nt":
        with suppress(OSError):  # network file systems without modes
            if is_for_group(path.parent):
                path.chmod(GROUP_FOLDER)


def make_folders_on_standby(path: Path) -> None:
    """Create a folder and those missing above it, each like :func:`make_folder_on_standby`.

    Raises:
        OSError: the system refused, or something else than a folder is there.
    """
    _make_folders(path, make_folder_on_standby)


def _make_folders(path: Path, make: Callable[[Path], None]) -> None:
    if path.is_dir():
        return
    if path.parent != path:
        _make_folders(path.parent, make)
    with suppress(FileExistsError):
        make(path)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
