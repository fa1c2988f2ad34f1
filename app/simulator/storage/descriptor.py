"""Descriptors of virtual disks: the small text file ``x.vmdk`` that names the data file and the parent.

Written the way ESXi writes them and readable by qemu-img. ``version=1`` always: qemu does not recognize others.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, Self

from app.simulator.storage.errors import DiskCorrupt

SECTOR_BYTES = 512
NO_PARENT = "ffffffff"

DeltaKind = Literal["vmfsSparse", "seSparse"]

_DELTAS: dict[str, DeltaKind] = {"VMFSSPARSE": "vmfsSparse", "SESPARSE": "seSparse"}
_SETTING = re.compile(r'(?P<key>[\w.]+)\s*=\s*"?(?P<value>[^"]*)"?')
_EXTENT = re.compile(r'RW (?P<sectors>\d+) (?P<kind>VMFS|VMFSSPARSE|SESPARSE) "(?P<file>[^"]+)"')


@dataclass(slots=True, kw_only=True)
class Descriptor:
    """The content of a descriptor."""

    cid: str
    """Content id, 8 hex digits; a child names its parent's."""
    capacity_bytes: int
    extent_file: str
    delta: DeltaKind | None = None
    """The format of a delta; None for a flat file."""
    parent_cid: str = NO_PARENT
    parent_hint: str | None = None
    """Path of the parent's descriptor, relative to this one's directory."""
    track_file: str | None = None
    """Name of the change tracking file; None when changes are not tracked."""
    ddb: dict[str, str] = field(default_factory=dict)
    """The disk data base, keys without ``ddb.``."""

    def format(self) -> str:
        """Write the descriptor."""
        kind = self.delta or "vmfs"
        lines = [
            "# Disk DescriptorFile",
            "version=1",
            'encoding="UTF-8"',
            f"CID={self.cid}",
            f"parentCID={self.parent_cid}",
            f'createType="{kind}"',
        ]
        if self.parent_hint is not None:
            lines.append(f'parentFileNameHint="{self.parent_hint}"')
        sectors = self.capacity_bytes // SECTOR_BYTES
        lines += ["", "# Extent description", f'RW {sectors} {kind.upper()} "{self.extent_file}"', ""]
        if self.track_file is not None:
            lines += ["# Change Tracking File", f'changeTrackPath="{self.track_file}"', ""]
        lines += ["# The Disk Data Base", "#DDB", ""]
        lines += [f'ddb.{key} = "{value}"' for key, value in sorted(self.ddb.items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a descriptor that :meth:`format` wrote.

        Raises:
            DiskCorrupt: it is not one.
        """
        settings: dict[str, str] = {}
        extent: re.Match[str] | None = None
        for line in text.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            extent = _EXTENT.fullmatch(line) or extent
            setting = _SETTING.fullmatch(line)
            if setting is not None:
                settings[setting["key"]] = setting["value"]
        if extent is None or "CID" not in settings:
            raise DiskCorrupt("not a disk descriptor")
        return cls(
            cid=settings["CID"],
            capacity_bytes=int(extent["sectors"]) * SECTOR_BYTES,
            extent_file=extent["file"],
            delta=_DELTAS.get(extent["kind"]),
            parent_cid=settings.get("parentCID", NO_PARENT),
            parent_hint=settings.get("parentFileNameHint"),
            track_file=settings.get("changeTrackPath"),
            ddb={key.removeprefix("ddb."): value for key, value in settings.items() if key.startswith("ddb.")},
        )


@dataclass(frozen=True, slots=True)
class Geometry:
    """Cylinders, heads and sectors that a BIOS would see."""

    cylinders: int
    heads: int
    sectors: int

    @classmethod
    def of(cls, capacity_bytes: int) -> "Geometry":
        """Compute the geometry of a SCSI disk the way ESXi does: 64×32 below 1 GiB, 255×63 from there on."""
        heads, sectors = (64, 32) if capacity_bytes < 1 << 30 else (255, 63)
        return cls(capacity_bytes // (heads * sectors * SECTOR_BYTES), heads, sectors)
