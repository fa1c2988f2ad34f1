"""The format of snapshots' deltas on VMFS-5 and NFS: ``vmfsSparse``, by its magic word COWD."""

import struct
from collections.abc import Iterator
from typing import Final

from app.transport.chain.grains import Grains, damaged
from app.transport.chain.layers import DataFile, Holds, Run, joined
from app.transport.chain.tables import TableCache
from app.transport.options import SECTOR_BYTES

MAGIC: Final = b"COWD"
_HEADER: Final = struct.Struct("<4s6I")
_VERSION: Final = 1
_ENTRIES: Final = 4096
"""Grains of one table."""
_ZERO_GRAIN: Final = 1
_MOST_GRAIN_SECTORS: Final = 1 << 16


class CowdLayer:
    """A delta that holds only the grains that were written."""

    def __init__(self, file: DataFile) -> None:
        """Read the header and the directory.

        Raises:
            ChainUnreadable: they are damaged, or of another version.
            OperationalError: they cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        self._file = file
        if file.size_bytes < _HEADER.size:
            raise damaged(self._file)
        magic, version, _, sectors, grain_sectors, directory_sector, tables = _HEADER.unpack(
            file.read(0, _HEADER.size)
        )
        if magic != MAGIC or version != _VERSION or not 0 < grain_sectors <= _MOST_GRAIN_SECTORS:
            raise damaged(self._file)
        self.capacity_bytes = sectors * SECTOR_BYTES
        self._grain_bytes = grain_sectors * SECTOR_BYTES
        needed = -(-self.capacity_bytes // (_ENTRIES * self._grain_bytes))
        if tables < needed or directory_sector * SECTOR_BYTES + 4 * needed > file.size_bytes:
            raise damaged(self._file)
        directory = file.read(directory_sector * SECTOR_BYTES, 4 * needed)
        self._directory = struct.unpack(f"<{needed}I", directory)
        self._grains = Grains(
            grain_bytes=self._grain_bytes,
            directory=self._directory,
            entries=_ENTRIES,
            tables=TableCache(self._read_table),
            run_of=self._grain,
        )

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the layer holds of a range."""
        return joined(self._grains.runs(start, end))

    def _grain(self, sector: int, inside: int, length: int) -> Run:
        if not sector:
            return Run(Holds.PARENT, length)
        if sector == _ZERO_GRAIN:
            return Run(Holds.ZEROS, length)
        offset = sector * SECTOR_BYTES + inside
        if offset + length > self._file.size_bytes:
            raise damaged(self._file)
        return Run(Holds.DATA, length, self._file, offset)

    def _read_table(self, number: int) -> tuple[int, ...]:
        offset = self._directory[number] * SECTOR_BYTES
        if offset + 4 * _ENTRIES > self._file.size_bytes:
            raise damaged(self._file)
        return struct.unpack(f"<{_ENTRIES}I", self._file.read(offset, 4 * _ENTRIES))
