"""The two formats in which a delta keeps its grains: ``COWD`` (vmfsSparse) up to 2 TB, seSparse above.

Both as ESX writes them, and as qemu-img reads them: headers, a directory of tables, tables with an entry per
grain, data. Each grain has its place in the data area from the start, so that an entry is either 0 or one fixed
value, and what is not held is a hole. Entries of COWD count sectors in 32 bits, which ends at 2 TB; those of
seSparse count grains of 4 KiB in 60 bits.
"""

import struct
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from app.domain.extents import Extent, intersect
from app.simulator.storage.descriptor import SECTOR_BYTES, DeltaKind, Geometry
from app.simulator.storage.errors import DiskCorrupt
from app.simulator.storage.grains import GRAIN_BYTES, GrainSet, grain_count, runs
from app.simulator.storage.places import StoredFile

_LARGEST_COWD_BYTES: Final = 2_000 << 30

_GRAIN_SECTORS = GRAIN_BYTES // SECTOR_BYTES
_GRAINS_AT_ONCE = 1 << 16


class DeltaFormat(Protocol):
    """Where a delta of one disk keeps what. Thread: any."""

    data_offset: int
    """Where the data of byte 0 of the disk are."""

    def begin(self, file: StoredFile) -> None:
        """Write the headers of a delta that holds nothing."""
        ...

    def check(self, file: StoredFile) -> None:
        """Look at the headers.

        Raises:
            DiskCorrupt: they are not those of a delta of this disk.
        """
        ...

    def mark(self, file: StoredFile, first_grain: int, end_grain: int) -> None:
        """Write that the delta holds these grains."""
        ...

    def held(self, file: StoredFile) -> GrainSet:
        """Read which grains the delta holds."""
        ...


def delta_kind(capacity_bytes: int) -> DeltaKind:
    """Return the format that deltas of a disk of this size have."""
    return "vmfsSparse" if capacity_bytes <= _LARGEST_COWD_BYTES else "seSparse"


def delta_format(capacity_bytes: int) -> DeltaFormat:
    """Return where a delta of a disk of this size keeps what."""
    return (
        CowdFormat(capacity_bytes)
        if delta_kind(capacity_bytes) == "vmfsSparse"
        else SeSparseFormat(capacity_bytes)
    )


