"""A lock that one process of this machine holds, and that the system frees when the process dies."""

import os
import sys
from pathlib import Path
from typing import Self

from app.core.privatefiles import open_private

_LOCKED_BYTE = 1 << 30
"""Windows forbids everybody else to read a locked byte, so it lies far behind the content."""
_LONGEST_NOTE_BYTES = 200

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class ProcessLock:
    """A held lock. Two of the same process exclude each other as well.

    The file stays when the lock is released: removing it would let two processes lock two different files of one
    name. It holds the process id of its last holder, for messages only; the truth is the system's lock.

    Thread: any.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take the lock of a file, which is created when it is not there; return None when somebody holds it.

        Raises:
            OSError: the file cannot be opened.
        """
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            if not _try_lock(descriptor):
                os.close(descriptor)
                return None
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode("ascii"))
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def holds(self, path: Path) -> bool:
        """Tell whether the locked file is still the one of this name; it may have been removed meanwhile."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let go; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def noted_holder(path: Path) -> int | None:
    """Return the process id that the last holder of a lock wrote into its file; None when it cannot be told."""
    try:
        with path.open("rb") as file:
            return int(file.read(_LONGEST_NOTE_BYTES))
    except (OSError, ValueError):
        return None
