"""Descriptors for disks whose data others provide byte by byte: ``x.vmdk`` beside ``x-flat.vmdk``.

Source: *Virtual Disk Format 5.0* (VMware, December 2011), parts "The descriptor file" and "The disk database", and
descriptors that ESXi wrote.
"""

import secrets
from dataclasses import dataclass
from typing import Final

_SECTOR_BYTES: Final = 512
_LARGE_BYTES: Final = 1 << 30
_LAST_CONTENT_ID: Final = 0xFFFF_FFFD
"""Those above it mean "no parent" and "unknown"."""
_UUID_PREFIX: Final = "6000c29"
"""Half an IEEE identifier of VMware: what platforms begin the UUIDs of their disks with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatDisk:
    """A disk for a descriptor."""

    capacity_bytes: int
    """A multiple of 512."""
    data_file: str
    """Name of the file with the data, in the descriptor's own folder."""
    is_ide: bool = False
    """Whether it hangs on an IDE controller, whose guests see another geometry."""
    hardware_version: int = 0
    """Virtual hardware version of the VM, 0 when that is unknown."""
    uuid: str = ""
    """32 hexadecimal digits; empty for a new one."""


def flat_descriptor(disk: FlatDisk) -> bytes:
    """Return the descriptor of a disk without parent and change tracking, with a new content id.

    Raises:
        ValueError: the capacity is no number of sectors, or the file's name cannot be written.
    """
    sectors, rest = divmod(disk.capacity_bytes, _SECTOR_BYTES)
    if rest or sectors < 1:
        raise ValueError(f"a disk of {disk.capacity_bytes} bytes does not consist of sectors")
    if not disk.data_file or any(char in '"/\\' or not char.isprintable() for char in disk.data_file):
        raise ValueError(f"{disk.data_file!r} cannot be named in a descriptor")
    content_id = 1 + secrets.randbelow(_LAST_CONTENT_ID)
    lines = [
        "# Disk DescriptorFile",
        "version=1",
        'encoding="UTF-8"',
        f"CID={content_id:08x}",
        "parentCID=ffffffff",
        'createType="vmfs"',
        "",
        "# Extent description",
        f'RW {sectors} VMFS "{disk.data_file}"',
        "",
        "# The Disk Data Base",
        "#DDB",
        "",
        *(f'ddb.{key} = "{value}"' for key, value in _database(disk, content_id)),
    ]
    return ("\n".join(lines) + "\n").encode()


def _database(disk: FlatDisk, content_id: int) -> list[tuple[str, str]]:
    heads, sectors = _geometry(disk)
    cylinders = disk.capacity_bytes // (heads * sectors * _SECTOR_BYTES)
    entries = [
        ("adapterType", "ide" if disk.is_ide else "lsilogic"),
        ("geometry.cylinders", str(min(cylinders, 16383) if disk.is_ide else cylinders)),
        ("geometry.heads", str(heads)),
        ("geometry.sectors", str(sectors)),
        ("longContentID", f"{secrets.token_hex(12)}{content_id:08x}"),
        ("thinProvisioned", "1"),
        ("uuid", _spaced(disk.uuid or _new_uuid())),
    ]
    if disk.hardware_version:
        entries.append(("virtualHWVersion", str(disk.hardware_version)))
    return entries


def _geometry(disk: FlatDisk) -> tuple[int, int]:
    if disk.is_ide:
        return 16, 63
    return (64, 32) if disk.capacity_bytes < _LARGE_BYTES else (255, 63)


def _new_uuid() -> str:
    return _UUID_PREFIX + secrets.token_hex(16)[len(_UUID_PREFIX) :]


def _spaced(uuid: str) -> str:
    """Spell a UUID as descriptors do: ``60 00 c2 9a …-… 0f``.

    Raises:
        ValueError: it is none.
    """
    pairs = [f"{byte:02x}" for byte in bytes.fromhex(uuid.replace("-", ""))]
    if len(pairs) != 16:
        raise ValueError(f"{uuid!r} is no UUID of a disk")
    return f"{' '.join(pairs[:8])}-{' '.join(pairs[8:])}"
