"""Finds the disks that NFC and HTTPS may open, and refuses those that a running VM writes to."""

from app.simulator.inventory.maintenance import Maintenance
from app.simulator.storage import (
    DatastorePath,
    DiskForbidden,
    DiskInUse,
    DiskNotFound,
    HostNotServing,
    SimDisk,
)
from app.simulator.vm.lending import is_lent_for_writing
from app.simulator.vm.machine import Machine
from app.simulator.world import World


class VmDisks:
    """Knows which disks belong to which VM. Thread: any."""

    def __init__(self, world: World) -> None:
        self._world = world

    def resolve_disk(self, vm_moid: str, disk_key: int | None, path: str, *, writable: bool) -> SimDisk:
        """Return the disk at a datastore path, when this VM's ticket may open it.

        Raises:
            DiskNotFound: there is no such disk.
            DiskForbidden: it is another VM's.
            DiskInUse: it is the leaf of a running VM, or is to be written while the VM runs, or a machine that
                it is attached to writes it.
            HostNotServing: the VM's host is in maintenance mode.
            StorageError: its files cannot be opened.
        """
        machine: Machine | None = self._world.inventory.vms.get(vm_moid)
        if machine is None:
            raise DiskNotFound(f"there is no VM {vm_moid}")
        if machine.host.maintenance is not Maintenance.NORMAL:
            raise HostNotServing(f"{machine.host.name} is in maintenance mode")
        wanted = DatastorePath.parse(self._world.inventory.parts_of(machine).key_of(path))
        trees = [tree for key, tree in machine.trees.items() if disk_key in (None, key)]
        with machine.files_lock:
            for tree in trees:
                for disk in tree.every_disk():
                    if disk.path == wanted:
                        if machine.is_running and (writable or disk is tree.leaf):
                            raise DiskInUse(f"{path} is locked by the running VM {machine.name}")
                        if is_lent_for_writing(disk, self._world.inventory.vms):
                            raise DiskInUse(f"{path} is locked by a VM that it is attached to")
                        return disk
        datastore = self._world.datastores.get(wanted.datastore)
        if datastore is not None and datastore.resolve(wanted).is_file():
            raise DiskForbidden(f"{path} is not a disk of {machine.name} with the key of the ticket")
        raise DiskNotFound(f"{machine.name} has no disk {path}")

    def is_written_by_running_vm(self, path: DatastorePath) -> bool:
        """Return whether a file belongs to a disk that a running VM writes to."""
        with self._world.lock:
            machines = [
                machine
                for machine in self._world.inventory.vms.values()
                if machine.is_running and machine.has_files
            ]
        return any(
            tree.leaf is not None and path in tree.leaf.files
            for machine in machines
            for tree in machine.trees.values()
        )
