"""Small files that survive a crash and a power failure: a reader sees the old content or the new."""

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Final, TypeVar

from app.core.privatefiles import PRIVATE_FILE, create_private

_SHARING_VIOLATIONS = frozenset({5, 32, 33})
"""Of Windows: access denied, sharing violation, lock violation. Scanners and indexers cause all three."""
_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5)
"""Between the attempts; about two seconds in all, longer than a scanner holds a file."""
_Result = TypeVar("_Result")
_TOKEN_BYTES: Final = 8
_HERE: Final = -100
_NO_REPLACE: Final = 1
"""``AT_FDCWD`` and ``RENAME_NOREPLACE`` of Linux."""
_NOT_THERE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def scratch_path_for(path: Path, suffix: str = ".tmp") -> Path:
    """Return a hidden name next to a file, for content that takes its place later.

    The name is random: a fixed one may be someone else's file, or that of another process of ours. Create the
    file with ``O_EXCL``, as :func:`create_private` does.
    """
    return path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}{suffix}")


def is_scratch_of(path: Path, name: str, suffix: str = ".tmp") -> bool:
    """Return whether a name is one that :func:`scratch_path_for` makes for a file."""
    pattern = rf"\.{re.escape(path.name)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}{re.escape(suffix)}"
    return re.fullmatch(pattern, name) is not None


def replace_durably(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put ``data`` under ``path`` at once: temporary file, write, fsync, rename, fsync of the directory.

    The file's permissions are ``mode`` from its first byte on (POSIX; on Windows the folder's apply).

    Raises:
        OSError: the system refused; the old content is still there.
    """
    scratch = scratch_path_for(path)
    file = create_private(scratch)
    try:
        with file:
            if os.name != "nt" and mode != PRIVATE_FILE:
                with suppress(OSError):  # network file systems without modes
                    os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(scratch, path)
    except BaseException:  # whatever stopped us, a half-written file must not stay
        with suppress(OSError):
            unlink(scratch)
        raise
    sync_directory(path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename a file or directory; on Windows wait until scanners and other readers release it.

    Raises:
        OSError: the system refused, or another process held the file for too long.
    """
    _patiently(lambda: source.rename(target))


def replace(source: Path, target: Path) -> None:
    """Rename over an old file, if there is one; wait like :func:`rename`.

    Raises:
        OSError: the system refused, or another process held one of the files for too long.
    """
    _patiently(lambda: source.replace(target))


def rename_to_new(source: Path, target: Path) -> None:
    """Rename a file to a name that no one has; what is there, or comes meanwhile, is not overwritten.

    Where the file system has neither hard links nor a rename that refuses a taken name (exFAT over FUSE, some
    shares), an empty file reserves the name. Two gaps remain there: a program that opens this empty file in the
    instant before it is replaced loses what it writes, and a crash in this instant leaves the empty file.

    Raises:
        FileExistsError: the name is taken.
        OSError: the system refused; the source is where it was.
    """
    if os.name == "nt":  # where a rename never overwrites
        rename(source, target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if not _rename_if_new(source, target):
            _rename_over_reserved(source, target)
    else:
        with suppress(OSError):  # the file has its name; a second one harms nothing
            unlink(source)


def _rename_if_new(source: Path, target: Path) -> bool:
    """Let the system rename and refuse a name that is taken; return False where it cannot do that."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    if call(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NO_REPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_THERE:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


def _rename_over_reserved(source: Path, target: Path) -> None:
    with create_private(target) as reserved:  # it stays open: so long no one else gets its inode number

        def is_ours() -> bool:
            now = target.lstat()
            return os.path.samestat(now, os.fstat(reserved.fileno())) and now.st_size == 0

        try:
            if not is_ours():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            replace(source, target)
        except BaseException:
            with suppress(OSError):
                if source.exists() and is_ours():
                    unlink(target)
            raise


def unlink(path: Path, *, missing_ok: bool = False) -> None:
    """Delete a file; wait like :func:`rename`.

    Raises:
        FileNotFoundError: there is none, and ``missing_ok`` is not set.
        OSError: the system refused, or another process held the file for too long.
    """
    try:
        _patiently(lambda: path.unlink())
    except FileNotFoundError:
        if not missing_ok:
            raise


def remove_directory(path: Path) -> None:
    """Delete an empty directory; wait like :func:`rename`.

    Raises:
        OSError: the system refused, or it is not empty.
    """
    _patiently(lambda: path.rmdir())


def remove_directory_tree(path: Path) -> None:
    """Delete a directory with everything in it; wait like :func:`rename`.

    Raises:
        OSError: the system refused, or another process held one of the files for too long.
    """
    for error in remove_what_can_be(path).values():
        raise error


def remove_what_can_be(path: Path) -> dict[Path, OSError]:
    """Delete a directory and as much in it as the system lets go; wait like :func:`rename`.

    Returns:
        What is left, each with the system's reason; empty when all is gone. A directory that stays only because
        of what is left in it is not named.
    """
    left: dict[Path, OSError] = {}

    def refused(act: Callable[..., object], name: str, error: BaseException) -> None:
        place = Path(name)
        if isinstance(error, FileNotFoundError) or not isinstance(error, OSError):
            return
        if act is os.rmdir and any(place in other.parents for other in left):
            return
        try:
            if getattr(error, "winerror", None) not in _SHARING_VIOLATIONS or act not in (os.unlink, os.rmdir):
                raise error
            _patiently(lambda: act(place))
        except FileNotFoundError:
            return
        except OSError as final:
            left[place] = final

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=refused)
    else:
        shutil.rmtree(path, onerror=lambda act, name, info: refused(act, name, info[1]))
    return left


def _patiently(act: Callable[[], _Result]) -> _Result:
    for pause_s in _PAUSES_S:
        try:
            return act()
        except OSError as error:
            if getattr(error, "winerror", None) not in _SHARING_VIOLATIONS:
                raise
        time.sleep(pause_s)
    return act()


def long_path(path: Path, *, windows: bool = os.name == "nt") -> Path:
    """Return a path that may be longer than 260 characters on Windows; elsewhere the path as it is."""
    if not windows:
        return path
    text = str(PureWindowsPath(str(path)))
    if text.startswith(("\\\\?\\", "\\\\.\\")) or not PureWindowsPath(text).is_absolute():
        return path
    if text.startswith("\\\\"):
        return Path("\\\\?\\UNC\\" + text[2:])
    return Path("\\\\?\\" + text)


def plain_path(path: Path) -> Path:
    """Return a path as the operator knows it: without what :func:`long_path` has put before it."""
    text = str(path)
    if text.startswith("\\\\?\\UNC\\"):
        return Path("\\\\" + text[8:])
    return Path(text.removeprefix("\\\\?\\"))


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, where the system can.

    Raises:
        OSError: the disk failed.
    """
    if os.name == "nt":  # directories cannot be opened there; NTFS journals its names
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse; their renames are durable when they return
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
