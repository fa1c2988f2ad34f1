"""XFS; source: "XFS Algorithms & Data Structures" (the kernel's documentation of the on-disk format)."""

import struct
from dataclasses import dataclass
from typing import Final

from app.guestcheck.crc32c import crc32c
from app.guestcheck.volume import Volume, is_power_of_two, require
from app.guestcheck.words import Part

_MOST_GROUPS: Final = 64
"""Allocation groups that are looked at: the first ones."""


@dataclass(frozen=True, slots=True)
class _Super:
    block_bytes: int
    blocks: int
    root: int
    group_blocks: int
    groups: int
    sector_bytes: int
    inode_bytes: int
    group_bits: int
    inode_bits: int
    has_sums: bool


def find(volume: Volume) -> str | None:
    """Return ``XFS`` where a volume says to be that."""
    return "XFS" if volume.holds(512) and volume.read(0, 4, Part.SUPERBLOCK) == b"XFSB" else None


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    known = _superblock(volume)
    for number in range(min(known.groups, _MOST_GROUPS)):
        _group(volume, known, number)
    _root(volume, known)


def _superblock(volume: Volume) -> _Super:
    part = Part.SUPERBLOCK
    raw = volume.read(0, 512, part)
    block_bytes, blocks = struct.unpack_from(">IQ", raw, 4)
    root = struct.unpack_from(">Q", raw, 56)[0]
    group_blocks, groups = struct.unpack_from(">II", raw, 84)
    version, sector_bytes, inode_bytes = struct.unpack_from(">HHH", raw, 100)
    inode_bits, group_bits = raw[123], raw[124]
    require(is_power_of_two(block_bytes) and 512 <= block_bytes <= 65536, part)
    require(is_power_of_two(sector_bytes) and 512 <= sector_bytes <= 32768, part)
    require(is_power_of_two(inode_bytes) and 256 <= inode_bytes <= 2048 and inode_bytes <= block_bytes, part)
    require(block_bytes // inode_bytes == 1 << min(inode_bits, 16), part)
    require(blocks and volume.holds(blocks * block_bytes), part)
    require(group_blocks and groups and (groups - 1) * group_blocks < blocks <= groups * group_blocks, part)
    require(group_bits <= 32 and group_blocks <= 1 << group_bits, part)
    known = _Super(
        block_bytes,
        blocks,
        root,
        group_blocks,
        groups,
        sector_bytes,
        inode_bytes,
        group_bits,
        inode_bits,
        has_sums=version & 0xF == 5,
    )
    if known.has_sums:
        _require_sum(volume.read(0, sector_bytes, part), 224, part)
    return known


def _require_sum(data: bytes, at: int, part: Part) -> None:
    expected = crc32c(data[:at] + bytes(4) + data[at + 4 :]) ^ 0xFFFFFFFF
    require(expected == struct.unpack_from("<I", data, at)[0], part)


def _group(volume: Volume, known: _Super, number: int) -> None:
    part, start = Part.ALLOCATION_GROUPS, number * known.group_blocks * known.block_bytes
    headers = volume.read(start, 3 * known.sector_bytes, part)
    copy, free, inodes = (headers[at * known.sector_bytes :][: known.sector_bytes] for at in range(3))
    require((copy[:4], free[:4], inodes[:4]) == (b"XFSB", b"XAGF", b"XAGI"), part)
    blocks = min(known.group_blocks, known.blocks - number * known.group_blocks)
    for header in (free, inodes):
        require(struct.unpack_from(">II", header, 8) == (number, blocks), part)
    if known.has_sums:
        _require_sum(copy, 224, part)
        _require_sum(free, 216, part)
        _require_sum(inodes, 312, part)


def _root(volume: Volume, known: _Super) -> None:
    part = Part.ROOT
    group = known.root >> (known.group_bits + known.inode_bits)
    block = (known.root >> known.inode_bits) & ((1 << known.group_bits) - 1)
    slot = known.root & ((1 << known.inode_bits) - 1)
    require(group < known.groups and block < known.group_blocks, part)
    at = (group * known.group_blocks + block) * known.block_bytes + slot * known.inode_bytes
    inode = volume.read(at, known.inode_bytes, part)
    mode = struct.unpack_from(">H", inode, 2)[0]
    version, form = inode[4], inode[5]
    require(inode[:2] == b"IN" and mode & 0xF000 == 0x4000 and form in (1, 2, 3), part)
    if version == 3 and known.has_sums:
        _require_sum(inode, 100, part)
        require(struct.unpack_from(">Q", inode, 152)[0] == known.root, part)
