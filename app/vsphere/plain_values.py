"""Values of a saved configuration that are what they should be: it is a file that may have been forged."""

import copy
import re
from collections.abc import Iterable
from typing import Any

from pyVmomi import VmomiSupport

FREE_TEXT = frozenset({"annotation", "alternateGuestName"})
"""Properties that are read by people and by nothing else."""
_CHOICES = {
    "swapPlacement": frozenset({"inherit", "vmDirectory", "hostLocal"}),
    "firmware": frozenset({"bios", "efi"}),
}
_WORD = re.compile(r"[\w:+-]{0,64}", re.ASCII)
_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
_ADDRESS_TYPES = frozenset({"manual", "generated", "assigned"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DISK_UUID = re.compile(r"[0-9A-Fa-f -]{32,64}")


def is_plain(name: str, value: Any) -> bool:
    """Return whether the texts of a property are what it may have: words, where people are not to read them."""
    if isinstance(value, list):
        return all(is_plain(name, item) for item in value)
    if isinstance(value, VmomiSupport.DataObject):
        return all(is_plain(prop.name, getattr(value, prop.name)) for prop in value._GetPropertyList())
    if not isinstance(value, str) or name in FREE_TEXT:
        return True
    return value in _CHOICES[name] if name in _CHOICES else _WORD.fullmatch(value) is not None


def copy_plain(source: Any, target: Any, names: Iterable[str]) -> None:
    """Copy those of some properties that are set and plain."""
    for name in names:
        value = getattr(source, name)
        if value is not None and value != [] and is_plain(name, value):
            setattr(target, name, copy.deepcopy(value))


def is_address(card: Any) -> bool:
    """Return whether a network adapter has a MAC address, of a known type."""
    return _ADDRESS.fullmatch(card.macAddress or "") is not None and card.addressType in _ADDRESS_TYPES


def plain_uuid(text: str | None) -> str | None:
    """Return a UUID; None when the text is none."""
    return text if _UUID.fullmatch(text or "") else None


def disk_uuid(backing: Any) -> str | None:
    """Return the UUID of a disk's backing as it is spelled there; None where it has none."""
    text = str(getattr(backing, "uuid", None) or "")
    return text if _DISK_UUID.fullmatch(text) else None
