"""Why an overlay does not do what it was asked to; the NFS server turns these into the protocol's errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WINDOWS_FULL: Final = frozenset({39, 112})


class OverlayError(Exception):
    """An overlay cannot be used, or not now."""


class OverlayFull(OverlayError):
    """The standby has no space for what was written; it was not written. Later writes may succeed."""


class OverlayUnavailable(OverlayError):
    """The standby refused, or did at an earlier write or sync whose outcome is unknown; open the overlay again."""


class OverlayInUse(OverlayError):
    """The overlay is open already, here or in another process of this machine."""


class OverlayDamaged(OverlayError):
    """Something in the log is not what was stored.

    Attributes:
        path: The file.
        offset: Where in the file, in bytes.
    """

    def __init__(self, path: Path, offset: int, detail: str) -> None:
        super().__init__(f"{path}, byte {offset}: {detail}")
        self.path = path
        self.offset = offset


class OverlayMismatch(OverlayError):
    """A segment is whole, but not of this overlay: of another one, another disk, or a newer program.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path


def overlay_error(error: OSError, doing: str) -> OverlayFull | OverlayUnavailable:
    """Return our error for a failed system call; ``doing`` says during what."""
    if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
        return OverlayFull(f"{doing}: {error}")
    return OverlayUnavailable(f"{doing}: {error}")


@contextmanager
def standby_errors(doing: str) -> Iterator[None]:
    """Turn every :class:`OSError` inside the block into ours; ``doing`` says during what.

    Raises:
        OverlayFull: there is no space left.
        OverlayUnavailable: anything else the system refused.
    """
    try:
        yield
    except OSError as error:
        raise overlay_error(error, doing) from error
