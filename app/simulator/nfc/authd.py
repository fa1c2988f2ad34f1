"""The VMware Authentication Daemon's part of a connection (protocols page *NFC*, section 2).

Every command gets one line of answer but ``SESSION``, which gets none. 5xx answers leave the connection open, so
that a client may correct itself; after a few of them it is closed.
"""

import socket
from dataclasses import dataclass

from app.simulator.nfc.ports import NfcTls
from app.simulator.nfc.profiles import NfcProfile
from app.simulator.nfc.streams import ConnectionEnded, DroppableTls
from app.simulator.nfc.tickets import Ticket, TicketStore

_BANNER = (
    "220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, "
    "MKSDisplayProtocol:VNC , VMXARGS supported"
)
_INSIDE = b"220 VMware Authentication Daemon Version 1.10\r\n"
"""What BANNER is answered with inside the TLS layer; what the host can do is said in plain text only."""
_LINE_LIMIT_BYTES = 1024
_MOST_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class Admission:
    """The outcome: whose disks may be opened, and whether the data travel in TLS."""

    ticket: Ticket
    secured: bool


class Authd:
    """Admits clients that bring a ticket.

    Thread: any; each call serves one connection on the caller's thread.
    """

    def __init__(
        self, tickets: TicketStore, service: str, profile: NfcProfile, *, offers_tls: bool = True
    ) -> None:
        """Accept the tickets of one store.

        Args:
            tickets: where the tickets come from.
            service: what tickets name: ``vpxa-nfc`` (through vCenter) or ``nfc`` (bare ESXi).
            profile: how hosts of this release speak.
            offers_tls: whether the data may travel in TLS.
        """
        self._profile = profile
        words = [_BANNER]
        words += ["NFCSSL supported/t"] if offers_tls else []
        words += ["SHA256 supported"] if profile.announces_sha256 else []
        self._banner = f"{', '.join(words)}\r\n".encode("ascii")
        self._tickets = tickets
        self._services = {service: False} | ({f"{service}ssl": True} if offers_tls else {})

    def admit(self, connection: socket.socket, tls: NfcTls) -> Admission:
        """Talk to a client until ``PROXY`` connects it; the TLS layer is dropped then.

        Raises:
            ConnectionEnded: the client went away, or was refused too often.
            OSError: the connection broke.
        """
        connection.sendall(self._banner)
        layer = DroppableTls(connection, tls.context)
        session_id = ""
        refusals = 0
        while refusals < _MOST_REFUSALS:
            line = layer.receive_line(_LINE_LIMIT_BYTES)
            command, _, argument = line.decode("latin-1").removesuffix("\r\n").partition(" ")
            if command == "SESSION" and argument:
                session_id = argument
                continue
            if command == "PROXY" and argument in self._services:
                ticket = self._tickets.redeem(session_id)
                if ticket is not None:
                    secured = self._services[argument]
                    layer.send(f"200 Connect ha-nfc{'ssl' if secured else ''}\r\n".encode("ascii"))
                    return Admission(ticket, secured)
            answer = self._answer(line, command, argument, tls)
            refusals += answer.startswith(b"5")
            layer.send(answer)
        raise ConnectionEnded

    def _answer(self, line: bytes, command: str, argument: str, tls: NfcTls) -> bytes:
        if not line.endswith(b"\r\n"):
            return b"500 Lines end with CRLF\r\n"
        if line == b"BANNER \r\n":
            return _INSIDE
        if command == "THUMBPRINT_SHA2" and self._profile.announces_sha256 and _is_plain_word(argument):
            return f"200 {tls.thumbprint_sha256}\r\n".encode("ascii")
        if command == "THUMBPRINT_SHA2" and not self._profile.announces_sha256:
            return b"530 Please login with USER and PASS\r\n"
        if command == "PROXY" and argument in self._services:
            return b"530 Login incorrect: no such session\r\n"
        if command in ("SESSION", "BANNER", "THUMBPRINT_SHA2", "PROXY"):
            return f"501 Wrong arguments of {command}\r\n".encode("ascii", "replace")
        return b"500 Unknown command\r\n"


def _is_plain_word(argument: str) -> bool:
    return bool(argument) and not set(argument) & set(" :\t")
