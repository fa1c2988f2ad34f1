"""FAT16 and FAT32 volumes that are written the way a careful operating system does it.

The volume is valid after each change, and between the single writes of a change it is never worse than clusters
that belong to no file: data first, then the allocation table, then the directory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.simulator.guests.blocks import SECTOR_BYTES, BlockDevice
from app.simulator.guests.fat_directory import (
    ARCHIVE,
    DELETED,
    DIRECTORY,
    VOLUME_LABEL,
    Entry,
    pack_short,
    pack_with_long_name,
    parse_directory,
)
from app.simulator.guests.fat_layout import (
    BACKUP_BOOT_SECTOR,
    DATA_ALIGNMENT_BYTES,
    DIRECTORY_ENTRY_BYTES,
    FatLayout,
)
from app.simulator.guests.fat_table import FatTable, Run, VolumeFull
from app.simulator.guests.partitions import Partition

_LARGEST_FILE_BYTES = (1 << 32) - 1
_EPOCH = datetime(2026, 1, 5, 8, 0)  # noqa: DTZ001 - FAT keeps local time without a zone


@dataclass(eq=False)
class FatFile:
    """A file of a volume. Its fields change only through the volume."""

    path: str
    directory: "_Directory"
    entry: Entry
    runs: list[Run]

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self.entry.size_bytes


class _Directory:
    """A directory's bytes in memory, and where they are; ``runs`` is None for FAT16's root."""

    def __init__(self, path: str, cluster: int, runs: list[Run] | None, content: bytearray) -> None:
        self.path = path
        self.cluster = cluster
        self.runs = runs
        self.content = content

    def find_room(self, n_parts: int) -> int | None:
        """Return where so many parts fit in one piece, None when they do not."""
        found = 0
        for offset in range(0, len(self.content), DIRECTORY_ENTRY_BYTES):
            found = found + 1 if self.content[offset] in (0, DELETED) else 0
            if found == n_parts:
                return offset - (n_parts - 1) * DIRECTORY_ENTRY_BYTES
        return None


class FatVolume:
    """A mounted volume.

    Thread: one at a time.
    """

    def __init__(self, device: BlockDevice, partition: Partition, layout: FatLayout) -> None:
        self._device = device
        self._start = partition.start
        self.layout = layout
        self._table = FatTable(device, partition.start, layout)
        self._next_name = 1
        self._clock = _EPOCH
        self._directories: dict[str, _Directory] = {}
        self._files: dict[str, FatFile] = {}

    # ---- making and mounting -----------------------------------------------------------------------------

    @classmethod
    def format(cls, device: BlockDevice, partition: Partition, *, label: str, serial: int) -> "FatVolume":
        """Make an empty volume on a partition that reads as zeros.

        Args:
            device: the disk.
            partition: where the volume is.
            label: at most 11 upper-case ASCII characters.
            serial: the volume's serial number, 32 bits.

        Raises:
            ValueError: the partition is too small.
        """
        layout = FatLayout.plan(partition.length_bytes)
        volume = cls(device, partition, layout)
        boot = layout.boot_sector(label, serial, partition.start // SECTOR_BYTES)
        for place in (0, BACKUP_BOOT_SECTOR) if layout.is_fat32 else (0,):
            volume._write(place * SECTOR_BYTES, boot)
        volume._table.format()
        if layout.is_fat32:
            root = volume._new_directory("", volume._table.take(1))
        else:
            root = _Directory("", 0, None, bytearray(layout.root_entries * DIRECTORY_ENTRY_BYTES))
        volume._directories[""] = root
        short_name = label.encode("ascii").ljust(11)
        volume._change(root, 0, pack_short(short_name, VOLUME_LABEL, 0, 0, _EPOCH))
        volume._table.save_summary()
        return volume

    @classmethod
    def mount(cls, device: BlockDevice, partition: Partition) -> "FatVolume":
        """Read a volume.

        Raises:
            NotFat: there is none.
        """
        layout = FatLayout.parse(device.read(partition.start, SECTOR_BYTES))
        volume = cls(device, partition, layout)
        volume._table.load()
        if layout.is_fat32:
            runs = volume._table.runs_from(2)
            root = _Directory("", 2, runs, volume._read_runs(runs))
        else:
            content = volume._read(layout.root_offset, layout.root_entries * DIRECTORY_ENTRY_BYTES)
            root = _Directory("", 0, None, bytearray(content))
        volume._load(root)
        return volume

    # ---- looking ---------------------------------------------------------------------------------------

    @property
    def free_bytes(self) -> int:
        """Space in free clusters."""
        return self._table.free_clusters * self.layout.cluster_bytes

    @property
    def used_bytes(self) -> int:
        """Space in clusters that files and directories have."""
        return (self.layout.n_clusters - self._table.free_clusters) * self.layout.cluster_bytes

    @property
    def files(self) -> list[FatFile]:
        """Every file, oldest first."""
        return list(self._files.values())

    def file(self, path: str) -> FatFile:
        """Return a file by its path, ``directory/name``.

        Raises:
            KeyError: there is none.
        """
        return self._files[path]

    def read(self, file: FatFile) -> bytes:
        """Return a file's content."""
        return bytes(self._read_runs(file.runs)[: file.size_bytes])

    def ranges(self, file: FatFile, offset: int, length_bytes: int) -> Iterator[tuple[int, int]]:
        """Return where a part of a file is on the device: (offset, length), in order."""
        position = 0
        for cluster, count in file.runs:
            run_bytes = count * self.layout.cluster_bytes
            left, right = max(offset, position), min(offset + length_bytes, position + run_bytes)
            if left < right:
                yield self._start + self.layout.cluster_offset(cluster) + left - position, right - left
            position += run_bytes

    # ---- changing --------------------------------------------------------------------------------------

    def make_directory(self, path: str) -> None:
        """Make a directory in one that exists; one that is there already is fine.

        Raises:
            KeyError: its parent does not exist.
            VolumeFull: there is no space.
        """
        if path in self._directories:
            return
        parent = self._directories[path.rpartition("/")[0]]
        directory = self._new_directory(path, self._table.take(1), parent)
        self._add_entry(parent, path, DIRECTORY, directory.cluster, 0)
        self._directories[path] = directory
        self._table.save_summary()

    def create(self, path: str, data: bytes, *, aligned: bool = False) -> FatFile:
        """Create a file in a directory that exists.

        Args:
            path: ``directory/name``.
            data: its content.
            aligned: begin at a multiple of 1 MiB of the data area, if there is room.

        Raises:
            KeyError: its directory does not exist.
            ValueError: there is a file of that name already, or it is too large.
            VolumeFull: there is no space.
        """
        if path in self._files or len(data) > _LARGEST_FILE_BYTES:
            raise ValueError(f"{path} exists or is too large")
        directory = self._directories[path.rpartition("/")[0]]
        prefer = self._table.next_aligned(DATA_ALIGNMENT_BYTES // self.layout.cluster_bytes) if aligned else None
        runs = self._table.take(-(-len(data) // self.layout.cluster_bytes), prefer) if data else []
        self._write_runs(runs, data)
        self._table.save_chain(runs)
        entry = self._add_entry(directory, path, ARCHIVE, runs[0][0] if runs else 0, len(data))
        file = self._files[path] = FatFile(path, directory, entry, runs)
        self._table.save_summary()
        return file

    def overwrite(self, file: FatFile, offset: int, data: bytes) -> None:
        """Replace a part of a file, which keeps its length.

        Raises:
            ValueError: the part reaches beyond the end.
        """
        if offset < 0 or offset + len(data) > file.size_bytes:
            raise ValueError(f"{offset}+{len(data)} is not inside {file.path}")
        self._write_part(file, offset, data)

    def append(self, file: FatFile, data: bytes) -> None:
        """Make a file longer.

        Raises:
            ValueError: it would be too large.
            VolumeFull: there is no space.
        """
        size_bytes = file.size_bytes + len(data)
        if size_bytes > _LARGEST_FILE_BYTES:
            raise ValueError(f"{file.path} would be too large")
        has = sum(count for _, count in file.runs)
        needs = -(-size_bytes // self.layout.cluster_bytes) - has
        old_runs, last = list(file.runs), file.runs[-1] if file.runs else None
        if needs > 0:
            added = self._table.take(needs, None if last is None else sum(last))
            file.runs += added
        self._write_part(file, file.size_bytes, data)
        if needs > 0:
            self._table.save_chain(added)
            if old_runs:
                self._table.link(sum(old_runs[-1]) - 1, added[0][0])
        file.entry = replace(file.entry, size_bytes=size_bytes, first_cluster=file.runs[0][0] if file.runs else 0)
        self._save_entry(file.directory, file.entry)
        self._table.save_summary()

    def delete(self, file: FatFile) -> None:
        """Delete a file."""
        entry = file.entry
        for number in range(entry.n_parts):
            file.directory.content[entry.offset + number * DIRECTORY_ENTRY_BYTES] = DELETED
        self._save_content(file.directory, entry.offset, entry.n_parts * DIRECTORY_ENTRY_BYTES)
        self._table.give_back(file.runs)
        del self._files[file.path]
        self._table.save_summary()

    # ---- directories -----------------------------------------------------------------------------------

    def _load(self, directory: _Directory) -> None:
        self._directories[directory.path] = directory
        for entry in parse_directory(directory.content):
            path = f"{directory.path}/{entry.name}".lstrip("/")
            runs = self._table.runs_from(entry.first_cluster) if entry.first_cluster else []
            digits = entry.short_name[1:8]
            if digits.isdigit():
                self._next_name = max(self._next_name, int(digits) + 1)
            if entry.is_directory:
                self._load(_Directory(path, entry.first_cluster, runs, self._read_runs(runs)))
            else:
                self._files[path] = FatFile(path, directory, entry, runs)

    def _new_directory(self, path: str, runs: list[Run], parent: _Directory | None = None) -> _Directory:
        cluster = runs[0][0]
        content = bytearray(self.layout.cluster_bytes)
        if parent is not None:
            at = self._now()
            own, above = b".".ljust(11), b"..".ljust(11)
            above_cluster = parent.cluster if parent.path else 0
            content[:32] = pack_short(own, DIRECTORY, cluster, 0, at)
            content[32:64] = pack_short(above, DIRECTORY, above_cluster, 0, at)
        self._write_runs(runs, content)
        self._table.save_chain(runs)
        return _Directory(path, cluster, runs, content)

    def _add_entry(
        self, directory: _Directory, path: str, attributes: int, first_cluster: int, size_bytes: int
    ) -> Entry:
        name = path.rpartition("/")[2]
        extension = "".join(char for char in name.rpartition(".")[2].upper() if char.isascii() and char.isalnum())
        kind = "D" if attributes & DIRECTORY else "F"
        short_name = f"{kind}{self._next_name:07}{extension[:3] if '.' in name else '':3}".encode("ascii")
        self._next_name += 1
        parts = pack_with_long_name(
            name, pack_short(short_name, attributes, first_cluster, size_bytes, self._now())
        )
        n_parts = len(parts) // DIRECTORY_ENTRY_BYTES
        offset = directory.find_room(n_parts)
        while offset is None:
            self._grow(directory)
            offset = directory.find_room(n_parts)
        self._change(directory, offset, parts)
        return Entry(name, short_name, attributes, first_cluster, size_bytes, offset, n_parts)

    def _grow(self, directory: _Directory) -> None:
        if directory.runs is None:
            raise VolumeFull("the root directory is full")
        last = sum(directory.runs[-1])
        added = self._table.take(1, last)
        self._write_runs(added, bytes(self.layout.cluster_bytes))
        self._table.save_chain(added)
        self._table.link(last - 1, added[0][0])
        directory.runs += added
        directory.content += bytes(self.layout.cluster_bytes)

    def _save_entry(self, directory: _Directory, entry: Entry) -> None:
        packed = pack_short(entry.short_name, entry.attributes, entry.first_cluster, entry.size_bytes, self._now())
        self._change(directory, entry.short_offset, packed)

    def _change(self, directory: _Directory, offset: int, data: bytes) -> None:
        directory.content[offset : offset + len(data)] = data
        self._save_content(directory, offset, len(data))

    def _save_content(self, directory: _Directory, offset: int, length_bytes: int) -> None:
        first = offset // SECTOR_BYTES * SECTOR_BYTES
        end = -(-(offset + length_bytes) // SECTOR_BYTES) * SECTOR_BYTES
        if directory.runs is None:
            self._write(self.layout.root_offset + first, directory.content[first:end])
            return
        position = 0
        for cluster, count in directory.runs:
            run_bytes = count * self.layout.cluster_bytes
            left, right = max(first, position), min(end, position + run_bytes)
            if left < right:
                self._write(self.layout.cluster_offset(cluster) + left - position, directory.content[left:right])
            position += run_bytes

    # ---- bytes -----------------------------------------------------------------------------------------

    def _write_part(self, file: FatFile, offset: int, data: bytes) -> None:
        """Write whole sectors, the edges filled with what is there."""
        position = 0
        for place, length in self.ranges(file, offset, len(data)):
            first = place // SECTOR_BYTES * SECTOR_BYTES
            end = -(-(place + length) // SECTOR_BYTES) * SECTOR_BYTES
            head = self._device.read(first, place - first)
            tail = self._device.read(place + length, end - place - length)
            self._device.write(first, head + data[position : position + length] + tail)
            position += length

    def _write_runs(self, runs: list[Run], data: bytes | bytearray) -> None:
        position = 0
        for cluster, count in runs:
            piece = data[position : position + count * self.layout.cluster_bytes]
            padding = bytes(-len(piece) % SECTOR_BYTES)
            self._write(self.layout.cluster_offset(cluster), piece + padding)
            position += len(piece)

    def _read_runs(self, runs: list[Run]) -> bytearray:
        content = bytearray()
        for cluster, count in runs:
            content += self._read(self.layout.cluster_offset(cluster), count * self.layout.cluster_bytes)
        return content

    def _read(self, offset: int, length_bytes: int) -> bytes:
        return self._device.read(self._start + offset, length_bytes)

    def _write(self, offset: int, data: bytes | bytearray) -> None:
        self._device.write(self._start + offset, data)

    def _now(self) -> datetime:
        self._clock += timedelta(seconds=2)
        return self._clock
