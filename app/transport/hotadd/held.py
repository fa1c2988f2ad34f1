"""A disk that is attached to the VM that this program runs in, for as long as it is open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.access import AccessMode, AttachedDisks, Attachment, DiskAddress
from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.messages import Sayable
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import Attempt
from app.transport.errors import DiskSizeDiffers, ModeNotOffered
from app.transport.hotadd.device import DeviceStalled, DeviceTooShort
from app.transport.hotadd.machine import GuestMachine, NotSeen
from app.transport.reasons import ENDS_EARLY


class HeldDisk:
    """A disk from its attaching to its detaching.

    Attributes:
        attempt: what is done to it, for errors.
        disk: which one it is.
        device: its device of this system.

    Thread: one at a time.
    """

    def __init__(
        self,
        disks: AttachedDisks,
        disk: DiskAddress,
        access: AccessMode,
        *,
        machine: GuestMachine,
        log: TaskLog,
        cancel: CancelToken,
    ) -> None:
        """Attach the disk and find it in the guest.

        Raises:
            OperationalError: it cannot be used like that; it is not attached any more.
            TaskCancelled: cancelled meanwhile; likewise.
        """
        operation = Done.WRITTEN if access is AccessMode.WRITE else Done.READ
        self.attempt = Attempt(path=disk.path, mode=TransportMode.HOTADD, operation=operation)
        self.disk = disk
        self._disks = disks
        self._machine = machine
        self._log = log
        try:
            uuids = machine.bios_uuids()
        except NotSeen as reason:
            raise self.attempt.error(ModeNotOffered, detail=reason) from reason
        self._attachment = disks.attach(uuids, disk, access, self._refuse_known)
        self._is_known_to_guest = self._is_attached = True
        try:
            self.device = self._found(cancel)
        except BaseException:
            self.detach()
            raise

    def _refuse_known(self, planned: Attachment) -> None:
        """Refuse a serial number that this system has already: no platform may point at a disk of ours."""
        try:
            self._machine.refuse_known(planned)
        except NotSeen as reason:
            raise self.attempt.failed(reason) from reason

    def _found(self, cancel: CancelToken) -> Path:
        try:
            return self._machine.find(self._attachment, cancel).device
        except NotSeen as reason:
            raise self.attempt.failed(reason) from reason

    def refuse_other_size(self, actual_bytes: int) -> None:
        """Refuse a device of another size than the disk has.

        Raises:
            DiskSizeDiffers: it has.
        """
        expected_bytes = self.disk.capacity_bytes
        if actual_bytes != expected_bytes:
            raise self.attempt.error(DiskSizeDiffers, actual_bytes=actual_bytes, expected_bytes=expected_bytes)

    @contextmanager
    def opening(self, close: Callable[[], None]) -> Iterator[None]:
        """Call a function when opening the device inside the block fails.

        Raises:
            DiskAccessFailed: the system refused the device.
        """
        try:
            yield
        except OSError as error:
            close()
            raise self.attempt.failed(reason_of(error)) from error
        except BaseException:
            close()
            raise

    def failure(self, error: OSError, stalled: Sayable) -> DiskAccessFailed:
        """Return the error that says why the device failed; ``stalled`` is what to say of one that hangs."""
        if isinstance(error, DeviceStalled):
            return self.attempt.failed(stalled)
        if isinstance(error, DeviceTooShort):
            return self.attempt.failed(ENDS_EARLY)
        return self.attempt.failed(reason_of(error))

    def let_go(self) -> None:
        """Let the guest forget the disk; never raises, what stands in the way is logged."""
        if self._is_known_to_guest:
            self._is_known_to_guest = False
            let_go(self._machine, self._attachment, self._log)

    def detach(self) -> None:
        """Detach the disk, after the guest has let go of it; never raises."""
        self.let_go()
        if self._is_attached:
            self._is_attached = False
            self._disks.detach(self._attachment)


def let_go(machine: GuestMachine, attachment: Attachment, log: TaskLog) -> None:
    """Let the guest forget a disk that is about to be detached; what stands in the way is logged."""
    try:
        if not machine.let_go(attachment):
            log.warning(messages.NOT_LET_GO, path=attachment.path, reason=messages.STILL_HELD)
    except NotSeen as reason:
        log.warning(messages.NOT_LET_GO, path=attachment.path, reason=reason)
    except OSError as error:
        log.warning(messages.NOT_LET_GO, path=attachment.path, reason=reason_of(error))
