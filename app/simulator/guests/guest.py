"""One guest: changes files on its VM's disks, so that the file systems stay valid."""

import zlib
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from app.simulator.guests.blocks import SECTOR_BYTES
from app.simulator.guests.content import ContentMaker, Kind
from app.simulator.guests.fat import FatFile, FatVolume
from app.simulator.guests.fat_layout import NotFat
from app.simulator.guests.fat_table import VolumeFull
from app.simulator.guests.partitions import find_partition
from app.simulator.storage import DatastoreFull, DiskClosed, DiskFrozen, SimDisk, StorageError

T = TypeVar("T")
Leaves = Callable[[], Mapping[int, SimDisk]]
"""Returns what the VM writes to now, by device key."""

_LARGEST_WRITE_BYTES = 256 << 10
_FULL_FRACTION = 0.7
_ATTEMPTS = 100
_SPARE_BYTES = 1 << 20
"""What the grains of tables and directories may take on top of a change's content."""
_DIRECTORY = "guest"


class GuestDisk:
    """A disk as the guest sees it: the same disk, whatever file the VM writes to at the moment."""

    def __init__(self, key: int, leaves: Leaves) -> None:
        self._key = key
        self._leaves = leaves

    @property
    def capacity_bytes(self) -> int:
        """Its size."""
        return self._leaf().capacity_bytes

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes."""
        return self._on_leaf(lambda leaf: leaf.read(offset, length_bytes))

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write bytes.

        Raises:
            DatastoreFull: there is no space for them.
        """
        self._on_leaf(lambda leaf: leaf.write(offset, data))

    def require_space(self, n_bytes: int) -> None:
        """Refuse a change that the datastore has no space for, so that none ends half-way.

        Raises:
            DatastoreFull: it has not.
        """
        datastore = self._leaf().datastore
        if datastore.free_bytes < n_bytes:
            raise DatastoreFull(datastore.name, n_bytes)

    def _leaf(self) -> SimDisk:
        leaf = self._leaves().get(self._key)
        if leaf is None:
            raise DiskClosed(f"disk {self._key} was taken out of the VM")
        return leaf

    def _on_leaf(self, action: Callable[[SimDisk], T]) -> T:
        """Act on the leaf, and again when a snapshot was taken or removed at that very moment."""
        for _ in range(_ATTEMPTS):
            leaf = self._leaf()
            try:
                return action(leaf)
            except (DiskFrozen, DiskClosed):
                if self._leaf() is leaf:
                    raise
        raise DiskFrozen(f"disk {self._key} changes all the time")


class Guest:
    """The system inside a running VM.

    What it does follows from the seed alone, not from the time.

    Thread: one at a time.
    """

    def __init__(self, leaves: Leaves, seed: int) -> None:
        self._leaves = leaves
        self._random = Random(seed)  # noqa: S311 - content, not a secret
        self._maker = ContentMaker(self._random)
        self._volumes: dict[int, FatVolume | None] = {}
        self._devices: dict[int, GuestDisk] = {}
        self._number = zlib.crc32(seed.to_bytes(8, "little", signed=True)) & 0xFFFF
        self._created = 0

    def remount(self) -> None:
        """Forget what is known of the disks' contents, because they were exchanged."""
        self._volumes.clear()

    def volume(self, key: int) -> FatVolume | None:
        """Return the mounted volume of a disk; None when there is none to mount.

        Raises:
            KeyError: the VM has no such disk.
        """
        self._mount_all()
        return self._volumes[key]

    def change_something(self, most_bytes: int) -> int:
        """Do one thing to one file, or to one disk without a file system.

        Args:
            most_bytes: how many bytes of content may be written at most, at least 1.

        Returns:
            how many were; 0 when no disk can be written to.

        Raises:
            DatastoreFull: a datastore has no space left.
        """
        self._mount_all()
        usable = [key for key in sorted(self._devices) if self._volumes[key] is not None or self._is_blank(key)]
        if not usable:
            return 0
        key = self._random.choice(usable)
        size = min(most_bytes, self._random.randrange(512, _LARGEST_WRITE_BYTES))
        self._devices[key].require_space(size + _SPARE_BYTES)
        try:
            return self._change_disk(key, size)
        except StorageError:
            self._volumes.pop(key, None)  # what is in memory may be ahead of what is on the disk
            raise

    def _change_disk(self, key: int, size: int) -> int:
        volume = self._volumes[key]
        if volume is None:
            return self._write_raw(self._devices[key], size)
        try:
            return self._change_file(volume, size)
        except VolumeFull:
            return self._make_room(volume, size)

    def _mount_all(self) -> None:
        leaves = self._leaves()
        for key in [key for key in self._devices if key not in leaves]:
            del self._devices[key]
            self._volumes.pop(key, None)
        for key in leaves:
            device = self._devices.setdefault(key, GuestDisk(key, self._leaves))
            if key not in self._volumes:
                self._volumes[key] = _mount(device)

    def _is_blank(self, key: int) -> bool:
        """Return whether a disk has no partition table, so that nothing is destroyed by writing anywhere."""
        return find_partition(self._devices[key]) is None

    def _change_file(self, volume: FatVolume, size: int) -> int:
        volume.make_directory(_DIRECTORY)
        files = volume.files
        is_full = volume.used_bytes > _FULL_FRACTION * (volume.used_bytes + volume.free_bytes)
        choice = self._random.random()
        if is_full and choice < 0.5:
            return self._make_room(volume, size)
        if files and (choice < 0.5 or is_full):
            return self._overwrite(volume, self._random.choice(files), size)
        if files and choice < 0.75:
            volume.append(self._random.choice(files), self._make(size))
            return size
        if files and choice < 0.8:
            volume.delete(self._random.choice(files))
        return self._create(volume, size)

    def _overwrite(self, volume: FatVolume, file: FatFile, size: int) -> int:
        size = min(size, file.size_bytes)
        if not size:
            return self._create(volume, 1)
        offset = self._random.randrange(file.size_bytes - size + 1)
        volume.overwrite(file, offset, self._make(size))
        return size

    def _create(self, volume: FatVolume, size: int) -> int:
        self._created += 1
        kind = self._maker.kind()
        name = f"{_DIRECTORY}/{kind.value} {self._number:04x}-{self._created:06}.dat"
        volume.create(name, self._maker.make(kind, size))
        return size

    def _make_room(self, volume: FatVolume, size: int) -> int:
        """Delete the largest file and write a small one."""
        volume.delete(max(volume.files, key=lambda file: file.size_bytes))
        return self._create(volume, min(size, 4096))

    def _write_raw(self, device: GuestDisk, size: int) -> int:
        length = -(-size // SECTOR_BYTES) * SECTOR_BYTES
        offset = self._random.randrange(0, max(1, device.capacity_bytes - length), SECTOR_BYTES)
        # The first sector stays free of what could be taken for a partition table.
        offset = max(SECTOR_BYTES, offset)
        device.write(offset, self._make(min(length, device.capacity_bytes - offset)))
        return size

    def _make(self, size: int) -> bytes:
        kind = self._random.choice((Kind.TEXT, Kind.NOISE, Kind.NOISE, Kind.SHARED))
        return self._maker.make(kind, size)


def _mount(device: GuestDisk) -> FatVolume | None:
    partition = find_partition(device)
    if partition is None:
        return None
    try:
        return FatVolume.mount(device, partition)
    except NotFat:
        return None
