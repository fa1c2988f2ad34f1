"""Which proxy of the environment a notification goes through.

``HTTPS_PROXY`` and ``HTTP_PROXY`` (on Windows the settings of the system too) hold for servers of the Internet.
Without a proxy go: what ``NO_PROXY`` names, this machine, private addresses, names without a dot or of a local
domain, and names that resolve to private addresses only. Sessions on virtual platforms, disks and e-mail never use
a proxy.
"""

import base64
import socket
import urllib.request
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from app.domain.addresses import BadAddress, WebAddress, ascii_host, is_local, is_port, is_private
from app.engine.notify.reasons import PROXY_ADDRESS, PROXY_KIND

_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    authorization: str | None = None
    """Value of the header ``Proxy-Authorization``."""

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"


def proxy_for(address: WebAddress) -> Proxy | None:
    """Return the proxy for a web address, or None; may resolve the name.

    Raises:
        BadAddress: the environment names a proxy that cannot be used.
    """
    text = urllib.request.getproxies().get(address.scheme)
    if not text or is_local(address.host) or urllib.request.proxy_bypass(address.host):
        return None
    if _is_in_private_network(address):
        return None
    return _parsed(text)


def _is_in_private_network(address: WebAddress) -> bool:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return False  # behind a proxy, names of the Internet often cannot be resolved
    return all(is_private(str(entry[4][0])) for entry in found)


def _parsed(text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or _DEFAULT_PORT
        host = ascii_host(parts.hostname or "")
    except ValueError as error:
        raise BadAddress(PROXY_ADDRESS) from error
    if parts.scheme != "http" or not is_port(port):
        raise BadAddress(PROXY_KIND)
    if parts.username is None:
        return Proxy(host=host, port=port)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(host=host, port=port, authorization=f"Basic {base64.b64encode(pair.encode()).decode('ascii')}")
