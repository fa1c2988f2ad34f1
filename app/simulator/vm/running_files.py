"""The files that a host makes on an NFS datastore while a VM runs there: locks, swap and log.

A VM on a datastore of this machine has none of them: there nothing else could run it.
"""

import re
import zlib
from contextlib import suppress
from typing import Final

from app.simulator.nas import NasDatastore
from app.simulator.storage import StorageError
from app.simulator.storage.places import StoredPath, open_file, rename, write_bytes
from app.simulator.vm import files
from app.simulator.vm.locks import FileLocks
from app.simulator.vm.machine import Machine
from app.simulator.vm.storage_faults import as_vim_faults

_LOG: Final = "vmware.log"
_OLD_LOG: Final = re.compile(r"vmware-(\d+)\.log")
_KEPT_LOGS: Final = 6
_OVERHEAD_SWAP_BYTES: Final = 64 << 20


def begin(vm: Machine) -> None:
    """Lock the disks of a VM that is being powered on, and make its swap file and log; all of it, or nothing.

    Raises:
        vim.fault.FileLocked: another VM or host has the disks.
        vmodl.MethodFault: the server refused.
    """
    if not vm.has_files:
        return
    with as_vim_faults(str(files.home_of(vm.config))):
        vm.locks = FileLocks(vm.host)
        try:
            for file in _disk_files(vm):
                vm.locks.take(file)
            _make(vm, vm.locks)
        except (StorageError, OSError):
            end(vm)
            raise


def refresh(vm: Machine) -> None:
    """Lock the files that a running VM writes to now, and no others of its disks.

    Raises:
        vmodl.MethodFault: the server refused.
    """
    locks = vm.locks
    if locks is None:
        return
    with as_vim_faults(str(files.home_of(vm.config))):
        wanted = _disk_files(vm)
        for file in locks.files:
            if file.suffix == ".vmdk" and file not in wanted:
                locks.release(file)
        for file in wanted:
            locks.take(file)


def end(vm: Machine) -> None:
    """Remove what only a running VM has; what cannot be removed, because the server is away, stays."""
    locks, vm.locks = vm.locks, None
    if locks is None:
        return
    with suppress(StorageError, OSError):
        for log in [file for file in locks.files if file.name == _LOG]:
            _append(log, "vmx - VMX has left the building: 0.\n")
    for file in locks.files:
        with suppress(StorageError, OSError):
            locks.release(file)
            if file.suffix in (".vswp", ".lck") or file.name.endswith(".vmx~"):
                file.unlink(missing_ok=True)


def _disk_files(vm: Machine) -> list[StoredPath]:
    """Return the files on NFS datastores that the VM's guest writes to."""
    leaves = [tree.leaf for tree in vm.trees.values() if tree.leaf is not None]
    return [
        leaf.datastore.resolve(leaf.extent_path) for leaf in leaves if isinstance(leaf.datastore, NasDatastore)
    ]


def _home(vm: Machine) -> StoredPath | None:
    """Return the VM's configuration file, where that is on an NFS datastore."""
    home = files.home_of(vm.config)
    datastore = files.datastore_of(vm.world, home)
    return datastore.resolve(home) if isinstance(datastore, NasDatastore) else None


def _make(vm: Machine, locks: FileLocks) -> None:
    """Make and lock the files that are there while the VM runs; the first one is the VM's own lock."""
    home = _home(vm)
    if home is None:
        return
    mark = home.with_name(f"{home.name}.lck")
    write_bytes(mark, b"")
    locks.take(mark)
    stem = files.stem_of(files.home_of(vm.config))
    number = f"{zlib.crc32(str(files.home_of(vm.config)).encode()):08x}"
    backup = home.with_name(f"{home.name}~")
    write_bytes(backup, home.read_bytes() if home.exists() else b"")
    swap = home.with_name(f"{stem}-{number}.vswp")
    _make_sparse(swap, _swap_bytes(vm))
    overhead = home.with_name(f"vmx-{stem}-{number}-1.vswp")
    _make_sparse(overhead, _OVERHEAD_SWAP_BYTES)
    log = _new_log(home.parent)
    _append(log, f"vmx - Log for VMware ESX version={vm.host.esxi_version}\nvmx - DICT displayName = {vm.name}\n")
    for file in (backup, swap, overhead, log):
        locks.take(file)


def _swap_bytes(vm: Machine) -> int:
    """Return the size of the swap file: the memory that is not reserved."""
    memory_mb = int(vm.config.hardware.memoryMB)
    reserved = vm.config.memoryAllocation.reservation if vm.config.memoryAllocation else 0
    reserved_mb = memory_mb if vm.config.memoryReservationLockedToMax else int(reserved or 0)
    return max(0, memory_mb - reserved_mb) << 20


def _make_sparse(path: StoredPath, size_bytes: int) -> None:
    path.unlink(missing_ok=True)
    open_file(path, create_bytes=size_bytes).close()


def _new_log(folder: StoredPath) -> StoredPath:
    """Make an empty log; the one of before gets a number, and the oldest ones go."""
    log = folder / _LOG
    numbers = sorted(int(match[1]) for entry in folder.iterdir() if (match := _OLD_LOG.fullmatch(entry.name)))
    if log.exists():
        numbers.append(numbers[-1] + 1 if numbers else 1)
        rename(log, folder / f"vmware-{numbers[-1]}.log")
    for number in numbers[:-_KEPT_LOGS]:
        (folder / f"vmware-{number}.log").unlink(missing_ok=True)
    write_bytes(log, b"")
    return log


def _append(log: StoredPath, text: str) -> None:
    with open_file(log) as file:
        file.write(file.size_bytes(), text.encode("utf-8"))
