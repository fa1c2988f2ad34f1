"""A disk of a restore point as a file of a volume: what is read and written goes to its overlay."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from app.core.disks import ReadRequest
from app.core.nfs3 import Status
from app.domain.errors import OperationalError, StandbyUnavailable
from app.nfs.errors import NfsError
from app.nfs.overlay import OverlayDisk, OverlayError, OverlayFull, OverlayUnavailable
from app.nfs.trouble import Doing, Trouble

_SAID: Final = (OverlayError, OperationalError)
"""What a disk says when it does not do what it was asked to."""


def _nothing() -> None:
    """Know nothing of the restore point's place."""


class DiskContent:
    """Fulfils :class:`app.nfs.content.FileContent`. Thread: any, several at once."""

    def __init__(
        self,
        disk: OverlayDisk,
        now_ns: Callable[[], int] = time.time_ns,
        *,
        trouble: Trouble | None = None,
        check: Callable[[], None] = _nothing,
    ) -> None:
        """Take over a disk, which :meth:`close` closes.

        Args:
            disk: the disk.
            now_ns: the time, as nanoseconds since 1970.
            trouble: learns what the standby refuses.
            check: raises an :class:`OperationalError` where the restore point is not under its path any more: then
                what seems to be damaged is only away.
        """
        self.disk = disk
        self._now_ns = now_ns
        self._written_at_ns = now_ns()
        self._trouble = trouble or Trouble()
        self._check = check

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
        return self.disk.has_failed

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Do :meth:`app.nfs.content.FileContent.read_now`."""
        try:
            return self.disk.read_now(offset, view)
        except _SAID as error:
            raise self._refusal(Doing.READING, error) from error

    def read_into(self, offset: int, view: memoryview) -> None:
        """Do :meth:`app.nfs.content.FileContent.read_into`."""
        self.read_together([ReadRequest(offset, view)])

    def read_together(self, requests: Sequence[ReadRequest]) -> None:
        """Do :meth:`app.nfs.content.FileContent.read_together`."""
        try:
            with self._trouble.waiting():
                self.disk.read_many_into(requests)
        except (OverlayUnavailable, StandbyUnavailable) as error:
            raise self._refusal(Doing.READING, error) from error
        except _SAID:
            self._read_again(requests)
        self._trouble.note_success(Doing.READING)

    def _read_again(self, requests: Sequence[ReadRequest]) -> None:
        """Read what seems to be damaged once more, once it is known that it is not merely away.

        A folder that is empty because nothing is mounted there looks as if all that was in it were lost.
        """
        try:
            self._check()
            self.disk.check_place()
        except _SAID as error:
            self._trouble.note(Doing.READING, error)
            raise NfsError(Status.JUKEBOX, str(error)) from error
        try:
            self.disk.read_many_into(requests)
        except _SAID as error:
            raise self._refusal(Doing.READING, error) from error

    def write_now(self, offset: int, data: memoryview) -> bool:
        """Do :meth:`app.nfs.content.FileContent.write_now`."""
        self._check_end(offset + len(data))
        try:
            with self._trouble.waiting():
                is_done = self.disk.write_now(offset, data)
        except _SAID as error:
            raise self._refusal(Doing.WRITING, error) from error
        if is_done:
            self._note_writing()
        return is_done

    def write(self, offset: int, data: memoryview) -> None:
        """Do :meth:`app.nfs.content.FileContent.write`; the disk does not grow."""
        self._check_end(offset + len(data))
        try:
            with self._trouble.waiting():
                self.disk.write(offset, data)
        except _SAID as error:
            raise self._refusal(Doing.WRITING, error) from error
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
            with self._trouble.waiting():
                self.disk.sync()
        except _SAID as error:
            raise self._refusal(Doing.WRITING, error) from error
        self._trouble.note_success(Doing.WRITING)

    def close(self) -> None:
        """Do :meth:`app.nfs.content.FileContent.close`."""
        self.disk.close()

    def _refusal(self, doing: Doing, error: Exception) -> NfsError:
        self._trouble.note(doing, error)
        return _refusal(error)


def _refusal(error: Exception) -> NfsError:
    """Return what a client hears for what a disk says: where the standby is away, that it is to wait."""
    if isinstance(error, OverlayFull):
        return NfsError(Status.NOSPC, str(error))
    if isinstance(error, OverlayUnavailable | StandbyUnavailable):
        return NfsError(Status.JUKEBOX, str(error))
    return NfsError(Status.IO, str(error))
