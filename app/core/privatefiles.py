"""Files and folders that only this user can read, whatever the umask says.

What lies on a standby machine may be for a group: where a folder has the setgid bit and the group may write into
it (``chmod 2770``), everything that is made in it is for that group as well, and for no other user.

On Windows a new file or folder takes the access list of the folder around it. The program's own folders are in the
user's profile, which other users cannot read; the root of a standby machine that the program makes gets an access
list of its own.
"""

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from app.core.childprocess import child_flags

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


def make_private_folders(path: Path) -> None:
    """Create a folder and those missing above it, each for its owner alone; an existing one stays as it is.

    Raises:
        OSError: the system refused, or something else than a folder is there.
    """
    _make_folders(path, lambda missing: missing.mkdir(mode=PRIVATE_FOLDER))


def take_from_others(path: Path) -> None:
    """Take the rights of the group and of others from a file or folder of this user; never raises."""
    if os.name == "nt":
        return
    with suppress(OSError):  # it is not there, or belongs to somebody else, or the file system has no modes
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISLNK(status.st_mode) and status.st_uid == os.geteuid() and mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)


def is_for_group(folder: Path) -> bool:
    """Tell whether what is made in a folder is for its group: setgid, and the group may read, write and enter.

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
    path.mkdir(mode=PRIVATE_FOLDER)
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


# --- what earlier versions, or other programs, left open ---------------------------------------------------------


def is_open_to_others(path: Path) -> bool:
    """Tell whether a file or folder can be used by more users than it should be; False where that is not known.

    A folder for a group, and what is in it, may be used by that group.
    """
    if os.name == "nt":
        return False
    try:
        status = path.lstat()
        folder = path if stat.S_ISDIR(status.st_mode) else path.parent
        allowed = stat.S_IRWXG if is_for_group(folder) else 0
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(stat.S_IMODE(status.st_mode) & _OTHERS & ~allowed)


def close_to_others(root: Path) -> int:
    """Take the rights that other users have on a folder and all that is in it; return how much was changed.

    No link is followed, not even one that comes meanwhile, and no other file system is entered. A root that is
    for a group stays so.

    Raises:
        OSError: the folder cannot be read, or something in it belongs to somebody else.
    """
    if os.name == "nt":
        restrict_access_list(root)
        return 1
    allowed = stat.S_IRWXG | stat.S_ISGID if is_for_group(root) else 0
    changed, device = 0, root.lstat().st_dev
    for _, folders, files, folder in os.fwalk(root, onerror=_refused):  # by descriptors: a path may become a link
        if os.fstat(folder).st_dev != device:
            folders.clear()
            continue
        changed += _close(folder, allowed)
        for name in files:
            changed += _close_file(name, folder, device, allowed)
    return changed


def _refused(error: OSError) -> None:
    raise error


def _close_file(name: str, folder: int, device: int, allowed: int) -> bool:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.fstat(descriptor).st_dev == device and _close(descriptor, allowed)
    finally:
        os.close(descriptor)


def _close(descriptor: int, allowed: int) -> bool:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    surplus = mode & _OTHERS & ~allowed
    if surplus:
        os.fchmod(descriptor, mode & ~surplus)
    return bool(surplus)


def restrict_access_list(folder: Path, run: Callable[[list[str]], None] | None = None) -> None:
    """Let only this user, the system and administrators use a folder of Windows and all that is in it.

    Args:
        folder: the folder; new files and folders in it inherit its access list.
        run: runs the system's ``icacls``.

    Raises:
        OSError: the system refused.
    """
    user = os.environ.get("USERNAME", "")
    domain = os.environ.get("USERDOMAIN", "")
    account = f"{domain}\\{user}" if domain else user
    system, administrators = "*S-1-5-18", "*S-1-5-32-544"  # well-known identifiers, whatever the language
    grants = [f"{who}:(OI)(CI)F" for who in (account, system, administrators)]
    (run or _run_icacls)(["icacls", str(folder), "/inheritance:r", "/grant:r", *grants, "/Q"])


def _run_icacls(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, creationflags=child_flags())  # noqa: S603
    if done.returncode:
        detail = done.stderr.decode("utf-8", "replace").strip()
        raise PermissionError(errno.EACCES, detail or "the access list could not be set", command[1])
