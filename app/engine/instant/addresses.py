"""The addresses of this machine at which a host may find it."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Final

import psutil

from app.contract.instant import ServingAddress
from app.domain.reasons import reason_of
from app.engine.instant.errors import NoAddressToServe

_ANY_PORT: Final = 9
"""Nothing is sent: the system only chooses a route."""


def address_towards(host: str) -> str:
    """Return the address of this machine from which a host is reached.

    Raises:
        NoAddressToServe: none is.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, _ANY_PORT, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise NoAddressToServe(host=host, detail=reason_of(error)) from error


def own_addresses(towards: str) -> tuple[ServingAddress, ...]:
    """Return the addresses of this machine, the one that routes to a host first.

    Those of the loopback adapter are only among them where they route to the host, which then is this machine.
    """
    try:
        preferred = address_towards(towards)
    except NoAddressToServe:
        preferred = ""
    found = [
        ServingAddress(address=address, adapter=adapter, is_preferred=address == preferred)
        for adapter, address in _addresses()
        if address == preferred or not ipaddress.ip_address(address).is_loopback
    ]
    return tuple(sorted(found, key=lambda row: (not row.is_preferred, ":" in row.address)))


def _addresses() -> Iterator[tuple[str, str]]:
    for adapter, rows in psutil.net_if_addrs().items():
        for row in rows:
            if row.family == socket.AF_INET or (row.family == socket.AF_INET6 and "%" not in row.address):
                yield adapter, row.address
