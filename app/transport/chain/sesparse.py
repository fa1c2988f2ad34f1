"""The format of snapshots' deltas on VMFS-6, and above 2 TB everywhere: ``seSparse``.

A file whose journal was not written back is refused: its tables are not those of the disk.
"""

import struct
from collections.abc import Iterator
from typing import Final

from app.transport.chain.grains import Grains, damaged
from app.transport.chain.layers import ChainUnreadable, DataFile, Holds, Run, joined
from app.transport.chain.tables import TableCache
from app.transport.options import SECTOR_BYTES
from app.transport.reasons import JOURNAL_OPEN

MAGIC: Final = 0xCAFEBABE
_VERSION: Final = 0x2_0000_0001
_VOLATILE_MAGIC: Final = 0xCAFECAFE
_FIELDS: Final = struct.Struct("<26Q")
_VOLATILE: Final = struct.Struct("<4Q")
_ENTRY_BYTES: Final = 8
_NIBBLE_SHIFT: Final = 60
_LOW_48: Final = (1 << 48) - 1
_LOW_60: Final = (1 << 60) - 1
_LOW_32: Final = (1 << 32) - 1
_PARENT, _UNMAPPED, _ZERO, _ALLOCATED = range(4)
_IN_USE: Final = 1
_MOST_TABLE_SECTORS: Final = 1024
_MOST_GRAIN_SECTORS: Final = 1 << 16


class SeSparseLayer:
    """A delta that holds only the grains that were written, of 4 KiB each."""

    def __init__(self, file: DataFile) -> None:
        """Read the headers and the directory.

        Raises:
            ChainUnreadable: they are damaged, of another version, or the journal was not written back.
            OperationalError: they cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        self._file = file
        if file.size_bytes < _FIELDS.size:
            raise damaged(self._file)
        fields = _FIELDS.unpack(file.read(0, _FIELDS.size))
        grain_sectors, table_sectors, directory_sectors = fields[3], fields[4], fields[17]
        if (fields[0], fields[1]) != (MAGIC, _VERSION):
            raise damaged(self._file)
        if not 0 < grain_sectors <= _MOST_GRAIN_SECTORS or not 0 < table_sectors <= _MOST_TABLE_SECTORS:
            raise damaged(self._file)
        self._check_journal(fields[10])
        self.capacity_bytes: int = fields[2] * SECTOR_BYTES
        self._grain_bytes = grain_sectors * SECTOR_BYTES
        self._table_bytes = table_sectors * SECTOR_BYTES
        self._entries = self._table_bytes // _ENTRY_BYTES
        self._tables_at, self._grains_at = fields[18] * SECTOR_BYTES, fields[24] * SECTOR_BYTES
        needed = -(-self.capacity_bytes // (self._entries * self._grain_bytes))
        directory_at = fields[16] * SECTOR_BYTES
        if directory_sectors * SECTOR_BYTES < needed * _ENTRY_BYTES:
            raise damaged(self._file)
        if directory_at + needed * _ENTRY_BYTES > file.size_bytes:
            raise damaged(self._file)
        self._directory = struct.unpack(f"<{needed}Q", file.read(directory_at, needed * _ENTRY_BYTES))
        self._grains = Grains(
            grain_bytes=self._grain_bytes,
            directory=self._directory,
            entries=self._entries,
            tables=TableCache(self._read_table),
            run_of=self._grain,
        )

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the layer holds of a range."""
        return joined(self._grains.runs(start, end))

    def _grain(self, entry: int, inside: int, length: int) -> Run:
        state = entry >> _NIBBLE_SHIFT
        if state == _PARENT:
            return Run(Holds.PARENT, length)
        if state in (_UNMAPPED, _ZERO):
            return Run(Holds.ZEROS, length)
        if state != _ALLOCATED:
            raise damaged(self._file)
        grain = ((entry & _LOW_48) << 12) | ((entry & _LOW_60) >> 48)
        offset = self._grains_at + grain * self._grain_bytes + inside
        if offset + length > self._file.size_bytes:
            raise damaged(self._file)
        return Run(Holds.DATA, length, self._file, offset)

    def _read_table(self, number: int) -> tuple[int, ...]:
        entry = self._directory[number]
        if entry >> _NIBBLE_SHIFT != _IN_USE:
            raise damaged(self._file)
        offset = self._tables_at + (entry & _LOW_32) * self._table_bytes
        if offset + self._table_bytes > self._file.size_bytes:
            raise damaged(self._file)
        return struct.unpack(f"<{self._entries}Q", self._file.read(offset, self._table_bytes))

    def _check_journal(self, sector: int) -> None:
        offset = sector * SECTOR_BYTES
        if offset + _VOLATILE.size > self._file.size_bytes:
            raise damaged(self._file)
        magic, _, _, replays = _VOLATILE.unpack(self._file.read(offset, _VOLATILE.size))
        if magic != _VOLATILE_MAGIC:
            raise damaged(self._file)
        if replays:
            raise ChainUnreadable(JOURNAL_OPEN.fill(file=self._file.name))
