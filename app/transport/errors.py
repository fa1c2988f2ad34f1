"""What can go wrong with a transport: failures of a link, which reconnecting may fix, and operator errors.

:class:`LinkFailure` and its children never leave this package: a reader or a writer answers them with a new
connection, and when that does not help either, with :class:`~app.domain.errors.DiskAccessFailed`. Every error
below that is a ``DiskAccessFailed`` says what a new connection alone cannot fix.
"""

from app.domain.errors import DiskAccessFailed, NoTransportAvailable
from app.domain.messages import Message, MessageKind, Sayable
from app.domain.reasons import TLS_FAILED
from app.transport.reasons import CONNECTION_BROKE, HOST_CLOSED, HOST_REFUSED, MALFORMED, SILENT, UNREACHABLE


class LinkFailure(Exception):
    """The connection cannot be used any more; a new one may work."""

    kind: MessageKind = CONNECTION_BROKE
    """What is said where only technical text is known."""

    def __init__(self, reason: Sayable | str) -> None:
        """Note why: as a message, or as technical text, which is kept as details."""
        self._reason = self.kind.fill(details=reason) if isinstance(reason, str) else reason.said()
        super().__init__(str(reason) if isinstance(reason, str) else str(self._reason))

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason


class LinkUnreachable(LinkFailure):
    """No connection could be made at all."""

    kind = UNREACHABLE


class NameNotResolved(LinkUnreachable):
    """No server of that name is known here."""


class LinkClosed(LinkFailure):
    """The other side closed or reset the connection."""

    kind = HOST_CLOSED


class TlsFailed(LinkClosed):
    """The TLS handshake failed: the host is not what it should be, or an attacker is in between."""

    kind = TLS_FAILED


class TlsTooWeak(TlsFailed):
    """The host's key exchange is weaker than this machine takes by default."""


class GreetingRefused(LinkClosed):
    """The host ended the session on the first words of it."""


class LinkStalled(LinkFailure):
    """The other side stayed silent for too long."""

    kind = SILENT


class HostRefusal(LinkFailure):
    """The host answered a request with an error code."""

    def __init__(self, request: str, code: int, text: str = "") -> None:
        self.code = code
        shown = f"{request}: {text}" if text else request
        super().__init__(HOST_REFUSED.fill(code=f"0x{code:02x}", details=shown))


class MalformedAnswer(Exception):
    """The other side sent something that the protocol does not allow; nothing it sends can be trusted.

    Its text says what exactly, for readers who know the protocol.
    """

    def said(self) -> Message:
        """Return it as a message, with its text as details."""
        return MALFORMED.fill(details=str(self))


class PortBlocked(DiskAccessFailed):
    """The port of the host cannot be reached."""

    code = "transport.port_blocked"
    message_template = (
        "{path} could not be {operation} over {mode}: {host} does not answer on port {port} ({detail})."
    )
    hint_template = "Open port {port} from this machine to {host} in every firewall between them."


class BackupNetworkBlocked(PortBlocked):
    """The host sends to a network for backups that this machine does not reach."""

    code = "transport.backup_network_blocked"
    message_template = (
        "{path} could not be {operation} over {mode}: {host}, the address for backups of the host {known_as}, "
        "does not answer on port {port} ({detail})."
    )
    hint_template = (
        "A VMkernel adapter of {known_as} is tagged for backups (vSphereBackupNFC), and its network is not routed "
        "from this machine. Give this machine a way into that network, or take the tag away."
    )


class HostNameUnresolved(PortBlocked):
    """The name of the host is not known here, nor does it answer at the addresses that the platform gave."""

    code = "transport.host_name_unresolved"
    message_template = (
        "{path} could not be {operation} over {mode}: the name {host}, by which the platform calls the host, "
        "cannot be resolved from this machine, and on port {port} nothing answers at its other addresses "
        "({addresses}): {detail}."
    )
    hint_template = (
        "Let this machine use the name servers of the platform, or give it an entry for {host} of its own; open "
        "port {port} in every firewall between them."
    )


class TicketRefused(DiskAccessFailed):
    """The host did not accept the ticket that the platform gave out."""

    code = "transport.ticket_refused"
    message_template = "{path} could not be {operation} over {mode}: {host} refused the ticket ({detail})."
    hint_template = (
        "Run the task again; when it stays, check that the host is connected to its vCenter and that "
        "their clocks agree."
    )


class ServiceRefused(TicketRefused):
    """The host, which had proven who it is, does not offer the service that the ticket asks for."""

    code = "transport.service_refused"


