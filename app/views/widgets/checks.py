"""What is wrong with what was typed, in words with what to do; empty when nothing is. GUI thread."""

import ipaddress
from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication

from app.domain.addresses import BadAddress, ascii_host
from app.domain.display import visible
from app.domain.units import filled

NAME_MAX_CHARS: Final = 64
VM_NAME_MAX_CHARS: Final = 80
PORT_MAX: Final = 65535
PORT_BOX_MAX: Final = 99999
"""Boxes take more than is allowed, so that what is wrong can be said instead of swallowing a key."""


def name_problem(text: str, *, missing: str, most: int = NAME_MAX_CHARS) -> str:
    """Check a name; ``missing`` is what to say when there is none."""
    name = text.strip()
    if not name:
        return missing
    if len(name) > most:
        words = QCoreApplication.translate(
            "Checks", "The name has {count} {count:character/characters}; shorten it to {most}."
        )
        return filled(words, {"count": len(name), "most": most})
    if not name.isprintable():
        return QCoreApplication.translate("Checks", "The name has characters that cannot be shown; type it again.")
    return ""


def is_typed(typed: str, name: str) -> bool:
    """Return whether a name was typed to confirm: as it is shown, with marks for what cannot be typed."""
    return visible(typed.strip()) == visible(name.strip())


def address_problem(text: str) -> str:
    """Check the address of a server: a name or an IP address and nothing else."""
    address = text.strip()
    if not address:
        return QCoreApplication.translate("Checks", "Enter the address.")
    if _is_ip(address):
        return _ip_problem(address)
    if "/" in address or "@" in address or "?" in address:
        return QCoreApplication.translate(
            "Checks", "Enter only the name or IP address, without https://, account or path."
        )
    if ":" in address:
        return QCoreApplication.translate("Checks", "Enter the port in its own field, not in the address.")
    try:
        ascii_host(address)
    except BadAddress:
        return QCoreApplication.translate(
            "Checks", "This is no name of a server: it has letters, digits, hyphens and dots, and no blanks."
        )
    return ""


def port_problem(port: int) -> str:
    """Check the number of a port."""
    if 1 <= port <= PORT_MAX:
        return ""
    return QCoreApplication.translate("Checks", "A port is a number from 1 to 65535.")


def directory_problem(text: str) -> str:
    """Check the path of a directory of this machine."""
    path = text.strip()
    if not path:
        return QCoreApplication.translate("Checks", "Enter the path.")
    if not path.isprintable():
        return QCoreApplication.translate("Checks", "The path has characters that cannot be shown; type it again.")
    if not Path(path).is_absolute():
        return QCoreApplication.translate(
            "Checks", "Enter the whole path from the root of this machine, or choose the directory."
        )
    return ""


def _ip_problem(address: str) -> str:
    try:
        ascii_host(address)
    except BadAddress:
        return QCoreApplication.translate(
            "Checks", "This address (fe80…) is known on one network only; enter the name or another address."
        )
    return ""


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
