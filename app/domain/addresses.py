"""Addresses as people type them, names of servers and web addresses, in the form that goes on the wire."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from app.domain.messages import Message, MessageKind

_MOST_NAME_CHARS: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PLAIN: Final = "/:@!$&'()*+,;=~-._?"
"""What stays as it is in a path or a query (RFC 3986), with letters, digits and codes that begin with %."""
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOCAL_NAMES: Final = ("localhost", "local", "localdomain", "lan", "internal", "home.arpa")


NOT_A_NAME: Final = MessageKind(
    "address.part_not_allowed", "it has a part that is empty, too long or not allowed in the name of a server"
)
NEITHER: Final = MessageKind("address.neither", "it is no name of a server and no IP address")
LINK_LOCAL: Final = MessageKind(
    "address.link_local", "it is known on one network only, by an interface (%) of one machine"
)
BLANKS: Final = MessageKind("address.blanks", "it has blanks or characters that cannot be shown")
NO_ADDRESS: Final = MessageKind("address.none", "it is no address")
NO_SCHEME: Final = MessageKind("address.no_scheme", "it has to begin with https:// or http:// and name a server")
PASSWORD_INSIDE: Final = MessageKind(
    "address.password_inside", "a name and password in the address would be kept in plain text"
)
PORT_RANGE: Final = MessageKind("address.port_range", "a port is a number from 1 to 65535")


class BadAddress(ValueError):
    """An address cannot be used; the text says why."""

    def __init__(self, reason: MessageKind) -> None:
        self.reason = reason
        super().__init__(reason.template)

    def said(self) -> Message:
        """Return the reason as a message."""
        return self.reason.fill()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a web server answers, in ASCII."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, without what may be a secret."""
        host = in_brackets(self.host)
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def ascii_host(text: str) -> str:
    """Return the name or IP address of a server as it goes on the wire; names in other scripts by IDNA.

    An IPv6 address may be in brackets, and becomes the shortest of its forms, without them. Link-local ones
    (``fe80::1%eth0``) are refused: other machines cannot use them, nor can a certificate name them.

    Raises:
        BadAddress: it is neither.
    """
    host = text.strip()
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if _is_ip(literal):
        address = ipaddress.ip_address(literal)
        if address.version == 6 and (address.is_link_local or address.scope_id):
            raise BadAddress(LINK_LOCAL)
        return str(address)
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise BadAddress(NOT_A_NAME) from error
    labels = name.removesuffix(".").split(".")
    if len(name) > _MOST_NAME_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress(NEITHER)
    return name


def in_brackets(host: str) -> str:
    """Return a host as it stands in front of a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def with_port(host: str, port: int) -> str:
    """Return a host and a port in one text, as people and web addresses write them."""
    return f"{in_brackets(host)}:{port}"


def is_port(port: int) -> bool:
    """Return whether a number can be a port to connect to."""
    return 1 <= port <= 65535


def web_address(text: str) -> WebAddress:
    """Take a web address apart: the host by IDNA, path and query percent-encoded, without the fragment.

    Raises:
        BadAddress: it is not one that can be used.
    """
    if not text.isprintable() or any(character.isspace() for character in text):
        raise BadAddress(BLANKS)
    try:
        parts = urlsplit(text)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as error:
        raise BadAddress(NO_ADDRESS) from error
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise BadAddress(NO_SCHEME)
    if user is not None or "@" in parts.netloc:
        raise BadAddress(PASSWORD_INSIDE)
    if port is not None and not is_port(port):
        raise BadAddress(PORT_RANGE)
    target = _encoded(parts.path) or "/"
    if parts.query:
        target += f"?{_encoded(parts.query)}"
    return WebAddress(
        scheme=parts.scheme, host=ascii_host(host), port=port or _DEFAULT_PORTS[parts.scheme], target=target
    )


def is_local(host: str) -> bool:
    """Return whether a host belongs to this machine or this network, by its name or address alone."""
    literal = host.partition("%")[0]
    if _is_ip(literal):
        return is_private(literal)
    name = host.lower().rstrip(".")
    return "." not in name or any(name.endswith(f".{local}") for local in _LOCAL_NAMES)


def is_private(address: str) -> bool:
    """Return whether an IP address is one of this machine or of a private network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _encoded(text: str) -> str:
    return quote(_BARE_PERCENT.sub("%25", text), safe=_PLAIN + "%")