class CowdFormat:
    """The older format, ``vmfsSparse``: one 32-bit entry per grain of 64 KiB."""

    _HEADER: Final = struct.Struct("<4s10I")
    _MAGIC: Final = b"COWD"
    _ENTRIES_PER_TABLE: Final = 4096
    _ENTRY_BYTES: Final = 4
    _DIRECTORY_OFFSET: Final = 2048

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._n_grains = grain_count(capacity_bytes)
        self._n_tables = -(-self._n_grains // self._ENTRIES_PER_TABLE)
        self._tables_offset = self._DIRECTORY_OFFSET + _whole(self._n_tables * 4, SECTOR_BYTES)
        tables_bytes = self._n_tables * self._ENTRIES_PER_TABLE * self._ENTRY_BYTES
        self.data_offset = _whole(self._tables_offset + tables_bytes, GRAIN_BYTES)

    def begin(self, file: StoredFile) -> None:
        """Do :meth:`DeltaFormat.begin`."""
        geometry = Geometry.of(self._capacity)
        header = self._HEADER.pack(
            self._MAGIC,
            1,
            3,
            self._capacity // SECTOR_BYTES,
            _GRAIN_SECTORS,
            self._DIRECTORY_OFFSET // SECTOR_BYTES,
            self._n_tables,
            (self.data_offset + self._capacity) // SECTOR_BYTES,
            geometry.cylinders,
            geometry.heads,
            geometry.sectors,
        )
        file.write(0, header)
        table_bytes = self._ENTRIES_PER_TABLE * self._ENTRY_BYTES
        tables = self._tables_offset + np.arange(self._n_tables, dtype=np.int64) * table_bytes
        file.write(self._DIRECTORY_OFFSET, (tables // SECTOR_BYTES).astype("<u4").tobytes())

    def check(self, file: StoredFile) -> None:
        """Do :meth:`DeltaFormat.check`."""
        magic, _, _, sectors, grain_sectors, *_ = self._HEADER.unpack(file.read(0, self._HEADER.size))
        if (magic, sectors, grain_sectors) != (self._MAGIC, self._capacity // SECTOR_BYTES, _GRAIN_SECTORS):
            raise DiskCorrupt(f"{file.path.name} is not a delta of {self._capacity} bytes")

    def mark(self, file: StoredFile, first_grain: int, end_grain: int) -> None:
        """Do :meth:`DeltaFormat.mark`."""
        first_sector = self.data_offset // SECTOR_BYTES
        places = first_sector + np.arange(first_grain, end_grain, dtype=np.int64) * _GRAIN_SECTORS
        file.write(self._tables_offset + first_grain * self._ENTRY_BYTES, places.astype("<u4").tobytes())

    def held(self, file: StoredFile) -> GrainSet:
        """Do :meth:`DeltaFormat.held`."""
        tables = Extent(self._tables_offset, self._n_grains * self._ENTRY_BYTES)
        return _held(file, tables, self._ENTRY_BYTES, 1)


class SeSparseFormat:
    """The newer format: one 64-bit entry per grain of 4 KiB; ours are held sixteen at a time."""

    _FIELDS: Final = struct.Struct("<26Q")
    _MAGIC: Final = 0xCAFEBABE
    _VERSION: Final = 0x2_0000_0001
    _VOLATILE: Final = struct.Struct("<4Q")
    _VOLATILE_MAGIC: Final = 0xCAFECAFE
    _GRAIN_SECTORS: Final = 8
    _TABLE_SECTORS: Final = 64
    _ENTRY_BYTES: Final = 8
    _PER_GRAIN: Final = GRAIN_BYTES // (8 * SECTOR_BYTES)
    _VOLATILE_SECTOR: Final = 1
    _JOURNAL_HEADER_SECTOR: Final = 2
    _JOURNAL_SECTOR: Final = 2048
    _JOURNAL_SECTORS: Final = 2048
    _DIRECTORY_SECTOR: Final = 4096
    _TABLE_IN_USE: Final = 1 << 60
    _ALLOCATED: Final = 3 << 60

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._n_grains = grain_count(capacity_bytes)
        self._table_bytes = self._TABLE_SECTORS * SECTOR_BYTES
        self._entries_per_table = self._table_bytes // self._ENTRY_BYTES
        self._n_tables = -(-self._n_grains * self._PER_GRAIN // self._entries_per_table)
        self._directory_offset = self._DIRECTORY_SECTOR * SECTOR_BYTES
        directory_bytes = _whole(self._n_tables * self._ENTRY_BYTES, SECTOR_BYTES)
        self._tables_offset = self._directory_offset + directory_bytes
        self._free_offset = self._tables_offset + self._n_tables * self._table_bytes
        self.data_offset = _whole(self._free_offset + 2 * SECTOR_BYTES, GRAIN_BYTES)

    def begin(self, file: StoredFile) -> None:
        """Do :meth:`DeltaFormat.begin`."""
        fields = [
            self._MAGIC,
            self._VERSION,
            self._capacity // SECTOR_BYTES,
            self._GRAIN_SECTORS,
            self._TABLE_SECTORS,
        ]
        fields += [0, 0, 0, 0, 0]  # flags and four reserved fields
        fields += [self._VOLATILE_SECTOR, 1, self._JOURNAL_HEADER_SECTOR, 2]
        fields += [self._JOURNAL_SECTOR, self._JOURNAL_SECTORS]
        free, data = self._free_offset // SECTOR_BYTES, self.data_offset // SECTOR_BYTES
        directory_sectors = (self._tables_offset - self._directory_offset) // SECTOR_BYTES
        fields += [self._DIRECTORY_SECTOR, directory_sectors]
        fields += [self._tables_offset // SECTOR_BYTES, self._n_tables * self._TABLE_SECTORS]
        fields += [free, 1, free + 1, 1, data, self._n_grains * _GRAIN_SECTORS]
        file.write(0, self._FIELDS.pack(*fields))
        file.write(self._VOLATILE_SECTOR * SECTOR_BYTES, self._VOLATILE.pack(self._VOLATILE_MAGIC, 0, 0, 0))

    def check(self, file: StoredFile) -> None:
        """Do :meth:`DeltaFormat.check`."""
        fields = self._FIELDS.unpack(file.read(0, self._FIELDS.size))
        if fields[:3] != (self._MAGIC, self._VERSION, self._capacity // SECTOR_BYTES):
            raise DiskCorrupt(f"{file.path.name} is not a delta of {self._capacity} bytes")

    def mark(self, file: StoredFile, first_grain: int, end_grain: int) -> None:
        """Do :meth:`DeltaFormat.mark`."""
        first, end = first_grain * self._PER_GRAIN, end_grain * self._PER_GRAIN
        numbers = np.arange(first, end, dtype=np.uint64)
        low, high = (numbers & np.uint64(0xFFF)) << np.uint64(48), numbers >> np.uint64(12)
        entries: npt.NDArray[np.uint64] = np.uint64(self._ALLOCATED) | low | high
        file.write(self._tables_offset + first * self._ENTRY_BYTES, entries.astype("<u8").tobytes())
        first_table, end_table = first // self._entries_per_table, -(-end // self._entries_per_table)
        tables = np.arange(first_table, end_table, dtype=np.uint64) | np.uint64(self._TABLE_IN_USE)
        file.write(self._directory_offset + first_table * self._ENTRY_BYTES, tables.astype("<u8").tobytes())

    def held(self, file: StoredFile) -> GrainSet:
        """Do :meth:`DeltaFormat.held`."""
        tables = Extent(self._tables_offset, self._n_grains * self._PER_GRAIN * self._ENTRY_BYTES)
        return _held(file, tables, self._ENTRY_BYTES, self._PER_GRAIN)


def _whole(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _held(file: StoredFile, tables: Extent, entry_bytes: int, per_grain: int) -> GrainSet:
    """Read the entries of the tables, where the file has any: of each grain the first says whether it is held."""
    grains = GrainSet()
    group_bytes = entry_bytes * per_grain
    for data in intersect(file.data_ranges(), [tables]):
        end = -(-(data.end - tables.start) // group_bytes)
        for first in range((data.start - tables.start) // group_bytes, end, _GRAINS_AT_ONCE):
            n_grains = min(_GRAINS_AT_ONCE, end - first)
            content = file.read(tables.start + first * group_bytes, n_grains * group_bytes)
            entries = np.frombuffer(content, dtype=f"<u{entry_bytes}")[::per_grain]
            for start, stop, is_held in runs(entries != 0):
                if is_held:
                    grains.add(first + start, first + stop)
    return grains
