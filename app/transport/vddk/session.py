"""An open disk in a process of the library, and how it comes to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.access import AccessMode, DiskAddress, VddkLogin, VddkLogins
from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.messages import Message, MessageKind, Sayable
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport.attempt import Attempt, Recovery
from app.transport.errors import DiskSizeDiffers, MalformedAnswer, ModeNotOffered, ProtocolViolated
from app.transport.options import TransportOptions
from app.transport.vddk.folder import FoundLibrary
from app.transport.vddk.needs import NEEDS_OF_MODE
from app.transport.vddk.process import LibraryFailure, LibraryRefusal, VddkProcess
from app.transport.vddk.wire import Begin, Work

TRANSPORTS: Final = {
    TransportMode.SAN: "san",
    TransportMode.HOTADD: "hotadd",
    TransportMode.NBD_SSL: "nbdssl",
    TransportMode.NBD: "nbd",
}
"""What the library calls each mode. It is asked for one at a time: given several, it would fall from an encrypted
one to the plain one by itself, and would not say why it left one out."""

TOOK_OTHER: Final = MessageKind("vddk.took_other", "the library took the transport {taken} instead")
CANNOT_NOW: Final = MessageKind("vddk.cannot_now", "{reason}; {needed}")


class VddkFailed(DiskAccessFailed):
    """VMware's library did not do what it should with a disk."""

    code = "transport.vddk_failed"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = (
        "The details hold what VDDK says of it. Run the task again; if it fails again, choose another transport "
        "mode, or another release of VDDK under Settings."
    )


class VddkRefused(VddkFailed):
    """VMware's library refused what trying again does not change."""

    code = "transport.vddk_refused"
    hint_template = (
        "The details hold what VDDK says of it. Remove the cause, or choose another transport mode or another "
        "release of VDDK under Settings."
    )
    retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryInUse:
    """The library that disks are opened by, and what its processes need."""

    command: Sequence[str]
    """What starts this program as a process of the library."""
    found: FoundLibrary
    config: str
    """The library's configuration file."""

    def begin(self, work: Work, **more: object) -> Begin:
        """Return what a process of the library is told first."""
        library = self.found.library
        return Begin(
            work=work.value,
            library=library.file,
            library_folder=library.folder,
            config=self.config,
            major=self.found.major,
            minor=self.found.minor,
            **more,  # type: ignore[arg-type]
        )

    def begin_as(self, login: VddkLogin, work: Work, **more: object) -> Begin:
        """Return what a process is told first that logs in."""
        return self.begin(
            work,
            server=login.server,
            port=login.port,
            user=login.user,
            password=login.password,
            thumbprint=login.thumbprint_sha1,
            vm=login.vm,
            **more,
        )


class VddkDisk:
    """An open disk; the library's process is replaced when it dies or hangs. Thread: one at a time."""

    def __init__(
        self,
        library: LibraryInUse,
        logins: VddkLogins,
        disk: DiskAddress,
        permission: AccessMode,
        mode: TransportMode,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
        leave: Callable[[], bool],
    ) -> None:
        """Open it.

        Args:
            library: what opens it.
            logins: how to log in.
            disk: which one.
            permission: for reading or for writing.
            mode: one of the library's.
            options: buffers and time limits.
            log: of the task.
            cancel: of the task.
            leave: called when it is closed; returns whether the library may clean up behind all disks.

        Raises:
            OperationalError: it cannot be opened in this mode.
            TaskCancelled: cancelled meanwhile.
        """
        is_read = permission is AccessMode.READ
        self.attempt = Attempt(path=disk.path, mode=mode, operation=Done.READ if is_read else Done.WRITTEN)
        self.disk, self.options, self.log, self.cancel = disk, options, log, cancel
        self.recovery = Recovery(self.attempt, options.reconnect, log, cancel)
        self._library, self._logins = library, logins
        self._work = Work.READ if is_read else Work.WRITE
        self._leave = leave
        self._number = 0
        self.is_closed = False
        try:
            self.process = self._opened()
        except LibraryFailure as failure:
            leave()
            raise self._cannot_open(failure) from failure
        except BaseException:
            leave()
            raise

    def next_number(self) -> int:
        """Return a number for a request."""
        self._number += 1
        return self._number

    def check_open(self) -> None:
        """Check that the disk can be used.

        Raises:
            ValueError: it is closed.
        """
        if self.is_closed:
            raise ValueError("the disk is closed")

    def restore(self, failure: LibraryFailure) -> None:
        """Open the disk again in a new process, after a pause; what was asked of the old one is lost.

        Raises:
            DiskAccessFailed: that does not help.
            TaskCancelled: cancelled meanwhile.
        """
        while True:
            self.process.close(cleans_up=False, within_s=self.options.close_timeout_s)
            if not failure.may_pass:
                raise self.error(failure) from failure
            self.recovery.pause_after(failure)
            if self.disk.has_moved():
                raise self.error(failure) from failure
            try:
                self.process = self._opened()
            except LibraryFailure as again:
                failure = again
            else:
                return

    def error(self, failure: LibraryFailure, reason: Sayable | None = None) -> VddkFailed:
        """Return the error that says why the disk cannot be used; ``reason`` may say more than the failure."""
        return self.attempt.error(VddkFailed if failure.may_pass else VddkRefused, detail=reason or failure)

    def violated(self, answer: MalformedAnswer) -> ProtocolViolated:
        """Return the error for an answer that cannot be."""
        return self.attempt.error(ProtocolViolated, detail=answer)

    def close(self) -> None:
        """Close the disk in order, and end the process in any case; never raises."""
        if not self.is_closed:
            self.is_closed = True
            self.process.close(cleans_up=self._leave(), within_s=self.options.library_close_s)

    def _opened(self) -> VddkProcess:
        """Start a process and open the disk in it.

        Raises:
            LibraryFailure: the library could not.
            OperationalError: what it opened is not what was wanted, or the platform cannot be asked.
            TaskCancelled: cancelled meanwhile.
        """
        login = self._logins.vddk_login(self.disk.vm)
        begin = self._library.begin_as(
            login,
            self._work,
            snapshot=str(self.disk.snapshot or ""),
            transport=TRANSPORTS[self.attempt.mode],
            path=self.disk.path,
        )
        process = VddkProcess(self._library.command, begin.library, self.cancel)
        try:
            answer, taken = process.begin(begin, within_s=self.options.library_open_s)
            self._check(answer.first, taken.decode("utf-8", "replace"))
        except MalformedAnswer as malformed:
            process.kill()
            raise self.violated(malformed) from malformed
        except BaseException:
            process.close(cleans_up=False, within_s=self.options.close_timeout_s)
            raise
        return process

    def _check(self, capacity_bytes: int, taken: str) -> None:
        if taken != TRANSPORTS[self.attempt.mode]:
            raise self.attempt.error(ModeNotOffered, detail=TOOK_OTHER.fill(taken=taken or "?"))
        if capacity_bytes != self.disk.capacity_bytes:
            raise self.attempt.error(
                DiskSizeDiffers, actual_bytes=capacity_bytes, expected_bytes=self.disk.capacity_bytes
            )

    def _cannot_open(self, failure: LibraryFailure) -> DiskAccessFailed:
        """Return why the disk cannot be opened; where a way past the hosts was refused, what it needs."""
        reason: Message = failure.said()
        needed = NEEDS_OF_MODE.get(self.attempt.mode)
        if needed is not None and isinstance(failure, LibraryRefusal) and not failure.may_pass:
            reason = CANNOT_NOW.fill(reason=reason, needed=needed)
        return self.error(failure, reason)
