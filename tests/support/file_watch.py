"""Reports whether anyone opened a file, as the kernel sees it (inotify(7))."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN = 0x20
_NONBLOCK = 0o4000
_ONE_EVENT = 4096


class FileWatch:
    """Watches one file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def was_opened(self) -> bool:
        """Return whether the file was opened since the last call."""
        try:
            return bool(os.read(self._descriptor, _ONE_EVENT))
        except BlockingIOError:
            return False


@contextmanager
def watching(path: Path) -> Iterator[FileWatch]:
    """Watch a file that exists."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(_NONBLOCK)
    if descriptor < 0 or libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_OPEN) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    try:
        yield FileWatch(descriptor)
    finally:
        os.close(descriptor)
