"""From a ticket to an open disk."""

import time
from dataclasses import dataclass
from typing import Final

from app.core.access import AccessMode, DiskAddress, HostsInMaintenance, NfcTicket, NfcTickets
from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.domain.addresses import with_port
from app.domain.errors import DiskAccessFailed, LoginRefused, OperationalError, PlatformUnreachable
from app.domain.messages import Message
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import Attempt
from app.transport.errors import (
    BackupNetworkBlocked,
    DiskOpenRefused,
    DiskSizeDiffers,
    GreetingRefused,
    HandshakeFailed,
    HostCertificateMismatch,
    HostInMaintenance,
    HostNameUnresolved,
    HostRefusal,
    LinkFailure,
    LinkUnreachable,
    MalformedAnswer,
    NameNotResolved,
    PortBlocked,
    ProtocolViolated,
    ReadNotPermitted,
    ServiceRefused,
    TicketRefused,
    TlsFailed,
    TlsTooWeak,
    WriteNotPermitted,
)
from app.transport.link import Link
from app.transport.nfc import wire
from app.transport.nfc.authd import CertificateUnexpected, ServiceNotOffered, TicketNotAccepted, authenticate
from app.transport.nfc.session import BufferRefused, HostWords, NfcSession
from app.transport.options import MIB, TransportOptions
from app.transport.reasons import NONE_KNOWN

_BUFFER_SIZES = (2 * MIB, 512 * 1024, 64 * 1024)
"""Sizes of the transfer buffer to ask for. A fragment fills a buffer at most, so large ones save round trips."""
_AS_THE_HOST_LIKES = 0
_LEAST_COMPARED_BYTES = 512 * 1024
"""Smaller buffers are only taken when a host wants them: each fragment costs this program some work."""
_NEVER_FROM_MAINTENANCE: Final = (
    HostCertificateMismatch,
    DiskSizeDiffers,
    ProtocolViolated,
    LoginRefused,
    PlatformUnreachable,
)


