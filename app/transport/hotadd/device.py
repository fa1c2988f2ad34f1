"""What reading and writing a block device past the page cache have in common."""

import itertools
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final

from app.core.cancel import CancelToken
from app.core.privatefiles import open_private

SECTOR_BYTES: Final = 4096
"""What offsets, lengths and buffers are multiples of; enough for devices with large sectors."""
THREADS: Final = 4
SLICE_S: Final = 0.25
_DIRECT: Final = getattr(os, "O_DIRECT", 0)


class DeviceStalled(OSError):
    """The device gave or took nothing for too long."""


class DeviceTooShort(OSError):
    """The device ends where it should go on."""


def open_direct(path: Path, flags: int) -> int:
    """Open a device or a file for direct I/O, or without that where its file system cannot do it.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return open_private(path, flags | _DIRECT)
    except OSError:
        if not _DIRECT:
            raise
        return open_private(path, flags)


def await_call(future: "Future[None]", patience_s: float, cancel: CancelToken) -> None:
    """Wait until a call that runs on a thread has ended.

    Raises:
        DeviceStalled: it has not, for too long.
        TaskCancelled: cancelled meanwhile.
        OSError: what the call raised.
    """
    limit = time.monotonic() + patience_s
    while not future.done() and not wait([future], SLICE_S).done:
        cancel.check()
        if time.monotonic() >= limit:
            raise DeviceStalled
    future.result()


def close_after(fd: int, futures: "Sequence[Future[None]]") -> None:
    """Close a device when the last of the calls that still hang in it has ended."""
    left = [future for future in futures if not future.done()]
    counter = itertools.count(1)

    def ended(_: "Future[None]") -> None:
        if next(counter) == len(left):
            os.close(fd)

    for future in left:
        future.add_done_callback(ended)