class HandshakeFailed(DiskAccessFailed):
    """No encrypted connection to the host could be made, though its port answers."""

    code = "transport.handshake_failed"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = (
        "Look for a proxy or firewall that breaks encrypted connections between this machine and the ESXi hosts; "
        "the connection may be intercepted."
    )


class HostCertificateMismatch(DiskAccessFailed):
    """The host's certificate is not the one that the platform announced with the ticket."""

    code = "transport.certificate_mismatch"
    message_template = (
        "{path} could not be {operation} over {mode}: {host} shows the certificate {actual}, "
        "but the platform announced {expected}."
    )
    hint_template = (
        "If the host's certificate was renewed, reconnect the host in vCenter; otherwise the connection may be "
        "intercepted."
    )
    retryable = False


class ProtocolViolated(DiskAccessFailed):
    """What the host sent does not follow the protocol."""

    code = "transport.protocol_violated"
    message_template = (
        "{path} could not be {operation} over {mode}: the answers do not follow the protocol ({detail})."
    )
    hint_template = (
        "This version of ESXi may speak differently: choose another transport mode and report this message."
    )
    retryable = False


class DiskOpenRefused(DiskAccessFailed):
    """The host would not open the disk."""

    code = "transport.open_refused"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = (
        "A disk is locked while its VM runs on it, and while another program holds it: a running VM's disk opens "
        "only through a snapshot, and for writing the VM has to be off."
    )


class HostInMaintenance(DiskAccessFailed):
    """The host does not open disks because it is in maintenance mode, or entering it."""

    code = "transport.host_in_maintenance"
    message_template = (
        "{path} could not be {operation} over {mode}: the host {host} is in maintenance mode ({detail})."
    )
    hint_template = "Move the VM to another host or let {host} leave maintenance mode, then run the task again."


class WriteNotPermitted(DiskAccessFailed):
    """The ticket does not allow writing."""

    code = "transport.write_not_permitted"
    message_template = "{path} could not be {operation} over {mode}: the ticket allows reading only ({detail})."
    hint_template = "Give the account a role with the privilege VirtualMachine.Provisioning.DiskRandomAccess."
    retryable = False


class ReadNotPermitted(DiskAccessFailed):
    """The ticket does not allow reading this disk."""

    code = "transport.read_not_permitted"
    message_template = (
        "{path} could not be {operation} over {mode}: the ticket does not cover the disk ({detail})."
    )
    hint_template = (
        "Run the task again, for the disk may have moved meanwhile; when it stays, look whether the disk still "
        "belongs to the VM."
    )


class DiskSizeDiffers(DiskAccessFailed):
    """The opened disk is not as large as the platform said."""

    code = "transport.size_differs"
    message_template = (
        "{path} could not be {operation} over {mode}: it is {actual_bytes} bytes large, "
        "but the platform says {expected_bytes}."
    )
    hint_template = "Run the task again; when it stays, look at the disk in vCenter."
    retryable = False


class FileNotReadable(DiskAccessFailed):
    """The disk's data is not a plain file that HTTPS could fetch."""

    code = "transport.file_not_readable"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = "Use another transport mode: open port 902 from this machine to the ESXi hosts."
    retryable = False


class FileForbidden(DiskAccessFailed):
    """The web server of the platform does not give the file out."""

    code = "transport.file_forbidden"
    message_template = "{path} could not be {operation} over {mode}: the platform forbids it ({detail})."
    hint_template = (
        "Give the account a role with the privilege Datastore.Browse; a disk that a running VM writes to can "
        "be read through a snapshot only."
    )
    retryable = False


class ExportRefused(DiskAccessFailed):
    """The NFS server does not let this machine read the export."""

    code = "transport.export_refused"
    message_template = (
        "{path} could not be {operation} over {mode}: the NFS server {host} does not give out {export} ({detail})."
    )
    hint_template = (
        "Let this machine mount {export} on {host} for reading with NFS 3, with the rights of root "
        "(no_root_squash), as the ESXi hosts do."
    )
    retryable = False


class SessionRefused(DiskAccessFailed):
    """The web server of the platform does not accept our session, not even a fresh one."""

    code = "transport.session_refused"
    message_template = "{path} could not be {operation} over {mode}: the session was refused ({detail})."
    hint_template = "Check under Virtual platforms that the account can log in, then run the task again."


class ModeNotOffered(DiskAccessFailed):
    """This transport mode does not exist here."""

    code = "transport.not_offered"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = "Choose another transport mode."
    retryable = False


class NoTransportForNow(NoTransportAvailable):
    """No transport mode works, but the reason of at least one may pass."""

    code = "transport.none_available_now"
    retryable = True
