"""Reading a disk that is attached to the VM that this program runs in."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

from app.core.access import AttachedDisks, Attachment, DiskAddress
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.extents import Extent
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import Attempt
from app.transport.errors import DiskSizeDiffers, ModeNotOffered
from app.transport.hotadd.direct import DeviceStalled, DeviceTooShort, DirectFile
from app.transport.hotadd.machine import GuestMachine, NotSeen
from app.transport.options import TransportOptions
from app.transport.reasons import ENDS_EARLY, READ_TOO_SLOW

READ_TIMEOUT_S: Final = 120.0
"""For one read of a local device: longer than a SCSI timeout of 30 s with its retries."""


class HotAddReader:
    """A disk that is attached for as long as it is open.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(
        self,
        disks: AttachedDisks,
        disk: DiskAddress,
        *,
        machine: GuestMachine,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> None:
        """Attach the disk and find it in the guest.

        Raises:
            OperationalError: it cannot be read like that; it is not attached any more.
            TaskCancelled: cancelled meanwhile; likewise.
        """
        self._attempt = Attempt(path=disk.path, mode=TransportMode.HOTADD, operation=Done.READ)
        self._disks = disks
        self._disk = disk
        self._machine = machine
        self._options = options
        self._log = log
        self._cancel = cancel
        self._file: DirectFile | None = None
        try:
            uuids = machine.bios_uuids()
        except NotSeen as reason:
            raise self._attempt.error(ModeNotOffered, detail=reason) from reason
        self._attachment: Attachment | None = disks.attach(uuids, disk, self._refuse_known)
        try:
            self._file = self._opened(self._attachment)
        except BaseException:
            self.close()
            raise

    def _refuse_known(self, planned: Attachment) -> None:
        """Refuse a serial number that this system has already: no platform may point at a disk of ours."""
        try:
            self._machine.refuse_known(planned)
        except NotSeen as reason:
            raise self._attempt.failed(reason) from reason

    def _opened(self, attachment: Attachment) -> DirectFile:
        try:
            device = self._machine.find(attachment, self._cancel).device
            file = DirectFile(device, self._disk.capacity_bytes)
        except NotSeen as reason:
            raise self._attempt.failed(reason) from reason
        except OSError as error:
            raise self._attempt.failed(reason_of(error)) from error
        try:
            actual_bytes = file.size_bytes()
        except OSError as error:
            file.close()
            raise self._attempt.failed(reason_of(error)) from error
        if actual_bytes != self._disk.capacity_bytes:
            file.close()
            raise self._attempt.error(
                DiskSizeDiffers, actual_bytes=actual_bytes, expected_bytes=self._disk.capacity_bytes
            )
        return file

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: HOTADD."""
        return self._attempt.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._options.window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read.
            ValueError: a request reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        if self._file is None:
            raise ValueError("the disk is closed")
        reading = self._file.read_many(
            requests,
            window=self.window,
            budget_bytes=self._options.transfer_buffer_bytes,
            patience_s=READ_TIMEOUT_S,
            cancel=self._cancel,
        )
        with closing(reading):
            while True:
                try:
                    request = next(reading, None)
                except OSError as error:
                    raise self._failed(error) from error
                if request is None:
                    return
                yield request

    def _failed(self, error: OSError) -> DiskAccessFailed:
        if isinstance(error, DeviceStalled):
            return self._attempt.failed(READ_TOO_SLOW.fill(seconds=f"{READ_TIMEOUT_S:g}"))
        if isinstance(error, DeviceTooShort):
            return self._attempt.failed(ENDS_EARLY)
        return self._attempt.failed(reason_of(error))

    def allocated_extents(self) -> list[Extent] | None:
        """Return None: a block device does not show which sectors were ever written."""
        return None

    def close(self) -> None:
        """Close the device, let the guest forget it, and detach the disk; never raises."""
        if self._file is not None:
            self._file.close()
            self._file = None
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            let_go(self._machine, attachment, self._log)
            self._disks.detach(attachment)


def let_go(machine: GuestMachine, attachment: Attachment, log: TaskLog) -> None:
    """Let the guest forget a disk that is about to be detached; what stands in the way is logged."""
    try:
        if not machine.let_go(attachment):
            log.warning(messages.NOT_LET_GO, path=attachment.path, reason=messages.STILL_HELD)
    except NotSeen as reason:
        log.warning(messages.NOT_LET_GO, path=attachment.path, reason=reason)
    except OSError as error:
        log.warning(messages.NOT_LET_GO, path=attachment.path, reason=reason_of(error))
