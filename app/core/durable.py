"""Small files that survive a crash and a power failure: whoever opens one sees the old content or the new."""

import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import TypeVar

from app.core.privatefiles import PRIVATE_FILE, create_private

_SHARING_VIOLATIONS = frozenset({5, 32, 33})
"""Of Windows: access denied, sharing violation, lock violation. Scanners and indexers cause all three."""
_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5)
"""Between the attempts; about two seconds in all, longer than a scanner holds a file."""
_Result = TypeVar("_Result")


def replace_durably(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put ``data`` under ``path`` at once: temporary file, write, fsync, rename, fsync of the directory.

    The file's permissions are ``mode`` from its first byte on (POSIX; on Windows the folder's apply).

    Raises:
        OSError: the system refused; the old content is still there.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
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
    """Rename a file or directory; on Windows wait until scanners and other readers let go of it.

    Raises:
        OSError: the system refused, or somebody held the file for too long.
    """
    _patiently(lambda: source.rename(target))


def replace(source: Path, target: Path) -> None:
    """Rename over an old file, if there is one; wait like :func:`rename`.

    Raises:
        OSError: the system refused, or somebody held one of the files for too long.
    """
    _patiently(lambda: source.replace(target))


def unlink(path: Path, *, missing_ok: bool = False) -> None:
    """Delete a file; wait like :func:`rename`.

    Raises:
        FileNotFoundError: there is none, and ``missing_ok`` is not set.
        OSError: the system refused, or somebody held the file for too long.
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
        OSError: the system refused, or somebody held one of the files for too long.
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
