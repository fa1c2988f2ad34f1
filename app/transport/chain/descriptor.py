"""The text file that names a disk's data files and its parent."""

import re
from dataclasses import dataclass
from typing import Final, Self

from app.transport.chain.layers import ChainUnreadable
from app.transport.options import SECTOR_BYTES
from app.transport.reasons import IN_OBJECT_STORE, NO_DESCRIPTOR, OTHER_FORMAT

NO_PARENT: Final = "ffffffff"
LONGEST_BYTES: Final = 64 * 1024
_OBJECT_STORES: Final = {"vsan": "vSAN", "vvol": "vVol"}
_SETTING: Final = re.compile(r'^\s*([\w.]+)\s*=\s*"?([^"\r\n]*?)"?\s*$', re.MULTILINE)
_EXTENT: Final = re.compile(
    r'^\s*(?:RW|RDONLY) (\d{1,15}) (\w+)(?: "([^"]{1,255})"(?: (\d{1,15}))?)?\s*$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the disk: how long it is, in which format, and in which file from where on."""

    kind: str
    length_bytes: int
    file_name: str
    start_bytes: int

    def refuse_elsewhere(self) -> None:
        """Refuse a file that is not in the descriptor's own directory.

        Raises:
            ChainUnreadable: it is in an object store, or its name leads elsewhere.
        """
        store = _OBJECT_STORES.get(self.file_name.partition("://")[0])
        if store is not None:
            raise ChainUnreadable(IN_OBJECT_STORE.fill(store=store))
        if not self.file_name or "/" in self.file_name or "\\" in self.file_name:
            raise ChainUnreadable(OTHER_FORMAT.fill(format=self.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDescriptor:
    """What a descriptor says. Content ids tell a child whether its parent was changed, never which disk it is."""

    content_id: str
    parent_content_id: str
    parent_hint: str | None
    """Where the parent's descriptor is: a name in the same directory, or a path on a host; None: no parent."""
    extents: tuple[Extent, ...]

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Read a descriptor.

        Args:
            name: of its file, for messages.
            text: its content.

        Raises:
            ChainUnreadable: it is none, or names no data.
        """
        if not is_descriptor(text):
            raise ChainUnreadable(NO_DESCRIPTOR.fill(file=name))
        settings = dict(_SETTING.findall(text))
        extents = tuple(
            Extent(kind, int(sectors) * SECTOR_BYTES, file, int(start or 0) * SECTOR_BYTES)
            for sectors, kind, file, start in _EXTENT.findall(text)
        )
        if not extents:
            raise ChainUnreadable(OTHER_FORMAT.fill(format=settings.get("createType", "?")))
        parent = settings.get("parentCID", NO_PARENT).lower()
        return cls(
            content_id=settings.get("CID", "").lower(),
            parent_content_id=parent,
            parent_hint=None if parent == NO_PARENT else settings.get("parentFileNameHint", ""),
            extents=extents,
        )

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return sum(extent.length_bytes for extent in self.extents)


def is_descriptor(text: str) -> bool:
    """Return whether the content of a file is that of a disk's descriptor at all."""
    return text.lstrip().startswith("# Disk DescriptorFile")
