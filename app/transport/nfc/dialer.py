"""From a ticket to an open disk."""

from dataclasses import dataclass

from app.core.access import AccessMode, DiskAddress, NfcTicket, NfcTickets
from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import Attempt
from app.transport.errors import (
    DiskOpenRefused,
    DiskSizeDiffers,
    HandshakeFailed,
    HostCertificateMismatch,
    HostRefusal,
    LinkFailure,
    LinkUnreachable,
    MalformedAnswer,
    PortBlocked,
    ProtocolViolated,
    ReadNotPermitted,
    ServiceRefused,
    TicketRefused,
    TlsFailed,
    WriteNotPermitted,
)
from app.transport.link import Link
from app.transport.nfc import wire
from app.transport.nfc.authd import CertificateUnexpected, ServiceNotOffered, TicketNotAccepted, authenticate
from app.transport.nfc.session import BufferRefused, NfcSession
from app.transport.options import MIB, TransportOptions

_BUFFER_SIZES = (2 * MIB, 512 * 1024, 64 * 1024)
"""Sizes of the transfer buffer to ask for. A fragment fills a buffer at most, so large ones save round trips."""


@dataclass(frozen=True, slots=True)
class OpenDisk:
    """A disk that is open in a session of its own."""

    session: NfcSession
    file: wire.OpenedFile


class NfcDialer:
    """Opens one disk, as often as it is needed, with a new ticket each time.

    Thread: one at a time.
    """

    def __init__(
        self,
        tickets: NfcTickets,
        disk: DiskAddress,
        access: AccessMode,
        mode: TransportMode,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> None:
        self._tickets = tickets
        self._disk = disk
        self._access = access
        self._mode = mode
        self.options = options
        self.log = log
        self.cancel = cancel
        self.attempt = Attempt(
            path=disk.path, mode=mode, operation=Done.READ if access is AccessMode.READ else Done.WRITTEN
        )
        self._buffer_sizes = [size for size in _BUFFER_SIZES if size <= options.transfer_buffer_bytes]
        self._buffer_sizes = self._buffer_sizes or [options.transfer_buffer_bytes]

    def is_in_vain(self) -> bool:
        """Return whether the disk is somewhere else by now.

        Raises:
            OperationalError: it is nowhere.
        """
        return self._disk.has_moved()

    def dial(self) -> OpenDisk:
        """Fetch a ticket and open the disk with it.

        Raises:
            LinkFailure: the connection broke meanwhile.
            OperationalError: the platform gave no ticket, or the host did not open the disk.
            TaskCancelled: cancelled meanwhile.
        """
        while True:
            self.cancel.check()
            ticket = self._tickets.nfc_ticket(self._disk.vm, self._disk.disk_key, self._access)
            try:
                return self._open_with(ticket)
            except BufferRefused as refusal:
                if len(self._buffer_sizes) == 1:
                    raise
                refused = self._buffer_sizes.pop(0)
                self.log.info(
                    messages.BUFFER_REDUCED,
                    host=ticket.host,
                    refused_bytes=refused,
                    reason=refusal,
                    bytes=self._buffer_sizes[0],
                )

    def _open_with(self, ticket: NfcTicket) -> OpenDisk:
        link = self._connect(ticket)
        try:
            authenticate(link, ticket, self._mode, within_s=self.options.handshake_timeout_s)
            session = NfcSession.establish(link, self.options, self._buffer_sizes[0])
            opened = self._open_file(session)
        except ServiceNotOffered as refusal:
            link.close()
            raise self.attempt.error(ServiceRefused, host=ticket.host, detail=refusal) from refusal
        except TicketNotAccepted as refusal:
            link.close()
            raise self.attempt.error(TicketRefused, host=ticket.host, detail=refusal) from refusal
        except CertificateUnexpected as error:
            link.close()
            raise self.attempt.error(
                HostCertificateMismatch, host=ticket.host, expected=error.expected, actual=error.actual
            ) from error
        except MalformedAnswer as error:
            link.close()
            raise self.attempt.error(ProtocolViolated, detail=error) from error
        except BaseException:
            link.close()
            raise
        if opened.capacity_bytes != self._disk.capacity_bytes:
            session.farewell()
            raise self.attempt.error(
                DiskSizeDiffers, actual_bytes=opened.capacity_bytes, expected_bytes=self._disk.capacity_bytes
            )
        return OpenDisk(session, opened)

    def _connect(self, ticket: NfcTicket) -> Link:
        try:
            return Link.connect(
                ticket.host, ticket.port, timeout_s=self.options.connect_timeout_s, cancel=self.cancel
            )
        except LinkUnreachable as failure:
            raise self.attempt.error(PortBlocked, host=ticket.host, port=ticket.port, detail=failure) from failure

    def _open_file(self, session: NfcSession) -> wire.OpenedFile:
        flags = wire.READ_ONLY_FLAGS if self._access is AccessMode.READ else wire.READ_WRITE_FLAGS
        try:
            return session.open_disk(self._disk.path, flags=flags)
        except HostRefusal as refusal:
            session.farewell()
            kind: type[DiskAccessFailed] = DiskOpenRefused
            if refusal.code == wire.ERROR_NOT_PERMITTED:
                kind = WriteNotPermitted if self._access is AccessMode.WRITE else ReadNotPermitted
            raise self.attempt.error(kind, detail=refusal) from refusal


def dial_first(dialer: NfcDialer) -> OpenDisk:
    """Open a disk for the first time: a connection that breaks is tried once more, nothing else is.

    Raises:
        OperationalError: it cannot be opened.
        TaskCancelled: cancelled meanwhile.
    """
    try:
        return dialer.dial()
    except LinkFailure:
        pass  # perhaps the host dropped just this connection
    try:
        return dialer.dial()
    except TlsFailed as failure:
        raise dialer.attempt.error(HandshakeFailed, detail=failure) from failure
    except LinkFailure as failure:
        raise dialer.attempt.failed(failure) from failure
