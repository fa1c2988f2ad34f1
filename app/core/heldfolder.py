"""A folder that is known again: a mount that ends or another disk puts something else under the same path."""

import errno
import os
from pathlib import Path
from typing import Final

_FOLDER: Final = getattr(os, "O_DIRECTORY", None)
"""Windows opens no folders; there a number of its own tells a folder from all others, also after its end."""


class HeldFolder:
    """Remembers which folder is at a path, and keeps it open so that no later one is taken for it. Thread: any."""

    def __init__(self, path: Path) -> None:
        """Take the folder that is there now.

        Raises:
            OSError: there is none, or the system refused.
        """
        self.path = path
        self._descriptor: int | None = None
        if _FOLDER is not None:
            self._descriptor = os.open(path, os.O_RDONLY | _FOLDER | getattr(os, "O_CLOEXEC", 0))
        self._known = path.stat() if self._descriptor is None else os.fstat(self._descriptor)

    def check(self) -> None:
        """Make sure that the path still leads to this folder.

        Raises:
            OSError: it leads nowhere or to another one (``ESTALE``), or the system refused.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._stale() from error
        if not os.path.samestat(found, self._known):
            raise self._stale()

    def _stale(self) -> OSError:
        return OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self.path))

    def close(self) -> None:
        """Let go of it; twice is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
