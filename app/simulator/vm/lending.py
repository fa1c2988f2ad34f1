"""Disks of one VM that are attached to another one, which runs; the files stay their VM's.

Independent and non-persistent they are only read: what the guest writes goes to a redo log that is dropped. In any
other mode the guest writes them, which takes a disk that nothing else has open. Either way they are pinned, as a
host locks them, but never part of the other VM's own disks.
"""

from pyVmomi import vim

from app.simulator.storage import DatastorePath, SimDisk
from app.simulator.vm.config import extra_value
from app.simulator.vm.disks import described_disk
from app.simulator.vm.machine import LentDisk, Machine
from app.simulator.vm.values import Device, find_device, replaced

_device = vim.vm.device
ONLY_READ = "independent_nonpersistent"


def refuse_running_leaf(vm: Machine, disk: SimDisk) -> None:
    """Refuse a disk that a running VM writes to; its frozen parents may be read.

    Raises:
        vim.fault.FileLocked: one does.
    """
    for other in vm.world.inventory.vms.values():
        if other.is_running and other.has_files and any(tree.leaf is disk for tree in other.trees.values()):
            raise _locked(str(disk.path))


def lend(vm: Machine, key: int, path: str, devices: list[Device], *, writable: bool) -> list[Device]:
    """Attach a disk to a VM that borrows it; return the devices with what is known of its files.

    Raises:
        StorageError: it cannot be opened.
        vim.fault.FileLocked: a running VM writes to it; to be written, any other has it.
    """
    disk = vm.world.disks.open(DatastorePath.parse(path))
    inventory = vm.world.inventory.vms
    refuse_running_leaf(vm, disk)
    if is_lent_for_writing(disk, inventory) or (writable and is_lent(disk, inventory)):
        raise _locked(path)
    lent = LentDisk(disk, is_writable=writable)
    lent.pin.enter_context(disk.pinned())
    vm.lent[key] = lent
    device = find_device(devices, key)
    assert isinstance(device, _device.VirtualDisk)
    guest = vm.world.guest_devices.get(vm.moid)
    if guest is not None and vm.is_running:
        controller = find_device(devices, device.controllerKey or 0)
        bus = controller.busNumber if isinstance(controller, _device.VirtualController) else 0
        unit = device.unitNumber or 0
        guest.show(key, disk, path, bus, unit, has_serial=shows_serials(vm), is_writable=writable)
    return replaced(devices, described_disk(vm, device, disk))


def give_back(vm: Machine, key: int) -> None:
    """Detach a disk that was lent; its files stay."""
    guest = vm.world.guest_devices.get(vm.moid)
    if guest is not None:
        guest.take_away(key)
    vm.lent.pop(key).pin.close()


def give_all_back(vm: Machine) -> None:
    """Detach every disk that was lent to a VM."""
    for key in list(vm.lent):
        give_back(vm, key)


def is_lent(disk: SimDisk, inventory: dict[str, Machine]) -> bool:
    """Return whether a disk is attached to any VM that borrows it."""
    return any(lent.disk is disk for vm in inventory.values() for lent in vm.lent.values())


def is_lent_for_writing(disk: SimDisk, inventory: dict[str, Machine]) -> bool:
    """Return whether a disk is attached to a VM that writes it."""
    return any(lent.is_writable and lent.disk is disk for vm in inventory.values() for lent in vm.lent.values())


def belongs_to_another(vm: Machine, disk: SimDisk) -> bool:
    """Return whether a disk is one of another VM's."""
    others = (other for other in vm.world.inventory.vms.values() if other is not vm and other.has_files)
    return any(other.uses_file(disk.path) for other in others)


def _locked(path: str) -> vim.fault.FileLocked:
    return vim.fault.FileLocked(msg=f"Unable to access file {path} since it is locked.", file=path)


def shows_serials(vm: Machine) -> bool:
    """Return whether the guest sees the UUIDs of its disks as their serial numbers."""
    option = extra_value(vm.config, "disk.EnableUUID")
    return bool(vm.config.flags.diskUuidEnabled) if option is None else option.upper() == "TRUE"
