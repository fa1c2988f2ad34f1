"""Locks of files on NFS datastores, as hosts take them: by files that are created next to those they lock.

The lock of a file is ``.lck-`` and the file's number in hexadecimal, its bytes in reverse; it holds the name of
the host. Who creates it has the lock. Source: knowledge base article 340515 of the vendor.
"""

import struct
from typing import Final, Protocol

from app.simulator.storage import DiskInUse
from app.simulator.storage.places import StoredPath, open_file

_CONTENT: Final = struct.Struct("<QQI64s")


class _Named(Protocol):
    @property
    def name(self) -> str:
        """The display name."""
        ...


def lock_name(file_id: int) -> str:
    """Return the name of the lock of a file with a number."""
    return f".lck-{file_id.to_bytes(8, 'little').hex()}"


class FileLocks:
    """The locks that a host holds for one VM.

    Thread: one at a time.
    """

    def __init__(self, host: _Named) -> None:
        self._host = host
        self._held: dict[StoredPath, StoredPath] = {}

    @property
    def files(self) -> list[StoredPath]:
        """The files that are locked."""
        return list(self._held)

    def take(self, file: StoredPath) -> None:
        """Lock a file that exists; one that is locked here stays so.

        Raises:
            DiskInUse: another VM or host has locked it.
            OSError: the server refused.
        """
        if file in self._held:
            return
        lock = file.parent / lock_name(file.stat().st_ino)
        try:
            with open_file(lock, create_bytes=0) as opened:
                opened.write(0, _CONTENT.pack(0, 0, 1, self._host.name.encode()[:63]))
        except FileExistsError as error:
            raise DiskInUse(f"Failed to lock the file: {file.name} is locked by another process") from error
        self._held[file] = lock

    def release(self, file: StoredPath) -> None:
        """Give the lock of a file back.

        Raises:
            OSError: the server refused.
        """
        lock = self._held.pop(file, None)
        if lock is not None:
            lock.unlink(missing_ok=True)

    def release_all(self) -> None:
        """Give every lock back.

        Raises:
            OSError: the server refused.
        """
        for file in self.files:
            self.release(file)
