"""Where the parts of a FAT16 or FAT32 volume are, and its boot sector.

Follows Microsoft's published FAT specification: the number of clusters alone decides between FAT16 (4,085 to
65,524) and FAT32 (from 65,525).
"""

import struct
from dataclasses import dataclass, replace

from app.simulator.guests.blocks import SECTOR_BYTES

SMALLEST_VOLUME_BYTES = 4 << 20
DATA_ALIGNMENT_BYTES = 1 << 20
"""Where clusters begin on all but small volumes, as current systems do it."""
_ALIGNED_FROM_BYTES = 16 << 20
_FAT32_FROM_BYTES = 64 << 20
_FAT16_MOST_CLUSTERS = 65_524
_FAT32_FEWEST_CLUSTERS = 65_525
_FAT32_COMFORTABLE_CLUSTERS = 70_000
_LARGEST_CLUSTER_SECTORS = 64
_FAT16_ROOT_ENTRIES = 512
_FAT16_RESERVED_SECTORS, _FAT32_RESERVED_SECTORS = 8, 32
_COMMON = struct.Struct("<3s8sHBHBHHBHHHII")
_FAT16_TAIL = struct.Struct("<BBBI11s8s")
_FAT32_TAIL = struct.Struct("<IHHIHH12xBBBI11s8s")
FSINFO_SECTOR, BACKUP_BOOT_SECTOR = 1, 6
DIRECTORY_ENTRY_BYTES = 32


