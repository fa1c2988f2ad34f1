"""ext2, ext3 and ext4; source: the kernel's documentation of ext4's data structures (``filesystems/ext4``)."""

import struct
from dataclasses import dataclass
from typing import Final

from app.guestcheck.crc32c import crc32c
from app.guestcheck.volume import Volume, require
from app.guestcheck.words import Part

_AT: Final = 1024
_SIZE: Final = 1024
_MAGIC: Final = 0xEF53
_MOST_GROUPS: Final = 2048
"""Groups whose descriptors are looked at: the first ones."""
_HAS_JOURNAL, _EXTENTS, _64BIT, _META_BG, _INLINE = 0x4, 0x40, 0x80, 0x10, 0x8000
_METADATA_SUM: Final = 0x400
_SEED: Final = 0x2000
_FLAG_EXTENTS: Final = 0x80000
_FLAG_INLINE: Final = 0x10000000
_DIRECTORY: Final = 0x4000


@dataclass(frozen=True, slots=True)
class _Super:
    raw: bytes
    block_bytes: int
    blocks: int
    first_block: int
    blocks_per_group: int
    inodes_per_group: int
    inode_bytes: int
    descriptor_bytes: int
    compatible: int
    incompatible: int
    read_only: int

    @property
    def groups(self) -> int:
        return -(-(self.blocks - self.first_block) // self.blocks_per_group)

    @property
    def seed(self) -> int:
        if self.incompatible & _SEED:
            return int(struct.unpack_from("<I", self.raw, 0x270)[0])
        return crc32c(self.raw[0x68:0x78])


def find(volume: Volume) -> str | None:
    """Return which of them a volume says to be; None for none."""
    if not volume.holds(_AT + _SIZE):
        return None
    raw = volume.read(_AT, _SIZE, Part.SUPERBLOCK)
    if struct.unpack_from("<H", raw, 0x38)[0] != _MAGIC:
        return None
    compatible, incompatible = struct.unpack_from("<II", raw, 0x5C)
    if incompatible & (_EXTENTS | _64BIT):
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    known = _superblock(volume)
    table = _groups(volume, known)
    _root(volume, known, table)


def _superblock(volume: Volume) -> _Super:
    raw, part = volume.read(_AT, _SIZE, Part.SUPERBLOCK), Part.SUPERBLOCK
    inodes, blocks = struct.unpack_from("<II", raw)
    first_block, log_block = struct.unpack_from("<II", raw, 0x14)
    per_group, _, inodes_per_group = struct.unpack_from("<III", raw, 0x20)
    revision = struct.unpack_from("<I", raw, 0x4C)[0]
    inode_bytes = struct.unpack_from("<H", raw, 0x58)[0] if revision else 128
    compatible, incompatible, read_only = struct.unpack_from("<III", raw, 0x5C) if revision else (0, 0, 0)
    is_wide = bool(incompatible & _64BIT)
    require(log_block <= 6, part)
    block_bytes = 1024 << log_block
    blocks += (struct.unpack_from("<I", raw, 0x150)[0] << 32) if is_wide else 0
    descriptor_bytes = struct.unpack_from("<H", raw, 0xFE)[0] if is_wide else 32
    require(blocks and volume.holds(blocks * block_bytes), part)
    require(first_block == (1 if block_bytes == 1024 else 0) and blocks > first_block, part)
    require(0 < per_group <= 8 * block_bytes << 8 and 0 < inodes_per_group <= 8 * block_bytes << 8, part)
    require(128 <= inode_bytes <= block_bytes and inode_bytes & (inode_bytes - 1) == 0, part)
    require(32 <= descriptor_bytes <= block_bytes and descriptor_bytes % 8 == 0, part)
    known = _Super(
        raw,
        block_bytes,
        blocks,
        first_block,
        per_group,
        inodes_per_group,
        inode_bytes,
        descriptor_bytes,
        compatible,
        incompatible,
        read_only,
    )
    require(inodes == known.groups * inodes_per_group, part)
    if read_only & _METADATA_SUM:
        require(crc32c(raw[:0x3FC]) == struct.unpack_from("<I", raw, 0x3FC)[0], part)
    return known


def _groups(volume: Volume, known: _Super) -> int:
    """Look at the group descriptors, and return where the first inode table is, as a block."""
    part, size = Part.GROUPS, known.descriptor_bytes
    count = min(known.groups, _MOST_GROUPS)
    if known.incompatible & _META_BG:
        count = min(count, known.block_bytes // size)
    raw = volume.read((known.first_block + 1) * known.block_bytes, count * size, part)
    seed = known.seed if known.read_only & _METADATA_SUM else 0
    for number in range(count):
        descriptor = raw[number * size : (number + 1) * size]
        _group(known, descriptor, number, seed)
    return _inode_table(known, raw)


def _group(known: _Super, descriptor: bytes, number: int, seed: int) -> None:
    part = Part.GROUPS
    low = struct.unpack_from("<III", descriptor)
    high = struct.unpack_from("<III", descriptor, 0x20) if known.descriptor_bytes >= 64 else (0, 0, 0)
    for lower, upper in zip(low, high, strict=True):
        require(known.first_block < lower + (upper << 32) < known.blocks, part)
    if known.read_only & _METADATA_SUM:
        bare = descriptor[:0x1E] + bytes(2) + descriptor[0x20:]
        expected = crc32c(bare, crc32c(struct.pack("<I", number), seed)) & 0xFFFF
        require(expected == struct.unpack_from("<H", descriptor, 0x1E)[0], part)


def _inode_table(known: _Super, raw: bytes) -> int:
    upper = struct.unpack_from("<I", raw, 0x28)[0] if known.descriptor_bytes >= 64 else 0
    return int(struct.unpack_from("<I", raw, 8)[0]) + (int(upper) << 32)


def _root(volume: Volume, known: _Super, table: int) -> None:
    part = Part.ROOT
    inode = volume.read(table * known.block_bytes + known.inode_bytes, known.inode_bytes, part)
    mode = struct.unpack_from("<H", inode)[0]
    links = struct.unpack_from("<H", inode, 0x1A)[0]
    flags = struct.unpack_from("<I", inode, 0x20)[0]
    require(mode & 0xF000 == _DIRECTORY and links, part)
    if flags & _FLAG_INLINE:
        return
    block = _first_by_extents(volume, known, inode[0x28:0x64]) if flags & _FLAG_EXTENTS else 0
    if not flags & _FLAG_EXTENTS:
        block = struct.unpack_from("<I", inode, 0x28)[0]
    require(known.first_block < block < known.blocks, part)
    entries = volume.read(block * known.block_bytes, 24, part)
    itself, length, name_bytes = struct.unpack_from("<IHB", entries)
    require((itself, length, name_bytes, entries[8:9]) == (2, 12, 1, b"."), part)
    parent, name_bytes = struct.unpack_from("<IxxB", entries, 12)
    require((parent, name_bytes, entries[20:22]) == (2, 2, b".."), part)


def _first_by_extents(volume: Volume, known: _Super, node: bytes) -> int:
    """Return the block with the first bytes of a file."""
    part = Part.ROOT
    for _ in range(6):
        magic, entries, _, depth = struct.unpack_from("<HHHH", node)
        require(magic == 0xF30A and entries and depth <= 5, part)
        if not depth:
            first, _, upper, lower = struct.unpack_from("<IHHI", node, 12)
            require(first == 0, part)
            return int(lower) + (int(upper) << 32)
        _, lower, upper = struct.unpack_from("<IIH", node, 12)
        block = lower + (upper << 32)
        require(known.first_block < block < known.blocks, part)
        node = volume.read(block * known.block_bytes, known.block_bytes, part)
    require(False, part)  # noqa: FBT003
    return 0
