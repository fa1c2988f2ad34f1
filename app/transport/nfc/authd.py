"""The handshake with the host's authentication daemon (protocols page *NFC*, section 2)."""

from app.core.access import NfcTicket
from app.domain.states import TransportMode
from app.transport.certificates import algorithm_of, matches, thumbprint_of
from app.transport.errors import LinkFailure, MalformedAnswer
from app.transport.link import Link
from app.transport.nfc.session import HostWords
from app.transport.reasons import TICKET_ANSWERED

_LONGEST_LINE_BYTES = 4096
_SHA256 = "SHA256 supported"


class TicketNotAccepted(LinkFailure):
    """The daemon answered with an error."""

    kind = TICKET_ANSWERED


class ServiceNotOffered(TicketNotAccepted):
    """The daemon, whose certificate is the announced one, does not offer the service."""


class CertificateUnexpected(Exception):
    """The host's certificate has another thumbprint than the one announced."""

    def __init__(self, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"certificate {actual} instead of {expected}")


def authenticate(
    link: Link,
    ticket: NfcTicket,
    mode: TransportMode,
    *,
    within_s: float,
    said: HostWords,
    is_old: bool = False,
) -> None:
    """Present the ticket; afterwards the link carries NFC, in plain text or in a second TLS layer.

    Nothing that could identify us is said before the certificate is known to be the announced one.

    Args:
        link: the connection, before its first byte.
        ticket: permission to open a disk.
        mode: NFC or NFC_SSL.
        within_s: time for each step.
        said: where to note what the host says of itself.
        is_old: whether key exchanges are taken that only ESXi 6.5 and 6.7 need.

    Raises:
        LinkFailure: the connection broke, or the ticket was not accepted.
        ServiceNotOffered: the host itself, which has proven who it is, does not offer the mode.
        CertificateUnexpected: someone else answers there.
        MalformedAnswer: this is no authentication daemon.
        TaskCancelled: cancelled while waiting.
    """
    said.banner = _expect(link, "220", "", within_s, ticket)
    announced = ticket.thumbprint_sha1
    certificate = link.start_tls(pinned=announced is not None, timeout_s=within_s, is_old=is_old)
    said.tls = link.tls_facts
    _check(certificate, announced)

    _say(link, f"SESSION {ticket.session_id}", within_s)
    _say(link, "BANNER ", within_s)
    _expect(link, "220", "BANNER", within_s, ticket)
    confirmed = _sha256_of(link, within_s, ticket) if _SHA256 in capabilities(said.banner) else ""

    encrypted = mode is TransportMode.NFC_SSL
    _ask_for_service(link, ticket, f"{ticket.service}{'ssl' if encrypted else ''}", within_s)
    link.drop_tls()
    if encrypted:
        second = link.start_tls(pinned=announced is not None, timeout_s=within_s, is_old=is_old)
        # The first layer is proven, so a thumbprint sent inside it may confirm the second layer's certificate.
        if second != certificate and not (algorithm_of(confirmed) == "sha256" and matches(second, confirmed)):
            _check(second, announced)


def _ask_for_service(link: Link, ticket: NfcTicket, service: str, within_s: float) -> None:
    _say(link, f"PROXY {service}", within_s)
    try:
        _expect(link, "200", "PROXY", within_s, ticket)
    except TicketNotAccepted as refusal:
        raise ServiceNotOffered(*refusal.args) from refusal


def capabilities(banner: str) -> frozenset[str]:
    """Return what a daemon says it can do, without what may stand behind a slash (section 4a.12)."""
    _, _, listed = banner.partition(":")
    return frozenset(name.strip().partition("/")[0] for name in listed.split(","))


def _sha256_of(link: Link, within_s: float, ticket: NfcTicket) -> str:
    """Return the thumbprint that the daemon gives out, empty when it does not after all."""
    _say(link, "THUMBPRINT_SHA2 PlainText", within_s)
    try:
        return _expect(link, "200", "THUMBPRINT_SHA2", within_s, ticket).rpartition(" ")[2]
    except TicketNotAccepted:  # a host that does not know it answers with an error, and goes on
        return ""


def _check(certificate: bytes, announced: str | None) -> None:
    """Compare with the thumbprint of the ticket; without one, the verifying TLS context has done the work."""
    if announced is None or matches(certificate, announced):
        return
    algorithm = algorithm_of(announced) or "sha1"
    raise CertificateUnexpected(f"{algorithm} {announced}", f"{algorithm} {thumbprint_of(certificate, algorithm)}")


def _say(link: Link, line: str, within_s: float) -> None:
    link.send(line.encode() + b"\r\n", within_s=within_s)


def _expect(link: Link, code: str, command: str, within_s: float, ticket: NfcTicket) -> str:
    line = link.receive_line(longest_bytes=_LONGEST_LINE_BYTES, within_s=within_s)
    if line[:3] == code:
        return line
    shown = line.replace(ticket.session_id, "…")[:200] if ticket.session_id else line[:200]
    if line[:1] == "5":
        raise TicketNotAccepted(f"{command or 'the connection'} was answered with “{shown}”")
    raise MalformedAnswer(f"{command or 'the connection'} was answered with “{shown}” instead of {code}")
