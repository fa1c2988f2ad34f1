"""The data files of disks: flat files, and deltas that hold only some grains.

A flat file ``x-flat.vmdk`` is the disk byte by byte, with holes. A delta ``x-000001-delta.vmdk`` is a
copy-on-write disk as ESX's own (magic ``COWD``, which qemu-img reads): header, directory, one 32-bit table entry
per grain, data. Each grain has its place in the data area from the start, so that an entry is either 0 or one
fixed value, and unheld grains are holes. The tables are mapped into memory: they survive the death of the process
as file data do.
"""

import mmap
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.simulator.storage.descriptor import SECTOR_BYTES, Geometry
from app.simulator.storage.errors import DiskCorrupt
from app.simulator.storage.grains import GRAIN_BYTES, Mask, grain_count, grain_span
from app.simulator.storage.sparse import SparseFile

_HEADER = struct.Struct("<4s10I")
_MAGIC = b"COWD"
_ENTRIES_PER_TABLE = 4096
_TABLE_BYTES = _ENTRIES_PER_TABLE * 4
_DIRECTORY_OFFSET = 2048
_GRAIN_SECTORS = GRAIN_BYTES // SECTOR_BYTES


class FlatLayer:
    """The data file of a disk without parent. What it holds is what takes space in the file."""

    data_offset = 0

    def __init__(self, file: SparseFile, capacity_bytes: int) -> None:
        self.file = file
        self._held: Mask = np.zeros(grain_count(capacity_bytes), dtype=np.bool_)
        for extent in file.data_ranges():
            first, end = grain_span(extent.start, extent.length_bytes)
            self._held[first:end] = True

    @classmethod
    def create(cls, path: Path, capacity_bytes: int) -> "FlatLayer":
        """Create an empty file.

        Raises:
            FileExistsError: it is there already.
        """
        return cls(SparseFile(path, create_bytes=capacity_bytes), capacity_bytes)

    @classmethod
    def open(cls, path: Path, capacity_bytes: int) -> "FlatLayer":
        """Open an existing file.

        Raises:
            DiskCorrupt: its size is not the disk's.
        """
        file = SparseFile(path)
        if file.size_bytes() != capacity_bytes:
            file.close()
            raise DiskCorrupt(f"{path.name} is not {capacity_bytes} bytes long")
        return cls(file, capacity_bytes)

    def held(self, first_grain: int, end_grain: int) -> Mask:
        """Return which grains take space."""
        return self._held[first_grain:end_grain]

    def hold(self, first_grain: int, end_grain: int) -> None:
        """Note that these grains take space."""
        self._held[first_grain:end_grain] = True

    def grow(self, capacity_bytes: int) -> None:
        """Make the disk larger; the new space is a hole."""
        self.file.resize(capacity_bytes)
        missing = grain_count(capacity_bytes) - len(self._held)
        self._held = np.concatenate([self._held, np.zeros(missing, dtype=np.bool_)])

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class DeltaLayer:
    """The data file of a disk with a parent."""

    def __init__(self, file: SparseFile, capacity_bytes: int) -> None:
        self.file = file
        n_grains = grain_count(capacity_bytes)
        layout = _Layout.of(n_grains)
        self.data_offset = layout.data_offset
        self._map = mmap.mmap(file.fileno(), layout.data_offset)
        self._table: npt.NDArray[np.uint32] = np.frombuffer(
            self._map, dtype="<u4", count=n_grains, offset=layout.tables_offset
        )

    @classmethod
    def create(cls, path: Path, capacity_bytes: int) -> "DeltaLayer":
        """Create a delta that holds nothing.

        Raises:
            FileExistsError: it is there already.
        """
        layout = _Layout.of(grain_count(capacity_bytes))
        file = SparseFile(path, create_bytes=layout.data_offset + capacity_bytes)
        geometry = Geometry.of(capacity_bytes)
        header = _HEADER.pack(
            _MAGIC,
            1,
            3,
            capacity_bytes // SECTOR_BYTES,
            _GRAIN_SECTORS,
            _DIRECTORY_OFFSET // SECTOR_BYTES,
            layout.n_tables,
            (layout.data_offset + capacity_bytes) // SECTOR_BYTES,
            geometry.cylinders,
            geometry.heads,
            geometry.sectors,
        )
        file.write(0, header)
        tables = layout.tables_offset + np.arange(layout.n_tables, dtype=np.int64) * _TABLE_BYTES
        file.write(_DIRECTORY_OFFSET, (tables // SECTOR_BYTES).astype("<u4").tobytes())
        return cls(file, capacity_bytes)

    @classmethod
    def open(cls, path: Path, capacity_bytes: int) -> "DeltaLayer":
        """Open an existing delta.

        Raises:
            DiskCorrupt: it is not a delta of a disk of this size.
        """
        file = SparseFile(path)
        header = bytearray(_HEADER.size)
        file.readinto(0, memoryview(header))
        magic, _, _, sectors, grain_sectors, *_ = _HEADER.unpack(header)
        if (magic, sectors, grain_sectors) != (_MAGIC, capacity_bytes // SECTOR_BYTES, _GRAIN_SECTORS):
            file.close()
            raise DiskCorrupt(f"{path.name} is not a delta of {capacity_bytes} bytes")
        return cls(file, capacity_bytes)

    def held(self, first_grain: int, end_grain: int) -> Mask:
        """Return which grains this delta holds."""
        mask: Mask = self._table[first_grain:end_grain] != 0
        return mask

    def hold(self, first_grain: int, end_grain: int) -> None:
        """Note that this delta holds these grains; their data must be written before."""
        first_sector = self.data_offset // SECTOR_BYTES
        places = first_sector + np.arange(first_grain, end_grain, dtype=np.int64) * _GRAIN_SECTORS
        self._table[first_grain:end_grain] = places

    def close(self) -> None:
        """Close the file."""
        if not self._map.closed:
            self._table = np.zeros(0, dtype=np.uint32)
            self._map.close()
        self.file.close()


class _Layout:
    """The offsets of the parts of a delta."""

    def __init__(self, n_tables: int) -> None:
        self.n_tables = n_tables
        directory_bytes = -(-n_tables * 4 // SECTOR_BYTES) * SECTOR_BYTES
        self.tables_offset = _DIRECTORY_OFFSET + directory_bytes
        end = self.tables_offset + n_tables * _TABLE_BYTES
        self.data_offset = -(-end // GRAIN_BYTES) * GRAIN_BYTES

    @classmethod
    def of(cls, n_grains: int) -> "_Layout":
        return cls(-(-n_grains // _ENTRIES_PER_TABLE))
