"""Partition tables: MBR with logical partitions, and GPT.

Source: the UEFI specification, chapter 5 (GPT, protective MBR); for extended partitions the chain of EBRs as every
PC system writes it.
"""

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.guestcheck.volume import SECTOR, DiskBytes, require
from app.guestcheck.words import Part

_MOST_LOGICAL: Final = 128
_MOST_ENTRIES: Final = 1024
_EXTENDED: Final = frozenset({0x05, 0x0F, 0x85})
_PROTECTIVE: Final = 0xEE
_TABLE: Final = Part.PARTITION_TABLE


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is, in bytes."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """What a disk is divided into."""

    system: str
    """MBR or GPT."""
    partitions: tuple[Partition, ...]


def read_table(disk: DiskBytes) -> PartitionTable | None:
    """Return the partition table of a disk; None where it has none.

    Raises:
        Damaged: it has one that cannot be right.
    """
    if disk.length < 2 * SECTOR:
        return None
    sector = disk.read(0, SECTOR, _TABLE)
    if sector[510:] != b"\x55\xaa":
        return None
    entries = [_entry(sector, number) for number in range(4)]
    if any(flag & 0x7F for flag, _, _, _ in entries) or not any(kind for _, kind, _, _ in entries):
        return None  # a boot sector, or none at all
    if any(kind == _PROTECTIVE for _, kind, _, _ in entries):
        return PartitionTable("GPT", _gpt(disk))
    found: list[Partition] = []
    for _, kind, first, count in entries:
        if not kind:
            continue
        if kind in _EXTENDED:
            found += _logical(disk, first, count)
        else:
            found.append(_partition(disk, first, count))
    _refuse_overlaps(found)
    return PartitionTable("MBR", tuple(found))


def _entry(sector: bytes, number: int) -> tuple[int, int, int, int]:
    """Return flag, type, first sector and number of sectors."""
    flag, kind, first, count = struct.unpack_from("<B3xB3xII", sector, 446 + 16 * number)
    return flag, kind, first, count


def _partition(disk: DiskBytes, first: int, count: int) -> Partition:
    require(first > 0 and count > 0 and (first + count) * SECTOR <= disk.length, _TABLE)
    return Partition(first * SECTOR, count * SECTOR)


def _refuse_overlaps(partitions: list[Partition]) -> None:
    ordered = sorted(partitions, key=lambda partition: partition.start)
    for one, following in pairwise(ordered):
        require(one.start + one.length <= following.start, _TABLE)


def _logical(disk: DiskBytes, first: int, count: int) -> list[Partition]:
    whole = _partition(disk, first, count)
    found: list[Partition] = []
    at, seen = first, {first}
    for _ in range(_MOST_LOGICAL):
        require(whole.start <= at * SECTOR < whole.start + whole.length, _TABLE)
        sector = disk.read(at * SECTOR, SECTOR, _TABLE)
        require(sector[510:] == b"\x55\xaa", _TABLE)
        _, kind, relative, length = _entry(sector, 0)
        if kind:
            found.append(_partition(disk, at + relative, length))
        _, link_kind, link, _ = _entry(sector, 1)
        if link_kind not in _EXTENDED or not link:
            return found
        at = first + link
        require(at not in seen, _TABLE)
        seen.add(at)
    return found


def _gpt(disk: DiskBytes) -> tuple[Partition, ...]:
    header = disk.read(SECTOR, SECTOR, _TABLE)
    require(header.startswith(b"EFI PART"), _TABLE)
    size, checksum = struct.unpack_from("<II", header, 12)
    require(92 <= size <= SECTOR, _TABLE)
    require(zlib.crc32(header[:16] + bytes(4) + header[20:size]) == checksum, _TABLE)
    at, _, first_usable, last_usable = struct.unpack_from("<4Q", header, 24)
    entries_at, count, entry_size, entries_sum = struct.unpack_from("<QIII", header, 72)
    require(at == 1 and first_usable <= last_usable and (last_usable + 1) * SECTOR <= disk.length, _TABLE)
    require(0 < count <= _MOST_ENTRIES and 128 <= entry_size <= 1024 and entry_size % 8 == 0, _TABLE)
    entries = disk.read(entries_at * SECTOR, count * entry_size, _TABLE)
    require(zlib.crc32(entries) == entries_sum, _TABLE)
    found: list[Partition] = []
    for number in range(count):
        kind, first, last = struct.unpack_from("<16s16xQQ", entries, number * entry_size)
        if any(kind):
            require(first_usable <= first <= last <= last_usable, _TABLE)
            found.append(Partition(first * SECTOR, (last - first + 1) * SECTOR))
    _refuse_overlaps(found)
    return tuple(found)
