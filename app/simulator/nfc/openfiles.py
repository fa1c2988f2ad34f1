"""The disks that one session has open."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from app.simulator.nfc.errors import Refusal
from app.simulator.nfc.ports import DiskResolver
from app.simulator.nfc.tickets import Ticket
from app.simulator.nfc.wire import NfcCode
from app.simulator.storage import (
    DiskForbidden,
    DiskInUse,
    DiskNotFound,
    Door,
    HostNotServing,
    InvalidDatastorePath,
    SimDisk,
    StorageError,
)

_MOST_OPEN_FILES: Final = 16

# The words of real hosts (protocols page *NFC*, section 4a.13).
PERMISSION_FAILED: Final = "NfcAioProcessOpenFileMsg: permission check failed"
LEAF_IN_USE: Final = "Thin/TBZ/Sparse disks cannot be opened in multiwriter mode"
NOT_LOCKED: Final = "DiskLib error 16392: Failed to lock the file"
IN_MAINTENANCE: Final = "the host is in maintenance mode"
"""No source tells how a host says it."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A disk that is open."""

    disk: SimDisk
    is_writable: bool
    pin: ExitStack


class OpenFiles:
    """Opens the disks that a ticket allows, and keeps their files as they are until they are closed.

    Thread: the connection's, but for :meth:`release`, which may come later from another one.
    """

    def __init__(self, ticket: Ticket, resolver: DiskResolver) -> None:
        self._ticket = ticket
        self._resolver = resolver
        self._open: dict[int, OpenFile] = {}
        self._next_handle = 1

    def __len__(self) -> int:
        return len(self._open)

    def open(self, path: str, *, is_writable: bool) -> tuple[int, SimDisk]:
        """Open a disk and return its handle.

        Raises:
            Refusal: why not.
        """
        if is_writable and not self._ticket.writable:
            raise Refusal(NfcCode.PERMISSION, PERMISSION_FAILED)
        if len(self._open) >= _MOST_OPEN_FILES:
            raise Refusal(NfcCode.NO_RESOURCES, "too many open files")
        disk = self._resolved(path, is_writable=is_writable)
        pin = ExitStack()
        try:
            pin.enter_context(disk.pinned(by=Door.NFC, against=Door.FOLDER))
        except DiskInUse as error:
            raise Refusal(NfcCode.FILE_LOCKED, NOT_LOCKED) from error
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._open[handle] = OpenFile(disk, is_writable, pin)
        return handle, disk

    def get(self, handle: int) -> OpenFile:
        """Return an open disk.

        Raises:
            Refusal: there is none of that handle.
        """
        found = self.find(handle)
        if found is None:
            raise Refusal(NfcCode.BAD_REQUEST, f"there is no open file {handle}")
        return found

    def find(self, handle: int) -> OpenFile | None:
        """Return an open disk, None when there is none of that handle."""
        return self._open.get(handle)

    def close(self, handle: int) -> None:
        """Close a disk.

        Raises:
            Refusal: there is none of that handle.
        """
        self.get(handle).pin.close()
        del self._open[handle]

    def release(self) -> None:
        """Close every disk."""
        for file in self._open.values():
            file.pin.close()
        self._open.clear()

    def _resolved(self, path: str, *, is_writable: bool) -> SimDisk:
        ticket = self._ticket
        try:
            disk = self._resolver.resolve_disk(ticket.vm_moid, ticket.disk_key, path, writable=is_writable)
        except DiskInUse as error:
            raise Refusal(NfcCode.FILE_LOCKED, NOT_LOCKED if is_writable else LEAF_IN_USE) from error
        except HostNotServing as error:
            raise Refusal(NfcCode.NO_RESOURCES, IN_MAINTENANCE) from error
        except DiskForbidden as error:
            raise Refusal(NfcCode.PERMISSION, PERMISSION_FAILED) from error
        except InvalidDatastorePath as error:
            raise Refusal(NfcCode.BAD_REQUEST, str(error)) from error
        except DiskNotFound as error:
            raise Refusal(NfcCode.FILE_NOT_FOUND, str(error)) from error
        except StorageError as error:
            raise Refusal(NfcCode.IO_FAILED, str(error)) from error
        if is_writable and disk.is_frozen:
            raise Refusal(NfcCode.FILE_LOCKED, NOT_LOCKED)
        return disk