class NotFat(ValueError):
    """There is no FAT volume there that this program can write to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FatLayout:
    """The numbers that a boot sector holds. Offsets count from the volume's start."""

    is_fat32: bool
    volume_bytes: int
    cluster_sectors: int
    reserved_sectors: int
    fat_sectors: int
    root_entries: int
    """Places in FAT16's fixed root directory; 0 with FAT32, whose root is a chain of clusters."""

    @classmethod
    def plan(cls, volume_bytes: int) -> "FatLayout":
        """Choose a layout for a volume.

        Raises:
            ValueError: it is too small.
        """
        if volume_bytes < SMALLEST_VOLUME_BYTES:
            raise ValueError(f"{volume_bytes} bytes are too small for a volume")
        if volume_bytes < _FAT32_FROM_BYTES:
            cluster_sectors = 1
            while volume_bytes // (cluster_sectors * SECTOR_BYTES) > _FAT16_MOST_CLUSTERS:
                cluster_sectors *= 2
            return cls._sized(volume_bytes, cluster_sectors, is_fat32=False)
        cluster_sectors = 1
        while (
            cluster_sectors < _LARGEST_CLUSTER_SECTORS
            and volume_bytes // (cluster_sectors * 2 * SECTOR_BYTES) >= _FAT32_COMFORTABLE_CLUSTERS
        ):
            cluster_sectors *= 2
        return cls._sized(volume_bytes, cluster_sectors, is_fat32=True)

    @classmethod
    def _sized(cls, volume_bytes: int, cluster_sectors: int, *, is_fat32: bool) -> "FatLayout":
        most_clusters = volume_bytes // (cluster_sectors * SECTOR_BYTES) + 2
        entry_bytes = 4 if is_fat32 else 2
        layout = cls(
            is_fat32=is_fat32,
            volume_bytes=volume_bytes,
            cluster_sectors=cluster_sectors,
            reserved_sectors=_FAT32_RESERVED_SECTORS if is_fat32 else _FAT16_RESERVED_SECTORS,
            fat_sectors=-(-most_clusters * entry_bytes // SECTOR_BYTES),
            root_entries=0 if is_fat32 else _FAT16_ROOT_ENTRIES,
        )
        if volume_bytes < _ALIGNED_FROM_BYTES:
            return layout
        missing_sectors = -layout.data_offset % DATA_ALIGNMENT_BYTES // SECTOR_BYTES
        return replace(layout, reserved_sectors=layout.reserved_sectors + missing_sectors)

    @classmethod
    def parse(cls, boot_sector: bytes) -> "FatLayout":
        """Read a boot sector.

        Raises:
            NotFat: it is not one of a FAT16 or FAT32 volume with two tables and sectors of 512 bytes.
        """
        if len(boot_sector) < SECTOR_BYTES or boot_sector[510:512] != b"\x55\xaa":
            raise NotFat("no boot sector")
        fields = _COMMON.unpack_from(boot_sector)
        _, _, sector_bytes, cluster_sectors, reserved, n_fats, root_entries, small = fields[:8]
        fat16_sectors, large = fields[9], fields[13]
        if sector_bytes != SECTOR_BYTES or n_fats != 2 or not cluster_sectors or not reserved:
            raise NotFat("no FAT volume of ours")
        is_fat32 = fat16_sectors == 0
        fat_sectors = _FAT32_TAIL.unpack_from(boot_sector, _COMMON.size)[0] if is_fat32 else fat16_sectors
        layout = cls(
            is_fat32=is_fat32,
            volume_bytes=(small or large) * SECTOR_BYTES,
            cluster_sectors=cluster_sectors,
            reserved_sectors=reserved,
            fat_sectors=fat_sectors,
            root_entries=root_entries,
        )
        if is_fat32 != (layout.n_clusters >= _FAT32_FEWEST_CLUSTERS):
            raise NotFat("the number of clusters does not fit the kind of volume")
        return layout

    @property
    def entry_bytes(self) -> int:
        """Size of an entry in the allocation table."""
        return 4 if self.is_fat32 else 2

    @property
    def cluster_bytes(self) -> int:
        """Size of a cluster."""
        return self.cluster_sectors * SECTOR_BYTES

    @property
    def n_clusters(self) -> int:
        """How many clusters the data area has; they are numbered from 2."""
        return (self.volume_bytes - self.data_offset) // self.cluster_bytes

    @property
    def fat_offsets(self) -> tuple[int, int]:
        """Where the two allocation tables begin."""
        first = self.reserved_sectors * SECTOR_BYTES
        return first, first + self.fat_sectors * SECTOR_BYTES

    @property
    def root_offset(self) -> int:
        """Where FAT16's root directory begins."""
        return (self.reserved_sectors + 2 * self.fat_sectors) * SECTOR_BYTES

    @property
    def data_offset(self) -> int:
        """Where cluster 2 begins."""
        return self.root_offset + self.root_entries * DIRECTORY_ENTRY_BYTES

    @property
    def end_of_chain(self) -> int:
        """What the last cluster of a chain has in the allocation table."""
        return 0x0FFFFFFF if self.is_fat32 else 0xFFFF

    def cluster_offset(self, cluster: int) -> int:
        """Return where a cluster begins."""
        return self.data_offset + (cluster - 2) * self.cluster_bytes

    def boot_sector(self, label: str, serial: int, hidden_sectors: int) -> bytes:
        """Write the boot sector.

        Args:
            label: at most 11 ASCII characters.
            serial: the volume's serial number.
            hidden_sectors: how many sectors of the disk are before the volume.
        """
        n_sectors = self.volume_bytes // SECTOR_BYTES
        is_small = not self.is_fat32 and n_sectors < 1 << 16
        sector = bytearray(SECTOR_BYTES)
        _COMMON.pack_into(
            sector,
            0,
            b"\xeb\x58\x90" if self.is_fat32 else b"\xeb\x3c\x90",
            b"MSWIN4.1",
            SECTOR_BYTES,
            self.cluster_sectors,
            self.reserved_sectors,
            2,
            self.root_entries,
            n_sectors if is_small else 0,
            0xF8,
            0 if self.is_fat32 else self.fat_sectors,
            63,
            255,
            hidden_sectors,
            0 if is_small else n_sectors,
        )
        name = label.encode("ascii").ljust(11)
        if self.is_fat32:
            _FAT32_TAIL.pack_into(
                sector,
                _COMMON.size,
                *(self.fat_sectors, 0, 0, 2, FSINFO_SECTOR, BACKUP_BOOT_SECTOR),
                *(0x80, 0, 0x29, serial, name, b"FAT32   "),
            )
        else:
            _FAT16_TAIL.pack_into(sector, _COMMON.size, 0x80, 0, 0x29, serial, name, b"FAT16   ")
        sector[510:] = b"\x55\xaa"
        return bytes(sector)


def fsinfo_sector(free_clusters: int, next_free: int) -> bytes:
    """Write FAT32's sector with the number of free clusters."""
    sector = bytearray(SECTOR_BYTES)
    struct.pack_into("<I", sector, 0, 0x41615252)
    struct.pack_into("<III", sector, 484, 0x61417272, free_clusters, next_free)
    struct.pack_into("<I", sector, 508, 0xAA550000)
    return bytes(sector)
