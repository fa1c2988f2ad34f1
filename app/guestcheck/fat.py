"""FAT12, FAT16 and FAT32; source: Microsoft's "FAT: General Overview of On-Disk Format", version 1.03."""

import struct
from dataclasses import dataclass
from typing import Final

from app.guestcheck.volume import Volume, is_power_of_two, require
from app.guestcheck.words import Part

_LONG_NAME: Final = 0x0F
_MOST_ROOT_BYTES: Final = 64 * 1024
_FEWEST_16, _FEWEST_32 = 4085, 65525


@dataclass(frozen=True, slots=True)
class _Boot:
    sector_bytes: int
    cluster_bytes: int
    reserved: int
    tables: int
    table_sectors: int
    root_entries: int
    clusters: int
    root_cluster: int
    media: int
    kind: str

    @property
    def root_at(self) -> int:
        """Where the root directory is, or the first cluster."""
        return (self.reserved + self.tables * self.table_sectors) * self.sector_bytes

    @property
    def data_at(self) -> int:
        whole = -(-self.root_entries * 32 // self.sector_bytes)
        return self.root_at + whole * self.sector_bytes


def find(volume: Volume) -> str | None:
    """Return which of them a volume says to be; None for none."""
    if not volume.holds(512):
        return None
    raw = volume.read(0, 512, Part.BOOT_SECTOR)
    names = (raw[54:59], raw[82:87])
    if raw[510:] != b"\x55\xaa" or raw[0] not in (0xEB, 0xE9):
        return None
    if names[1] == b"FAT32":
        return "FAT32"
    return raw[54:59].decode("ascii") if names[0] in (b"FAT12", b"FAT16") else None


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    boot = _boot_sector(volume)
    _table(volume, boot)
    _root(volume, boot)


def _boot_sector(volume: Volume) -> _Boot:
    part = Part.BOOT_SECTOR
    raw = volume.read(0, 512, part)
    sector_bytes, per_cluster, reserved, tables, root_entries, few = struct.unpack_from("<HBHBHH", raw, 11)
    media, table_sectors, many = (
        raw[21],
        struct.unpack_from("<H", raw, 22)[0],
        struct.unpack_from("<I", raw, 32)[0],
    )
    wide_table, root_cluster = struct.unpack_from("<I", raw, 36)[0], struct.unpack_from("<I", raw, 44)[0]
    require(sector_bytes in (512, 1024, 2048, 4096) and is_power_of_two(per_cluster), part)
    require(reserved and 1 <= tables <= 4 and (media == 0xF0 or media >= 0xF8), part)
    is_wide = not table_sectors
    table_sectors = table_sectors or wide_table
    sectors = few or many
    root_sectors = -(-root_entries * 32 // sector_bytes)
    clusters = (sectors - reserved - tables * table_sectors - root_sectors) // per_cluster
    require(table_sectors and clusters > 0 and volume.holds(sectors * sector_bytes), part)
    kind = "FAT32" if is_wide else "FAT16" if clusters >= _FEWEST_16 else "FAT12"
    require(bool(root_entries) is not is_wide and (not is_wide or 2 <= root_cluster < clusters + 2), part)
    bits = {"FAT12": 12, "FAT16": 16, "FAT32": 32}[kind]
    require((clusters + 2) * bits <= table_sectors * sector_bytes * 8, part)
    return _Boot(
        sector_bytes,
        sector_bytes * per_cluster,
        reserved,
        tables,
        table_sectors,
        root_entries,
        clusters,
        root_cluster,
        media,
        kind,
    )


def _table(volume: Volume, boot: _Boot) -> None:
    part, size = Part.ALLOCATION_TABLE, boot.table_sectors * boot.sector_bytes
    at = boot.reserved * boot.sector_bytes
    first = volume.read(at, min(size, 64 * 1024), part)
    require(first[0] == boot.media and first[1] == 0xFF and first[2] in (0xFF, 0x0F), part)
    for number in range(1, boot.tables):
        require(volume.read(at + number * size, len(first), part) == first, part)


def _root(volume: Volume, boot: _Boot) -> None:
    part = Part.ROOT
    if boot.kind == "FAT32":
        at = boot.data_at + (boot.root_cluster - 2) * boot.cluster_bytes
        size = min(boot.cluster_bytes, _MOST_ROOT_BYTES)
    else:
        at, size = boot.root_at, min(boot.root_entries * 32, _MOST_ROOT_BYTES)
    entries = volume.read(at, size, part)
    for start in range(0, len(entries) - 31, 32):
        entry = entries[start : start + 32]
        if not entry[0]:
            return
        if entry[0] == 0xE5 or entry[11] & 0x3F == _LONG_NAME:
            continue
        require(not entry[11] & 0xC0 and min(entry[:11]) >= 0x05, part)
        upper = struct.unpack_from("<H", entry, 20)[0] if boot.kind == "FAT32" else 0
        cluster = (upper << 16) + struct.unpack_from("<H", entry, 26)[0]
        require(cluster == 0 or 2 <= cluster < boot.clusters + 2, part)
