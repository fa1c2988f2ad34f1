"""A disk of a restore point as a file of a volume: what is read and written goes to its overlay."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.core.disks import ReadRequest
from app.core.nfs3 import Status
from app.domain.errors import OperationalError, StandbyUnavailable
from app.nfs.errors import NfsError
from app.nfs.overlay import OverlayDisk, OverlayError, OverlayFull, OverlayUnavailable


class DiskContent:
    """Fulfils :class:`app.nfs.content.FileContent`. Thread: any, several at once."""

    def __init__(self, disk: OverlayDisk, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Take over a disk, which :meth:`close` closes."""
        self.disk = disk
        self._now_ns = now_ns
        self._written_at_ns = now_ns()
        self._has_failed = False

    @property
    def size_bytes(self) -> int:
        """The capacity of the disk."""
        return self.disk.capacity_bytes

    @property
    def used_bytes(self) -> int:
        """As if everything of it were in use: what the standby shares and packs is not the host's concern."""
        return self.disk.capacity_bytes

    @property
    def written_at_ns(self) -> int:
        """When it was written last; the start of the server where that was before it."""
        return self._written_at_ns

    @property
    def has_failed(self) -> bool:
        """Do :attr:`app.nfs.content.FileContent.has_failed`."""
        return self._has_failed

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Do :meth:`app.nfs.content.FileContent.read_now`."""
        with _refusals():
            return self.disk.read_now(offset, view)

    def read_into(self, offset: int, view: memoryview) -> None:
        """Do :meth:`app.nfs.content.FileContent.read_into`."""
        with _refusals():
            self.disk.read_into(offset, view)

    def read_together(self, requests: Sequence[ReadRequest]) -> None:
        """Do :meth:`app.nfs.content.FileContent.read_together`."""
        with _refusals():
            self.disk.read_many_into(requests)

    def write_now(self, offset: int, data: memoryview) -> bool:
        """Do :meth:`app.nfs.content.FileContent.write_now`."""
        self._check_end(offset + len(data))
        with _refusals():
            is_done = self.disk.write_now(offset, data)
        if is_done:
            self._note_writing()
        return is_done

    def write(self, offset: int, data: memoryview) -> None:
        """Do :meth:`app.nfs.content.FileContent.write`; the disk does not grow."""
        self._check_end(offset + len(data))
        with _refusals():
            self.disk.write(offset, data)
        self._note_writing()

    def _check_end(self, end: int) -> None:
        if end > self.disk.capacity_bytes:
            raise NfsError(Status.FBIG, "beyond the end of the disk")

    def _note_writing(self) -> None:
        self._written_at_ns = max(self._now_ns(), self._written_at_ns + 1)

    def resize(self, size_bytes: int) -> None:
        """Refuse: a disk keeps its size."""
        if size_bytes != self.disk.capacity_bytes:
            raise NfsError(Status.INVAL, "a disk keeps its size")

    def sync(self) -> None:
        """Do :meth:`app.nfs.content.FileContent.sync`."""
        try:
            with _refusals():
                self.disk.sync()
        except NfsError:
            self._has_failed = True
            raise

    def close(self) -> None:
        """Do :meth:`app.nfs.content.FileContent.close`."""
        self.disk.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a disk says into what a client hears.

    Raises:
        NfsError: where the standby is away, one that lets the client wait.
    """
    try:
        yield
    except OverlayFull as error:
        raise NfsError(Status.NOSPC, str(error)) from error
    except OverlayUnavailable as error:
        raise NfsError(Status.JUKEBOX, str(error)) from error
    except StandbyUnavailable as error:
        raise NfsError(Status.JUKEBOX, str(error)) from error
    except (OverlayError, OperationalError) as error:
        raise NfsError(Status.IO, str(error)) from error
