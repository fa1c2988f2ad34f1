"""Partition tables with one partition: MBR, and GPT with its copy at the disk's end."""

import struct
import uuid
import zlib
from dataclasses import dataclass
from random import Random
from typing import Literal

from app.simulator.guests.blocks import SECTOR_BYTES, BlockDevice

Scheme = Literal["mbr", "gpt"]

ALIGNMENT_BYTES = 1 << 20
MBR_LIMIT_BYTES = 2 << 40
"""A disk above this size needs a GPT, whatever its machine boots from."""
_LARGEST_PARTITION_BYTES = 256 << 30
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_MBR_ENTRY_OFFSET = 446
_MBR_SIGNATURE = b"\x55\xaa"
_LAST_CHS = b"\xfe\xff\xff"
_GPT_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
_GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
_GPT_ENTRIES = 128
_GPT_ENTRIES_SECTORS = _GPT_ENTRIES * _GPT_ENTRY.size // SECTOR_BYTES
_BASIC_DATA = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
_PROTECTIVE = 0xEE
_PROTECTED_LIMIT = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is on its disk."""

    start: int
    length_bytes: int


def planned_partition(capacity_bytes: int) -> Partition:
    """Return the partition for a disk, aligned to 1 MiB, with room for the GPT's copy behind it.

    It fills the disk up to 256 GiB: the guest keeps the table of a FAT volume in memory.
    """
    end = (capacity_bytes - (1 + _GPT_ENTRIES_SECTORS) * SECTOR_BYTES) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
    return Partition(ALIGNMENT_BYTES, min(max(0, end - ALIGNMENT_BYTES), _LARGEST_PARTITION_BYTES))


def write_mbr(device: BlockDevice, partition: Partition, kind: int, random: Random) -> None:
    """Write a master boot record.

    Args:
        device: the disk.
        partition: where its one partition is.
        kind: type byte of the partition, such as 0x0c for FAT32.
        random: makes the disk's signature.
    """
    sector = bytearray(SECTOR_BYTES)
    struct.pack_into("<I", sector, 440, random.getrandbits(32))
    first, count = partition.start // SECTOR_BYTES, partition.length_bytes // SECTOR_BYTES
    _MBR_ENTRY.pack_into(sector, _MBR_ENTRY_OFFSET, 0, _LAST_CHS, kind, _LAST_CHS, first, count)
    sector[510:] = _MBR_SIGNATURE
    device.write(0, sector)


def write_gpt(device: BlockDevice, partition: Partition, name: str, random: Random) -> None:
    """Write a GUID partition table: protective MBR, table, and the copy at the disk's end."""
    last_sector = device.capacity_bytes // SECTOR_BYTES - 1
    protective = bytearray(SECTOR_BYTES)
    _MBR_ENTRY.pack_into(
        protective,
        _MBR_ENTRY_OFFSET,
        0,
        b"\0\x02\0",
        _PROTECTIVE,
        _LAST_CHS,
        1,
        min(last_sector, _PROTECTED_LIMIT),
    )
    protective[510:] = _MBR_SIGNATURE
    entry = _GPT_ENTRY.pack(
        _BASIC_DATA.bytes_le,
        uuid.UUID(int=random.getrandbits(128), version=4).bytes_le,
        partition.start // SECTOR_BYTES,
        (partition.start + partition.length_bytes) // SECTOR_BYTES - 1,
        0,
        name.encode("utf-16-le")[:72],
    )
    entries = entry.ljust(_GPT_ENTRIES_SECTORS * SECTOR_BYTES, b"\0")
    disk_id = uuid.UUID(int=random.getrandbits(128), version=4).bytes_le
    backup_entries = last_sector - _GPT_ENTRIES_SECTORS
    device.write(0, protective)
    device.write(SECTOR_BYTES, _gpt_header(1, last_sector, 2, backup_entries, disk_id, entries) + entries)
    device.write(
        backup_entries * SECTOR_BYTES,
        entries + _gpt_header(last_sector, 1, backup_entries, backup_entries, disk_id, entries),
    )


def find_partition(device: BlockDevice) -> Partition | None:
    """Return the first partition of a disk, whichever table it has; None when there is no table."""
    sector = device.read(0, SECTOR_BYTES)
    if sector[510:] != _MBR_SIGNATURE:
        return None
    _, _, kind, _, first, count = _MBR_ENTRY.unpack_from(sector, _MBR_ENTRY_OFFSET)
    if kind == _PROTECTIVE:
        entry = device.read(2 * SECTOR_BYTES, _GPT_ENTRY.size)
        _, _, first, last, _, _ = _GPT_ENTRY.unpack(entry)
        count = last - first + 1
    if not kind or not first or (first + count) * SECTOR_BYTES > device.capacity_bytes:
        return None
    return Partition(first * SECTOR_BYTES, count * SECTOR_BYTES)


def _gpt_header(
    own_sector: int, other_sector: int, entries_sector: int, backup_entries: int, disk_id: bytes, entries: bytes
) -> bytes:
    def pack(checksum: int) -> bytes:
        return _GPT_HEADER.pack(
            b"EFI PART",
            b"\0\0\1\0",
            _GPT_HEADER.size,
            checksum,
            0,
            own_sector,
            other_sector,
            2 + _GPT_ENTRIES_SECTORS,
            backup_entries - 1,
            disk_id,
            entries_sector,
            _GPT_ENTRIES,
            _GPT_ENTRY.size,
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(SECTOR_BYTES, b"\0")
