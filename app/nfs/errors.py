"""What an NFS server of ours answers when it does not do what it was asked to."""

import errno
from pathlib import Path

from app.core.nfs3 import Status


class NfsError(Exception):
    """A procedure was refused, with the status that the protocol has for it."""

    def __init__(self, status: Status, reason: str = "") -> None:
        self.status = status
        super().__init__(f"{status.name}: {reason}" if reason else status.name)


_STATUS_OF = {
    errno.ENOSPC: Status.NOSPC,
    errno.EDQUOT: Status.NOSPC,
    errno.EFBIG: Status.FBIG,
    errno.EEXIST: Status.EXIST,
    errno.EINVAL: Status.INVAL,
}
"""What is the client's affair, or its guest's."""


def refusal_of(error: OSError) -> NfsError:
    """Return what to answer where the system refused.

    A standby that is away, broken or read-only is waited for: whoever hears of an error instead gives up, and a
    guest takes its file system for damaged.
    """
    if error.errno == errno.ENOENT and _is_gone(error):
        return NfsError(Status.STALE, str(error))
    return NfsError(_STATUS_OF.get(error.errno or 0, Status.JUKEBOX), str(error))


def _is_gone(error: OSError) -> bool:
    """Return whether a file is missing in a folder that is there."""
    try:
        return error.filename is not None and Path(str(error.filename)).parent.is_dir()
    except OSError:
        return False
