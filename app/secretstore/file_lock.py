"""One writer at a time, over all processes of this machine and all threads of each."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.privatefiles import make_private_folders, open_private

PATIENCE_S = 15.0
"""How long another writer is waited for; it holds the lock for as long as one small file takes."""
_LOOK_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_acquire(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLOCK):
                return False
            raise
        return True

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file, ``<file>.lock`` beside it, which stays; the system frees it when a process dies.

    Raises:
        TimeoutError: another program holds it all the time.
        OSError: the lock file cannot be opened.
    """
    make_private_folders(path.parent)
    file = path.with_name(f"{path.name}.lock")
    descriptor = open_private(file, os.O_RDWR | os.O_CREAT)
    try:
        deadline = time.monotonic() + patience_s
        while not _try_acquire(descriptor):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    errno.ETIMEDOUT, "another program has been holding its lock for too long", str(file)
                )
            time.sleep(_LOOK_S)
        try:
            yield
        finally:
            _release(descriptor)
    finally:
        os.close(descriptor)
