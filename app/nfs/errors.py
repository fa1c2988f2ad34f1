"""What an NFS server of ours answers when it does not do what it was asked to."""

import errno

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
    errno.EROFS: Status.ROFS,
    errno.EACCES: Status.ACCES,
    errno.EPERM: Status.PERM,
    errno.EEXIST: Status.EXIST,
    errno.ENOENT: Status.STALE,
    errno.ESTALE: Status.STALE,
}
"""Of the file behind a file: one that is gone there has a handle that is stale here."""


def refusal_of(error: OSError) -> NfsError:
    """Return what to answer where the system refused."""
    return NfsError(_STATUS_OF.get(error.errno or 0, Status.IO), str(error))
