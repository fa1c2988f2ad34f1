"""One writer at a time, over all processes of this machine and all threads of each."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.filelocks import close_locked, try_lock
from app.core.privatefiles import make_private_folders, open_private

PATIENCE_S = 15.0
"""How long another writer is waited for; it holds the lock as long as one small file takes."""
_LOOK_S = 0.05


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file, ``<file>.lock`` next to it, which stays; the system frees it when a process dies.

    Raises:
        TimeoutError: another program holds it all the time.
        OSError: the lock file cannot be opened or locked.
    """
    make_private_folders(path.parent)
    file = path.with_name(f"{path.name}.lock")
    descriptor = open_private(file, os.O_RDWR | os.O_CREAT)
    try:
        deadline = time.monotonic() + patience_s
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    errno.ETIMEDOUT, "another program has been holding its lock for too long", str(file)
                )
            time.sleep(_LOOK_S)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield
    finally:
        close_locked(descriptor)
