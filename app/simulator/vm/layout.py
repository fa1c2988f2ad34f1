"""Which files a VM is made of, as clients see them, and saving its configuration (.vmx, .nvram)."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.simulator.storage import DatastorePath, SimDisk, StorageError
from app.simulator.storage.places import present_entries
from app.simulator.vm import files, vmx
from app.simulator.vm.config import vmx_path_of
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import disks_of

NVRAM_BYTES = {"bios": 8684, "efi": 270840}


def save_configuration(vm: Machine) -> None:
    """Write the .vmx file, and the .nvram file when there is none yet.

    Raises:
        vim.fault.NoDiskSpace: they do not fit.
    """
    if not vm.has_files:
        return
    config = vm.config
    files.rewrite_file(vm.world, files.home_of(config), vmx.render(config).encode("utf-8"))
    nvram = files.nvram_path(config)
    if not files.stored_file(vm.world, nvram).exists():
        files.write_file(vm.world, nvram, new_nvram(config))


def new_nvram(config: vim.vm.ConfigInfo) -> bytes:
    """Make the settings that a firmware starts with, different for each VM."""
    size_bytes = NVRAM_BYTES.get(config.firmware or "bios", NVRAM_BYTES["bios"])
    mark = f"MRVN {config.firmware} {config.uuid}\n".encode()
    return mark + bytes([zlib.crc32(mark) & 0xFF]) * 64 + bytes(size_bytes - len(mark) - 64)


def space_of(vm: Machine) -> Iterator[tuple[str, int, int]]:
    """Return (datastore, bytes taken, bytes that may still be taken) for each of a VM's disks."""
    if vm.has_files:
        for tree in vm.trees.values():
            for disk in tree.every_disk():
                used = disk.used_bytes
                yield disk.datastore.name, used, max(0, disk.capacity_bytes - used) if disk.thin else 0
        return
    for device in disks_of(vm.config.hardware.device):
        capacity: Any = device.capacityInBytes
        path = DatastorePath.parse(str(getattr(device.backing, "fileName", "")))
        thin = bool(getattr(device.backing, "thinProvisioned", False))
        yield path.datastore, capacity // 2 if thin else capacity, capacity // 2 if thin else 0


@dataclass
class _Listing:
    """Collects files and gives each its key."""

    files: list[vim.vm.FileLayoutEx.FileInfo] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, kind: str, size_bytes: int) -> int:
        if path not in self.keys:
            self.keys[path] = key = len(self.files)
            info = vim.vm.FileLayoutEx.FileInfo(
                key=key, name=path, type=kind, size=size_bytes, uniqueSize=size_bytes, accessible=True
            )
            self.files.append(info)
        return self.keys[path]


def layout_ex(vm: Machine) -> vim.vm.FileLayoutEx:
    """Return every file of the VM with its type and size, and how the disks are made of them."""
    listing = _Listing()
    if not vm.has_files:
        listing.add(vmx_path_of(vm.config), "config", 3000)
        return vim.vm.FileLayoutEx(file=listing.files, timestamp=vm.world.now())
    for path, kind, size_bytes in _home_files(vm):
        listing.add(str(path), kind, size_bytes)
    disks = [
        _disk_layout(listing, key, tree.leaf) for key, tree in sorted(vm.trees.items()) if tree.leaf is not None
    ]
    snapshots = [
        vim.vm.FileLayoutEx.SnapshotLayout(
            key=snapshot.ref,
            dataKey=listing.keys.get(str(files.snapshot_data_path(vm.config, snapshot.number)), -1),
            memoryKey=listing.keys.get(str(files.snapshot_memory_path(vm.config, snapshot.number)), -1),
            disk=[
                _disk_layout(listing, key, tree.frozen[snapshot.moid])
                for key, tree in sorted(vm.trees.items())
                if snapshot.moid in tree.frozen
            ],
        )
        for root in vm.root_snapshots
        for snapshot in root.subtree()
    ]
    return vim.vm.FileLayoutEx(file=listing.files, disk=disks, snapshot=snapshots, timestamp=vm.world.now())


def _home_files(vm: Machine) -> Iterator[tuple[DatastorePath, str, int]]:
    home = files.home_of(vm.config)
    directory = files.stored_file(vm.world, home).parent
    for entry in present_entries(directory):
        kind = files.FILE_TYPES.get(entry.suffix)
        if kind is not None and entry.is_file():
            with suppress(FileNotFoundError):  # it was removed meanwhile
                yield home.sibling(entry.name), kind, entry.stat().st_size


def _disk_layout(listing: _Listing, key: int, disk: SimDisk) -> vim.vm.FileLayoutEx.DiskLayout:
    units = []
    for member in reversed(disk.chain()):
        keys = [listing.add(str(member.path), "diskDescriptor", _size_of(member, member.path))]
        keys.append(listing.add(str(member.extent_path), "diskExtent", member.used_bytes))
        tracking = member.tracking_path
        if tracking is not None:
            keys.append(listing.add(str(tracking), "diskExtent", _size_of(member, tracking)))
        units.append(vim.vm.FileLayoutEx.DiskUnit(fileKey=keys))
    return vim.vm.FileLayoutEx.DiskLayout(key=key, chain=units)


def _size_of(disk: SimDisk, path: DatastorePath) -> int:
    try:
        return disk.datastore.resolve(path).stat().st_size
    except (OSError, StorageError):
        return 0


def layout(vm: Machine) -> vim.vm.FileLayout:
    """Return the older, shorter form of the files."""
    described = layout_ex(vm)
    by_key = {file.key: file.name for file in described.file}
    return vim.vm.FileLayout(
        configFile=[
            file.name.rpartition("/")[2]
            for file in described.file
            if file.type in ("config", "nvram", "snapshotList")
        ],
        logFile=[file.name.rpartition("/")[2] for file in described.file if file.type == "log"],
        disk=[
            vim.vm.FileLayout.DiskLayout(key=disk.key, diskFile=[by_key[unit.fileKey[0]] for unit in disk.chain])
            for disk in described.disk
        ],
        snapshot=[
            vim.vm.FileLayout.SnapshotLayout(
                key=snapshot.key, snapshotFile=[by_key[snapshot.dataKey]] if snapshot.dataKey >= 0 else []
            )
            for snapshot in described.snapshot
        ],
    )
