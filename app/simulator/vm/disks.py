"""How the devices of a configuration describe the files that a VM's disks are made of."""

from collections.abc import Callable

from pyVmomi import vim

from app.simulator.storage import SimDisk
from app.simulator.storage.descriptor import DeltaKind
from app.simulator.vm.config import with_devices
from app.simulator.vm.devices import disk_summary
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import Device, changed, disks_of, replaced

_device = vim.vm.device
DatastoreRef = Callable[[str], vim.Datastore | None]
"""Finds the reference of a datastore by its name."""
_DELTA_FORMATS: dict[DeltaKind, str] = {"vmfsSparse": "redoLogFormat", "seSparse": "seSparseFormat"}


def backing_of(
    disk: SimDisk, like: Device.BackingInfo, datastore: DatastoreRef, change_id: str | None = None
) -> Device.BackingInfo:
    """Describe a disk with its parents.

    Args:
        disk: what the backing names.
        like: a backing of the same disk, whose mode and other settings are kept.
        datastore: finds references.
        change_id: only ever given for a snapshot's disks.
    """
    if isinstance(like, _device.VirtualDisk.LocalPMemBackingInfo):
        return like
    parent = None if disk.parent is None else backing_of(disk.parent, like, datastore)
    fields: dict[str, object] = {
        "fileName": str(disk.path),
        "datastore": datastore(disk.datastore.name),
        "uuid": disk.uuid,
        "contentId": disk.descriptor.ddb.get("longContentID", disk.content_id),
        "parent": parent,
        "changeId": change_id,
        "deltaDiskFormat": None if disk.descriptor.delta is None else _DELTA_FORMATS[disk.descriptor.delta],
    }
    if isinstance(like, _device.VirtualDisk.FlatVer2BackingInfo):
        fields["thinProvisioned"] = disk.base.thin
    return changed(like, **fields)


def with_present_backings(vm: Machine, made: vim.vm.ConfigInfo) -> vim.vm.ConfigInfo:
    """Return a configuration whose disks name the files that the VM writes to now."""
    devices: list[Device] = made.hardware.device
    for device in disks_of(devices):
        tree = vm.trees.get(device.key)
        if tree is not None and tree.leaf is not None:
            present = described_disk(vm, device, tree.leaf)
            devices = replaced(devices, present)
    return with_devices(made, devices)


def described_disk(
    vm: Machine, device: _device.VirtualDisk, disk: SimDisk, change_id: str | None = None
) -> _device.VirtualDisk:
    """Return a disk device that names a given file."""
    assert device.backing is not None
    return changed(
        device,
        backing=backing_of(disk, device.backing, vm.world.inventory.datastore_ref, change_id),
        capacityInBytes=disk.capacity_bytes,
        capacityInKB=disk.capacity_bytes // 1024,
        deviceInfo=changed(device.deviceInfo, summary=disk_summary(disk.capacity_bytes)),
    )