@dataclass(frozen=True, slots=True)
class OpenDisk:
    """A disk that is open in a session of its own."""

    session: NfcSession
    file: wire.OpenedFile
    host_words: str = ""
    """What the host said of itself."""


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
        sizes = [size for size in _BUFFER_SIZES if size <= options.transfer_buffer_bytes]
        self._buffer_sizes = [*(sizes or [options.transfer_buffer_bytes]), _AS_THE_HOST_LIKES]
        self._buffer = 0
        """Which of them is asked for."""
        self._says_handshake: bool | None = None
        """Whether the session begins with HANDSHAKE; None: as the host's library wants it."""
        self._is_old = False
        self._noted: set[Message] = set()

    @property
    def buffers_to_compare(self) -> tuple[int, ...]:
        """Sizes of buffers that may turn out to be better, that of the next session first."""
        known = self._buffer_sizes[self._buffer :]
        return tuple(size for size in known if size >= _LEAST_COMPARED_BYTES)

    def ask_for_buffers(self, size_bytes: int) -> None:
        """Let the next sessions have buffers of a size that :attr:`buffers_to_compare` named."""
        if size_bytes in self._buffer_sizes:
            self._buffer = self._buffer_sizes.index(size_bytes)

    def is_in_vain(self) -> bool:
        """Return whether the disk is somewhere else by now.

        Raises:
            OperationalError: it is nowhere.
        """
        return self._disk.has_moved()

    def dial(self) -> OpenDisk:
        """Fetch a ticket and open the disk with it; a host in maintenance mode is waited for.

        Raises:
            LinkFailure: the connection broke meanwhile.
            OperationalError: the platform gave no ticket, or the host did not open the disk.
            TaskCancelled: cancelled meanwhile.
        """
        until_s = time.monotonic() + self.options.maintenance_wait_s
        while True:
            try:
                return self._dialled()
            except HostInMaintenance as refusal:
                if time.monotonic() >= until_s:
                    raise
                minutes = max(1, round(self.options.maintenance_wait_s / 60))
                self._note(
                    messages.WAITING_FOR_HOST.fill(
                        host=refusal.params["host"], path=self._disk.path, minutes=minutes
                    )
                )
                self.cancel.wait(self.options.maintenance_pause_s)

    def _dialled(self) -> OpenDisk:
        while True:
            self.cancel.check()
            ticket = self._ticket()
            self._note(ticket.note)
            try:
                return self._open_with(ticket)
            except TlsTooWeak as failure:
                if not self._is_adapted_to(failure):
                    raise
                self._is_old = True
                self._note(messages.OLD_TLS.fill(host=ticket.host))
            except GreetingRefused as failure:
                if not self._is_adapted_to(failure):
                    raise
                self._says_handshake = not self._wants_handshake(ticket)
                self._note(messages.GREETED_OTHERWISE.fill(host=ticket.host))
            except BufferRefused as refusal:
                if self._buffer == len(self._buffer_sizes) - 1:
                    raise
                refused = self._buffer_sizes.pop(self._buffer)
                self.log.info(
                    messages.BUFFER_REDUCED,
                    host=ticket.host,
                    refused_bytes=refused,
                    reason=refusal,
                    bytes=self._buffer_sizes[self._buffer],
                )

    def _ticket(self) -> NfcTicket:
        try:
            return self._tickets.nfc_ticket(self._disk.vm, self._disk.disk_key, self._access)
        except OperationalError as failure:
            self._tell_maintenance_from(failure)
            raise

    def _tell_maintenance_from(self, failure: LinkFailure | OperationalError) -> None:
        """Ask whether the VM's host is in maintenance mode when something failed that could come from it.

        How a host in that mode answers is known from no source (protocols page *NFC*, section 4a.18), so that the
        platform is asked instead of reading the host's words.

        Raises:
            HostInMaintenance: it is.
        """
        if isinstance(failure, _NEVER_FROM_MAINTENANCE) or not isinstance(self._tickets, HostsInMaintenance):
            return
        try:
            host = self._tickets.host_in_maintenance(self._disk.vm)
        except OperationalError:
            return  # what failed first says more
        if host is not None:
            raise self.attempt.error(HostInMaintenance, host=host, detail=reason_of(failure)) from failure

    def _wants_handshake(self, ticket: NfcTicket) -> bool:
        if self._says_handshake is not None:
            return self._says_handshake
        return ticket.library_version >= wire.HANDSHAKE_SINCE

    def _note(self, message: Message | None) -> None:
        """Write a line to the task's log, once for the disk."""
        if message is not None and message not in self._noted:
            self._noted.add(message)
            self.log.info(message.kind, **dict(message.params))

    def _open_with(self, ticket: NfcTicket) -> OpenDisk:
        said = HostWords()
        try:
            return self._opened(ticket, said)
        except (LinkFailure, OperationalError) as failure:
            if self._is_adapted_to(failure):
                raise
            self._tell_maintenance_from(failure)
            if said.banner:
                self._note(_host_said(ticket, said))
            raise

    def _is_adapted_to(self, failure: Exception) -> bool:
        """Whether the next attempt is made in another manner because of a failure."""
        if isinstance(failure, TlsTooWeak):
            return not self._is_old
        if isinstance(failure, GreetingRefused):
            return self._says_handshake is None
        return isinstance(failure, BufferRefused)

    def _opened(self, ticket: NfcTicket, said: HostWords) -> OpenDisk:
        link = self._connect(ticket)
        try:
            authenticate(
                link,
                ticket,
                self._mode,
                within_s=self.options.handshake_timeout_s,
                said=said,
                is_old=self._is_old,
            )
            session = NfcSession.establish(
                link,
                self.options,
                self._buffer_sizes[self._buffer],
                says_handshake=self._wants_handshake(ticket),
                said=said,
            )
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
        return OpenDisk(session, opened, _facts(ticket, said))

    def _connect(self, ticket: NfcTicket) -> Link:
        try:
            return self._link(ticket, ticket.host)
        except NameNotResolved as failure:
            return self._connect_by_address(ticket, failure)
        except LinkUnreachable as failure:
            place = {"host": ticket.host, "port": ticket.port, "detail": failure}
            if ticket.known_as:
                raise self.attempt.error(BackupNetworkBlocked, known_as=ticket.known_as, **place) from failure
            raise self.attempt.error(PortBlocked, **place) from failure

    def _link(self, ticket: NfcTicket, host: str) -> Link:
        return Link.connect(
            host,
            ticket.port,
            timeout_s=self.options.connect_timeout_s,
            cancel=self.cancel,
            known_as=ticket.host,
        )

    def _connect_by_address(self, ticket: NfcTicket, unresolved: NameNotResolved) -> Link:
        """Connect to a host, whose name is not known here, at the addresses for its management."""
        failure: LinkUnreachable = unresolved
        for address in ticket.management_addresses:
            try:
                link = self._link(ticket, address)
            except LinkUnreachable as error:
                failure = error
                continue
            self._note(messages.DIALLED_BY_ADDRESS.fill(host=ticket.host, address=address, reason=unresolved))
            return link
        raise self.attempt.error(
            HostNameUnresolved,
            host=ticket.host,
            port=ticket.port,
            addresses=", ".join(ticket.management_addresses) or NONE_KNOWN,
            detail=failure,
        ) from unresolved

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


def _host_said(ticket: NfcTicket, said: HostWords) -> Message:
    """Return what a host said of itself, for whoever has to find out why it refused."""
    return messages.HOST_SAID.fill(host=ticket.host, details=_facts(ticket, said))


def _facts(ticket: NfcTicket, said: HostWords) -> str:
    """Return what a host said of itself in one line, without anything secret."""
    facts = {
        "banner": said.banner,
        "tls": said.tls,
        "library": ticket.library_version,
        "versions": said.versions,
        "service": ticket.service,
        "ticket": with_port(ticket.host, ticket.port),
        "known as": ticket.known_as or ticket.host,
        "thumbprint": ticket.thumbprint_sha1,
    }
    return "; ".join(f"{name} {value}" for name, value in facts.items())


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
