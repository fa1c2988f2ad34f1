"""Small files that survive a crash and a power failure: whoever opens one sees the old content or the new."""

import errno
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600
_WINDOWS_RENAME_ATTEMPTS = 20
_WINDOWS_RENAME_PAUSE_S = 0.05


def replace_durably(path: Path, data: bytes, *, mode: int = OWNER_ONLY) -> None:
    """Put ``data`` under ``path`` at once: temporary file, write, fsync, rename, fsync of the directory.

    The file's permissions are ``mode`` from its first byte on (POSIX; on Windows the folder's apply).

    Raises:
        OSError: the system refused; the old content is still there.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    binary = getattr(os, "O_BINARY", 0)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _rename(scratch, path)
    except BaseException:  # whatever stopped us, a half-written file must not stay
        with suppress(OSError):
            scratch.unlink()
        raise
    sync_directory(path.parent)


def _rename(scratch: Path, path: Path) -> None:
    """Rename over the old file; on Windows wait a moment for a reader, or a virus scanner, to let go of it."""
    patience = _WINDOWS_RENAME_ATTEMPTS if os.name == "nt" else 1
    for attempt in range(1, patience + 1):
        try:
            scratch.replace(path)
        except PermissionError:
            if attempt == patience:
                raise
            time.sleep(_WINDOWS_RENAME_PAUSE_S)
        else:
            return


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
