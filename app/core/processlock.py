"""A lock that one process of this machine holds, and that the system frees when the process dies."""

import os
from pathlib import Path
from typing import Self

from app.core.filelocks import close_locked, try_lock
from app.core.privatefiles import open_private

_LONGEST_NOTE_BYTES = 200


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
        """Take the lock of a file, which is created when it is not there; return None when someone holds it.

        Raises:
            OSError: the file cannot be opened or locked.
        """
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            if not try_lock(descriptor):
                os.close(descriptor)
                return None
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode("ascii"))
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def holds(self, path: Path) -> bool:
        """Return whether the locked file is still the one of this name; it may have been removed meanwhile."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            close_locked(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def noted_holder(path: Path) -> int | None:
    """Return the process id that the last holder of a lock wrote into its file; None when it is unknown."""
    try:
        with path.open("rb") as file:
            return int(file.read(_LONGEST_NOTE_BYTES))
    except (OSError, ValueError):
        return None
