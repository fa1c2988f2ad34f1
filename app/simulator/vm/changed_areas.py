"""QueryChangedDiskAreas: what changed on a disk, page by page.

As a host does it: areas of 64 KiB, ``*`` for the allocated ones (on NFS datastores the whole disk), at most
``AREAS_PER_ANSWER`` areas in one answer, whose ``length`` says how far it reaches.
"""

from typing import Any

from pyVmomi import vim, vmodl

from app.domain.extents import Extent, clip, intersect, subtract
from app.simulator.storage import ChangeIdUnknown, SimDisk
from app.simulator.vm.disk_tree import DiskTree, can_be_tracked
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot
from app.simulator.vm.values import disks_of

AREAS_PER_ANSWER = 2000
ALLOCATED = "*"


def query(
    vm: Machine, snapshot_ref: vim.vm.Snapshot | None, key: int, start: int, change_id: str
) -> vim.VirtualMachine.DiskChangeInfo:
    """Answer QueryChangedDiskAreas.

    Raises:
        vim.fault.NotFound: the snapshot is not one of this VM.
        vmodl.fault.InvalidArgument: there is no such disk, the offset is outside of it, or the change id is not
            one of this disk's present tracking.
        vim.fault.FileFault: changes of the disk are not tracked, or the VM runs and no snapshot was named.
    """
    snapshot = _snapshot(vm, snapshot_ref)
    tree, disk = _disk(vm, snapshot, key)
    if not 0 <= start < disk.capacity_bytes:
        raise _wrong("startOffset")
    areas = _areas(vm, tree, disk, change_id)
    hidden = vm.world.faults.omitted_extents(key, vm.name, vm.moid)
    return _page(subtract(areas, hidden), start, disk.capacity_bytes)


def _page(areas: list[Extent], start: int, capacity_bytes: int) -> vim.VirtualMachine.DiskChangeInfo:
    ahead = intersect(areas, [Extent(start, capacity_bytes - start)])
    part = ahead[:AREAS_PER_ANSWER]
    end = part[-1].end if len(ahead) > len(part) else capacity_bytes
    extent: Any = vim.VirtualMachine.DiskChangeInfo.DiskChangeExtent
    return vim.VirtualMachine.DiskChangeInfo(
        startOffset=start,
        length=end - start,
        changedArea=[extent(start=area.start, length=area.length_bytes) for area in part],
    )


def _areas(vm: Machine, tree: DiskTree, disk: SimDisk, change_id: str) -> list[Extent]:
    if disk.tracking is None or not vm.config.changeTrackingEnabled:
        raise vim.fault.FileFault(
            msg=f"Error caused by file {disk.path}: change tracking is not active.", file=str(disk.path)
        )
    if change_id == ALLOCATED and disk.datastore.kind == "NFS":
        return [Extent(0, disk.capacity_bytes)]
    try:
        return clip(tree.changed_areas(disk, change_id), disk.capacity_bytes)
    except ChangeIdUnknown as error:
        raise _wrong("changeId") from error


def _snapshot(vm: Machine, ref: vim.vm.Snapshot | None) -> Snapshot | None:
    if ref is None:
        if vm.power_state != "poweredOff":
            raise vim.fault.FileFault(
                msg="The disks of a running virtual machine can be asked for through a snapshot only.",
                file=str(vm.config.files.vmPathName),
            )
        return None
    found = next((snapshot for snapshot in vm.every_snapshot() if snapshot.moid == ref._moId), None)
    if found is None:
        raise vim.fault.NotFound(msg="The snapshot is not one of this virtual machine.")
    return found


def _disk(vm: Machine, snapshot: Snapshot | None, key: int) -> tuple[DiskTree, SimDisk]:
    devices = (vm.config if snapshot is None else snapshot.config).hardware.device
    device = next((known for known in disks_of(devices) if known.key == key), None)
    tree = vm.trees.get(key)
    if device is None or tree is None or not can_be_tracked(device, devices):
        raise _wrong("deviceKey")
    disk = tree.leaf if snapshot is None else tree.frozen.get(snapshot.moid)
    if disk is None:
        raise _wrong("deviceKey")
    return tree, disk


def _wrong(name: str) -> vmodl.fault.InvalidArgument:
    return vmodl.fault.InvalidArgument(msg=f"A specified parameter was not correct: {name}", invalidProperty=name)
