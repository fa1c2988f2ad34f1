"""A disk's files as HTTPS can fetch them: where its one plain file is, if it has one."""

import re
from dataclasses import dataclass
from typing import Self

from app.transport.chain.descriptor import DiskDescriptor
from app.transport.chain.layers import ChainUnreadable
from app.transport.reasons import IS_DELTA, NO_DESCRIPTOR, OTHER_FORMAT, SEVERAL_EXTENTS


@dataclass(frozen=True, slots=True)
class FlatExtent:
    """The plain file that holds a whole disk."""

    file_name: str
    length_bytes: int

    @classmethod
    def of(cls, descriptor: DiskDescriptor) -> Self:
        """Find it in a descriptor.

        Raises:
            ChainUnreadable: there is none; the reason is the message.
        """
        if descriptor.parent_hint is not None:
            raise ChainUnreadable(IS_DELTA)
        if len(descriptor.extents) != 1:
            raise ChainUnreadable(SEVERAL_EXTENTS.fill(count=len(descriptor.extents)))
        [extent] = descriptor.extents
        extent.refuse_elsewhere()
        if extent.kind != "VMFS" or extent.start_bytes:
            raise ChainUnreadable(OTHER_FORMAT.fill(format=extent.kind))
        return cls(extent.file_name, extent.length_bytes)


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
        ChainUnreadable: the path is not that of a disk.
    """
    name = path.rpartition("/")[2].rpartition("] ")[2]
    if not name.endswith(".vmdk"):
        raise ChainUnreadable(NO_DESCRIPTOR.fill(file=name))
    return f"{name.removesuffix('.vmdk')}-flat.vmdk"
