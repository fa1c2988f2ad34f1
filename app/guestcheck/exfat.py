"""exFAT; source: Microsoft's "exFAT file system specification", revision 1.00."""

import struct
from typing import Final

from app.guestcheck.volume import Volume, require
from app.guestcheck.words import Part

_CHANGING: Final = frozenset({106, 107, 112})
"""Bytes of the boot sector that its checksum leaves out."""
_BITMAP, _UPCASE = 0x81, 0x82
_MOST_ROOT_BYTES: Final = 64 * 1024


def find(volume: Volume) -> str | None:
    """Return ``exFAT`` where a volume says to be that."""
    return "exFAT" if volume.holds(512) and volume.read(3, 8, Part.BOOT_SECTOR) == b"EXFAT   " else None


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    part = Part.BOOT_SECTOR
    raw = volume.read(0, 512, part)
    sectors, table_at, table_sectors, heap_at, clusters, root = struct.unpack_from("<QIIIII", raw, 72)
    sector_bits, cluster_bits, tables = raw[108], raw[109], raw[110]
    require(raw[510:] == b"\x55\xaa" and not any(raw[11:64]), part)
    require(9 <= sector_bits <= 12 and sector_bits + cluster_bits <= 25 and tables in (1, 2), part)
    sector = 1 << sector_bits
    cluster = 1 << (sector_bits + cluster_bits)
    require(volume.holds(sectors << sector_bits) and table_at >= 24 and table_sectors, part)
    require(heap_at >= table_at + tables * table_sectors and clusters, part)
    require(heap_at * sector + clusters * cluster <= sectors << sector_bits, part)
    require((clusters + 2) * 4 <= table_sectors * sector and 2 <= root < clusters + 2, part)
    _checksum(volume, sector)
    table = volume.read(table_at * sector, 8, Part.ALLOCATION_TABLE)
    require(struct.unpack("<II", table) == (0xFFFFFFF8, 0xFFFFFFFF), Part.ALLOCATION_TABLE)
    _root(volume, heap_at * sector + (root - 2) * cluster, min(cluster, _MOST_ROOT_BYTES), clusters)


def _checksum(volume: Volume, sector: int) -> None:
    part = Part.BOOT_SECTOR
    region = volume.read(0, 12 * sector, part)
    total = 0
    for at, byte in enumerate(region[: 11 * sector]):
        if at not in _CHANGING:
            total = ((total << 31 | total >> 1) + byte) & 0xFFFFFFFF
    require(region[11 * sector :] == struct.pack("<I", total) * (sector // 4), part)


def _root(volume: Volume, at: int, size: int, clusters: int) -> None:
    part = Part.ROOT
    entries = volume.read(at, size, part)
    found: set[int] = set()
    for start in range(0, len(entries) - 31, 32):
        kind = entries[start]
        if not kind:
            break
        if kind in (_BITMAP, _UPCASE):
            first, length = struct.unpack_from("<IQ", entries, start + 20)
            require(2 <= first < clusters + 2 and length, part)
            found.add(kind)
    require(found == {_BITMAP, _UPCASE}, part)
