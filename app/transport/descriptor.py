"""A disk's descriptor: the small text file that names where the bytes are."""

import re
from dataclasses import dataclass
from typing import Self

from app.domain.messages import Message, Sayable
from app.transport.options import SECTOR_BYTES
from app.transport.reasons import IN_OBJECT_STORE, IS_DELTA, NO_DESCRIPTOR, OTHER_FORMAT, SEVERAL_EXTENTS

_EXTENT = re.compile(r'^(?:RW|RDONLY) (\d{1,15}) (\w+) "([^"]{1,255})"(?: (\d+))?\s*$', re.MULTILINE)
_PARENT = re.compile(r"^parentCID\s*=\s*([0-9a-fA-F]{8})\s*$", re.MULTILINE)
_NO_PARENT = "ffffffff"
_OBJECT_STORES = {"vsan": "vSAN", "vvol": "vVol"}

LONGEST_BYTES = 64 * 1024


class NotFlat(Exception):
    """The disk's bytes are not in one plain file."""

    def __init__(self, reason: Sayable) -> None:
        self._reason = reason.said()
        super().__init__(str(self._reason))

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason


@dataclass(frozen=True, slots=True)
class FlatExtent:
    """The plain file that holds a whole disk."""

    file_name: str
    length_bytes: int

    @classmethod
    def of(cls, descriptor: str) -> Self:
        """Find it in a descriptor.

        Raises:
            NotFlat: there is none; the reason is the message.
        """
        parent = _PARENT.search(descriptor)
        if parent is not None and parent[1].lower() != _NO_PARENT:
            raise NotFlat(IS_DELTA)
        extents: list[tuple[str, str, str, str]] = _EXTENT.findall(descriptor)
        if len(extents) != 1:
            raise NotFlat(SEVERAL_EXTENTS.fill(count=len(extents)))
        sectors, kind, name, start = extents[0]
        store = next((label for scheme, label in _OBJECT_STORES.items() if name.startswith(f"{scheme}://")), None)
        if store is not None:
            raise NotFlat(IN_OBJECT_STORE.fill(store=store))
        if kind != "VMFS" or int(start or 0) or "/" in name or "\\" in name:
            raise NotFlat(OTHER_FORMAT.fill(format=kind))
        return cls(name, int(sectors) * SECTOR_BYTES)


def looks_like_delta(path: str) -> bool:
    """Return, by the name, whether a path is that of a snapshot's delta."""
    return re.search(r"-[0-9]{6}\.vmdk$", path) is not None


def sibling(path: str, file_name: str) -> str:
    """Return the datastore path of another file in the same directory."""
    datastore, bracket, file = path.partition("] ")  # its name may hold slashes too
    head, slash, _ = file.rpartition("/")
    return f"{datastore}{bracket}{head}{slash}{file_name}"


def flat_name(path: str) -> str:
    """Return the name that a disk's plain file has by custom.

    Raises:
        NotFlat: the path is not that of a disk.
    """
    name = path.rpartition("/")[2].rpartition("] ")[2]
    if not name.endswith(".vmdk"):
        raise NotFlat(NO_DESCRIPTOR.fill(file=name))
    return f"{name.removesuffix('.vmdk')}-flat.vmdk"


def is_descriptor(text: str) -> bool:
    """Return whether a file that was fetched is a disk's descriptor at all."""
    return text.lstrip().startswith("# Disk DescriptorFile")
