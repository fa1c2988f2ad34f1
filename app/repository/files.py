"""Durable files at the standby, and one place that turns the system's errors into ours."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.domain.errors import OperationalError, StandbyFull, StandbyUnavailable

_ATTEMPTS = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WINDOWS_FULL = frozenset({39, 112})


def is_windows() -> bool:
    """Tell whether this is Windows, where directories cannot be synced and open files not renamed."""
    return os.name == "nt"


@contextmanager
def storage_errors(root: Path) -> Iterator[None]:
    """Turn every :class:`OSError` inside the block into an error about the standby path ``root``.

    Raises:
        StandbyFull: there is no space left.
        StandbyUnavailable: anything else the system refused.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, root) from error


def storage_error(error: OSError, root: Path) -> OperationalError:
    """Return our error for a failed system call at the standby."""
    if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
        return StandbyFull(path=root, free_bytes=free_bytes(root))
    return StandbyUnavailable(path=root, detail=error.strerror or str(error))


def free_bytes(root: Path) -> int:
    """Return the free bytes at a path, 0 when that cannot be told."""
    try:
        return shutil.disk_usage(root).free
    except OSError:
        return 0


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, where the system can."""
    if is_windows():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse; their renames are durable when they return
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create a directory durably; one that is there already is fine."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    sync_directory(path.parent)


def move_into(source: Path, target: Path) -> None:
    """Rename into a directory that is made when it is missing; the rename is not durable yet.

    Others remove directories that are empty, perhaps in the moment between.
    """
    for _ in range(_ATTEMPTS):
        make_directory(target.parent)
        try:
            source.rename(target)
        except FileNotFoundError:
            if not source.is_dir():
                raise
        else:
            return
    source.rename(target)


def write_new(path: Path, data: bytes) -> None:
    """Create a file that does not exist yet and make its content durable (its name is not yet).

    Raises:
        FileExistsError: the name is taken.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, *, scratch_name: str) -> None:
    """Put new content under a name at once: afterwards there is the old content or the new, never a part."""
    scratch = path.with_name(scratch_name)
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        with suppress(OSError):
            scratch.unlink()
        raise
    sync_directory(path.parent)


def read_bounded(path: Path, longest_bytes: int) -> bytes:
    """Read a whole small file.

    Raises:
        ValueError: it is longer than any honest file of its kind.
    """
    with path.open("rb") as file:
        data = file.read(longest_bytes + 1)
    if len(data) > longest_bytes:
        raise ValueError(f"longer than {longest_bytes} bytes")
    return data


def remove_tree(path: Path) -> None:
    """Delete a directory of ours with everything in it; one that is gone already is fine."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
