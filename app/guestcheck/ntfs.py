"""NTFS; source: the Linux-NTFS project's documentation of the on-disk structures.

A record and an index block have the last two bytes of each sector replaced by a number, which is compared: a write
that reached only a part of the sectors shows.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.guestcheck.volume import Volume, is_power_of_two, require
from app.guestcheck.words import Part

_RECORDS: Final = 6
_ROOT: Final = 5
_STANDARD, _DATA, _INDEX_ROOT, _INDEX_ALLOCATION, _END = 0x10, 0x80, 0x90, 0xA0, 0xFFFFFFFF
_MOST_ATTRIBUTES: Final = 64
_MOST_ENTRIES: Final = 256


@dataclass(frozen=True, slots=True)
class _Boot:
    sector_bytes: int
    cluster_bytes: int
    clusters: int
    table: int
    record_bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class _Attribute:
    kind: int
    is_resident: bool
    content: bytes
    """The value of a resident one, else the packed list of its runs."""


def find(volume: Volume) -> str | None:
    """Return ``NTFS`` where a volume says to be that."""
    return "NTFS" if volume.holds(512) and volume.read(3, 8, Part.BOOT_SECTOR) == b"NTFS    " else None


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    boot = _boot_sector(volume)
    for number in range(_RECORDS):
        record = _record(volume, boot, number)
        attributes = tuple(_attributes(record))
        require(any(found.kind == _STANDARD for found in attributes), Part.MASTER_FILE_TABLE)
        if not number:
            _table_itself(boot, attributes)
        if number == _ROOT:
            _root(volume, boot, record, attributes)


def _boot_sector(volume: Volume) -> _Boot:
    part = Part.BOOT_SECTOR
    raw = volume.read(0, 512, part)
    sector_bytes, per_cluster = struct.unpack_from("<HB", raw, 11)
    sectors, table, mirror = struct.unpack_from("<QQQ", raw, 40)
    record, index = struct.unpack_from("<bxxxb", raw, 64)
    require(raw[510:] == b"\x55\xaa", part)
    require(is_power_of_two(sector_bytes) and 256 <= sector_bytes <= 4096, part)
    # From 0x80 on it is an exponent, as Windows writes it for clusters above 64 KiB.
    in_cluster = per_cluster if per_cluster <= 0x80 else 1 << min(256 - per_cluster, 16)
    require(is_power_of_two(in_cluster) and sector_bytes * in_cluster <= 2 << 20, part)
    cluster_bytes = sector_bytes * in_cluster
    clusters = sectors // in_cluster
    require(clusters and volume.holds(sectors * sector_bytes), part)
    require(0 < table < clusters and 0 < mirror < clusters, part)
    boot = _Boot(
        sector_bytes,
        cluster_bytes,
        clusters,
        table,
        _size(record, cluster_bytes),
        _size(index, cluster_bytes),
    )
    for size in (boot.record_bytes, boot.index_bytes):
        require(is_power_of_two(size) and 512 <= size <= 65536, part)
    return boot


def _size(packed: int, cluster_bytes: int) -> int:
    return packed * cluster_bytes if packed > 0 else 1 << min(-packed, 31)


def _unfixed(raw: bytes, magic: bytes, part: Part) -> bytes:
    """Return a record with the bytes that belong to the ends of its sectors."""
    at, count = struct.unpack_from("<HH", raw, 4)
    sectors = len(raw) // 512
    require(raw[:4] == magic and count == sectors + 1 and at % 2 == 0 and 40 <= at <= 510 - 2 * count, part)
    data = bytearray(raw)
    for number in range(1, count):
        end = number * 512
        require(data[end - 2 : end] == raw[at : at + 2], part)
        data[end - 2 : end] = raw[at + 2 * number : at + 2 * number + 2]
    return bytes(data)


def _record(volume: Volume, boot: _Boot, number: int) -> bytes:
    part = Part.MASTER_FILE_TABLE
    at = boot.table * boot.cluster_bytes + number * boot.record_bytes
    record = _unfixed(volume.read(at, boot.record_bytes, part), b"FILE", part)
    flags, used = struct.unpack_from("<HI", record, 22)
    require(flags & 1 and 56 <= used <= boot.record_bytes, part)
    return record


def _attributes(record: bytes) -> Iterator[_Attribute]:
    part = Part.MASTER_FILE_TABLE
    at, used = struct.unpack_from("<H2xI", record, 20)[0], struct.unpack_from("<I", record, 24)[0]
    used = min(used, len(record))
    for _ in range(_MOST_ATTRIBUTES):
        require(48 <= at <= used - 4, part)
        kind = struct.unpack_from("<I", record, at)[0]
        if kind == _END:
            return
        require(at + 24 <= used, part)
        length, is_elsewhere = struct.unpack_from("<IB", record, at + 4)
        require(24 <= length <= used - at and length % 8 == 0, part)
        whole = record[at : at + length]
        yield _attribute(kind, bool(is_elsewhere), whole)
        at += length
    require(False, part)  # noqa: FBT003


def _attribute(kind: int, is_elsewhere: bool, whole: bytes) -> _Attribute:  # noqa: FBT001
    part = Part.MASTER_FILE_TABLE
    if is_elsewhere:
        require(len(whole) >= 64, part)
        runs = struct.unpack_from("<H", whole, 32)[0]
        require(64 <= runs <= len(whole), part)
        return _Attribute(kind, is_resident=False, content=whole[runs:])
    size, at = struct.unpack_from("<IH", whole, 16)
    require(at >= 24 and at + size <= len(whole), part)
    return _Attribute(kind, is_resident=True, content=whole[at : at + size])


def _first_cluster(runs: bytes, boot: _Boot, part: Part) -> int:
    """Return where the first of packed runs begins."""
    require(runs, part)
    lengths, offsets = runs[0] & 0xF, runs[0] >> 4
    require(1 <= lengths <= 8 and 1 <= offsets <= 8 and 1 + lengths + offsets <= len(runs), part)
    count = int.from_bytes(runs[1 : 1 + lengths], "little")
    first = int.from_bytes(runs[1 + lengths : 1 + lengths + offsets], "little", signed=True)
    require(count > 0 and first > 0 and first + count <= boot.clusters, part)
    return first


def _table_itself(boot: _Boot, attributes: tuple[_Attribute, ...]) -> None:
    part = Part.MASTER_FILE_TABLE
    data = next((found for found in attributes if found.kind == _DATA), None)
    require(data is not None and not data.is_resident, part)
    if data is not None:
        require(_first_cluster(data.content, boot, part) == boot.table, part)


def _root(volume: Volume, boot: _Boot, record: bytes, attributes: tuple[_Attribute, ...]) -> None:
    part = Part.ROOT
    require(struct.unpack_from("<H", record, 22)[0] & 2, part)
    root = next((found for found in attributes if found.kind == _INDEX_ROOT), None)
    if root is None or not root.is_resident:
        require(False, part)  # noqa: FBT003
        return
    require(len(root.content) >= 32, part)
    _entries(root.content, 16)
    blocks = next((found for found in attributes if found.kind == _INDEX_ALLOCATION), None)
    if blocks is not None:
        require(not blocks.is_resident, part)
        at = _first_cluster(blocks.content, boot, part) * boot.cluster_bytes
        _entries(_unfixed(volume.read(at, boot.index_bytes, part), b"INDX", part), 24)


def _entries(data: bytes, header: int) -> None:
    """Walk along the entries of an index whose header is at an offset."""
    part = Part.ROOT
    require(header + 12 <= len(data), part)
    first, used = struct.unpack_from("<II", data, header)
    at, end = header + first, header + used
    require(at <= end <= len(data), part)
    for _ in range(_MOST_ENTRIES):
        require(at + 16 <= end, part)
        length, _, flags = struct.unpack_from("<HHH", data, at + 8)
        if flags & 2:
            return
        require(length >= 16 and at + length <= end, part)
        at += length
