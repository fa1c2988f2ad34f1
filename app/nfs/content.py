"""What is behind the files of a volume: files at the standby, and disks of a restore point with their overlays."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from app.core.disks import ReadRequest
from app.core.durable import sync_directory, unlink
from app.core.heldfolder import HeldFolder
from app.core.nfs3 import Status
from app.core.positioned import PositionedFile
from app.core.privatefiles import open_on_standby
from app.nfs.errors import NfsError, refusal_of
from app.nfs.trouble import Doing, Trouble

_NO_WAIT: Final = getattr(os, "RWF_NOWAIT", None)
_OPEN_FILES: Final = 64
LARGEST_FILE_BYTES: Final = 1 << 62


class FileContent(Protocol):
    """The bytes of a file. Thread: any, several at once. Those that do not say so may wait for a disk."""

    @property
    def size_bytes(self) -> int:
        """How long it is; from memory."""
        ...

    @property
    def used_bytes(self) -> int:
        """What it takes at the standby; from memory."""
        ...

    @property
    def written_at_ns(self) -> int:
        """When it was written last, since 1970; from memory, and another one after every write."""
        ...

    @property
    def has_failed(self) -> bool:
        """Whether a sync has failed: then nothing is taken any more before the file is opened again."""
        ...

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a buffer where that needs no waiting; return whether it was filled. It lies within the file."""
        ...

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill a buffer; it lies within the file.

        Raises:
            NfsError: that cannot be read.
        """
        ...

    def read_together(self, requests: Sequence[ReadRequest]) -> None:
        """Fill several buffers; they lie within the file.

        Raises:
            NfsError: one of them cannot be read.
        """
        ...

    def write_now(self, offset: int, data: memoryview) -> bool:
        """Do :meth:`write` where that needs no waiting; return whether it was done.

        Raises:
            NfsError: it cannot be written.
        """
        ...

    def write(self, offset: int, data: memoryview) -> None:
        """Write, visible to all who read after that, and not durable yet.

        Raises:
            NfsError: it was not written, or a part of it was.
        """
        ...

    def resize(self, size_bytes: int) -> None:
        """Cut the file, or lengthen it with zeros.

        Raises:
            NfsError: it stays as long as it was.
        """
        ...

    def sync(self) -> None:
        """Return when all that was written before is durable.

        Raises:
            NfsError: that is not known.
        """
        ...

    def close(self) -> None:
        """Let go of what is open; never raises."""
        ...


class OpenFiles:
    """Keeps the files open that were used last, of all volumes together. Thread: any."""

    def __init__(self, most: int = _OPEN_FILES) -> None:
        self._most = most
        self._open: dict[Path, PositionedFile] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, folder: HeldFolder) -> PositionedFile:
        """Return a file of a folder, opened now unless it is open.

        Raises:
            OSError: it cannot be opened, or another folder is in the place of this one.
        """
        with self._lock:
            found = self._open.pop(path, None)
            if found is None:
                found = PositionedFile(open_on_standby(path, os.O_RDWR))
                folder.check()
            self._open[path] = found
            while len(self._open) > self._most:
                del self._open[next(iter(self._open))]
            return found

    def forget(self, path: Path) -> None:
        """Close a file as soon as no use of it is under way."""
        with self._lock:
            self._open.pop(path, None)

    def close(self) -> None:
        """Close all files, each as soon as no use of it is under way."""
        with self._lock:
            self._open.clear()


@dataclass(frozen=True, slots=True)
class FileStorage:
    """Where the plain files of a volume are."""

    folder: HeldFolder
    files: OpenFiles
    trouble: Trouble
    """Learns what the standby refuses."""


class PlainFile:
    """A file that the host made: locks, swap, logs, deltas, configuration. Fulfils :class:`FileContent`."""

    def __init__(self, path: Path, storage: FileStorage, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Look at a file that is there.

        Raises:
            OSError: it cannot be looked at.
        """
        self._path = path
        self._storage = storage
        self._trouble = storage.trouble
        self._now_ns = now_ns
        self._lock = threading.Lock()
        found = path.stat()
        self._size_bytes = found.st_size
        self._written_at_ns = found.st_mtime_ns
        self._failed: OSError | None = None

    @classmethod
    def create(cls, path: Path, storage: FileStorage, data: bytes = b"") -> "PlainFile":
        """Make a file, durably; one that is left there of a creation that was not finished goes.

        Raises:
            OSError: the system refused.
        """
        storage.folder.check()
        with suppress(FileNotFoundError):
            unlink(path)
        file = PositionedFile(open_on_standby(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        try:
            file.write(0, [data])
            file.sync()
        finally:
            file.close()
        sync_directory(path.parent)
        return cls(path, storage)

    @property
    def size_bytes(self) -> int:
        """Do :attr:`FileContent.size_bytes`."""
        return self._size_bytes

    @property
    def used_bytes(self) -> int:
        """Return its length; holes are not looked for."""
        return self._size_bytes

    @property
    def written_at_ns(self) -> int:
        """Do :attr:`FileContent.written_at_ns`."""
        return self._written_at_ns

    @property
    def has_failed(self) -> bool:
        """Do :attr:`FileContent.has_failed`."""
        return self._failed is not None

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Do :meth:`FileContent.read_now`: where Linux can say that the bytes are in memory."""
        if _NO_WAIT is None:
            return False
        try:
            return os.preadv(self._open().descriptor, [view], offset, _NO_WAIT) == len(view)
        except OSError:  # not in memory, or a file system that cannot say: whoever waits for it hears more
            return False

    def read_into(self, offset: int, view: memoryview) -> None:
        """Do :meth:`FileContent.read_into`."""
        try:
            with self._trouble.waiting():
                done = self._open().read_into(offset, [view])
        except OSError as error:
            raise self._refusal(Doing.READING, error) from error
        self._trouble.note_success(Doing.READING)
        view[done:] = bytes(len(view) - done)  # it was cut meanwhile

    def read_together(self, requests: Sequence[ReadRequest]) -> None:
        """Do :meth:`FileContent.read_together`."""
        for request in requests:
            self.read_into(request.offset, request.buffer)

    def write_now(self, offset: int, data: memoryview) -> bool:
        """Do :meth:`FileContent.write_now`: what is written waits in memory for its sync."""
        self.write(offset, data)
        return True

    def write(self, offset: int, data: memoryview) -> None:
        """Do :meth:`FileContent.write`."""
        self._refuse_failed()
        if offset + len(data) > LARGEST_FILE_BYTES:
            raise NfsError(Status.FBIG)
        try:
            with self._trouble.waiting():
                self._open().write(offset, [data])
        except OSError as error:
            raise self._refusal(Doing.WRITING, error) from error
        with self._lock:
            self._size_bytes = max(self._size_bytes, offset + len(data))
            self._written_at_ns = max(self._now_ns(), self._written_at_ns + 1)

    def resize(self, size_bytes: int) -> None:
        """Do :meth:`FileContent.resize`."""
        self._refuse_failed()
        if size_bytes > LARGEST_FILE_BYTES:
            raise NfsError(Status.FBIG)
        with self._lock:
            try:
                self._open().truncate(size_bytes)
            except OSError as error:
                raise self._refusal(Doing.WRITING, error) from error
            self._size_bytes = size_bytes
            self._written_at_ns = max(self._now_ns(), self._written_at_ns + 1)

    def sync(self) -> None:
        """Do :meth:`FileContent.sync`; after one that failed nothing is taken any more.

        What the system could not write it may have forgotten, so that a later success would say nothing.
        """
        self._refuse_failed()
        try:
            with self._trouble.waiting():
                self._open().sync_data()
        except OSError as error:
            self._failed = error
            raise self._refusal(Doing.WRITING, error) from error
        self._trouble.note_success(Doing.WRITING)

    def remove(self) -> None:
        """Delete the file; never raises: what cannot be deleted now is, when the volume is opened again."""
        self._storage.files.forget(self._path)
        with suppress(OSError):
            self._storage.folder.check()
            unlink(self._path)

    def close(self) -> None:
        """Do :meth:`FileContent.close`."""
        self._storage.files.forget(self._path)

    def _open(self) -> PositionedFile:
        return self._storage.files.get(self._path, self._storage.folder)

    def _refuse_failed(self) -> None:
        if self._failed is not None:
            raise self._refusal(Doing.WRITING, self._failed)

    def _refusal(self, doing: Doing, error: OSError) -> NfsError:
        self._trouble.note(doing, error)
        return refusal_of(error)
