"""One VM with its disks and snapshots."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pyVmomi import vim, vmodl

from app.domain.ids import SnapshotId, VmId
from app.domain.messages import Message
from app.domain.vms import SnapshotInfo, VirtualDisk, VmDetails
from app.vsphere.disk_traits import DiskTraits
from app.vsphere.inventory import read_vm
from app.vsphere.names import unescaped
from app.vsphere.properties import read
from app.vsphere.session import Connection

_device = vim.vm.device
_THIN_BACKINGS = (_device.VirtualDisk.SeSparseBackingInfo,)


def vm_details(connection: Connection, vm: VmId) -> VmDetails:
    """Read one VM.

    Raises:
        vmodl.fault.ManagedObjectNotFound: it is gone.
        VmInaccessible, VmInvalid, VmDisconnected, VmOrphaned: its configuration cannot be returned now.
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    summary = read_vm(connection, vm)
    row = read(
        connection.query(),
        connection.vm(vm),
        *("config.hardware.device", "config.keyId", "config.changeVersion", "snapshot"),
    )
    devices = row.need("config.hardware.device")
    if devices is None:
        if summary.unreached is not None:
            raise summary.unreached
        raise vmodl.fault.SystemError(
            msg="The VM is inaccessible: its host or datastore cannot be reached.", reason="no configuration"
        )
    return VmDetails(
        summary=summary,
        disks=disks_of(devices, is_encrypted=row.get("config.keyId") is not None),
        snapshots=tuple(snapshots_in(vm, row.get("snapshot"))),
        version=str(row.get("config.changeVersion") or ""),
    )


def disks_of(devices: Sequence[Any], *, is_encrypted: bool = False) -> tuple[VirtualDisk, ...]:
    """Return the disks of a VM, with the reason for those that snapshots leave out, and without change ids.

    A live VM's change id is not one to keep: it moves on with the next snapshot.

    Args:
        devices: the VM's.
        is_encrypted: whether the VM itself is; then every disk is taken for encrypted.
    """
    return tuple(replace(disk, change_id=None) for disk in _disks(devices, is_encrypted=is_encrypted))


def frozen_disks_of(devices: Sequence[Any], *, is_encrypted: bool = False) -> tuple[VirtualDisk, ...]:
    """Return the disks of a snapshot's configuration that take part in it, with their change ids."""
    return tuple(disk for disk in _disks(devices, is_encrypted=is_encrypted) if disk.unsupported_reason is None)


def _disks(devices: Sequence[Any], *, is_encrypted: bool) -> tuple[VirtualDisk, ...]:
    controllers = {device.key: device for device in devices if isinstance(device, _device.VirtualController)}
    return tuple(
        _disk(device, controllers.get(device.controllerKey or 0), is_encrypted=is_encrypted)
        for device in devices
        if isinstance(device, _device.VirtualDisk)
    )


def _disk(disk: Any, controller: Any, *, is_encrypted: bool) -> VirtualDisk:
    backing = disk.backing
    traits = DiskTraits.of(disk, controller)
    return VirtualDisk(
        key=disk.key,
        label=traits.label,
        uuid=getattr(backing, "uuid", None) or None,
        capacity_bytes=capacity_of(disk),
        path=traits.file_name,
        thin=bool(getattr(backing, "thinProvisioned", None)) or isinstance(backing, _THIN_BACKINGS),
        unsupported_reason=traits.unsupported_reason(),
        change_id=getattr(backing, "changeId", None) or None,
        is_delta=getattr(backing, "parent", None) is not None,
        is_linked=_is_linked(backing),
        is_encrypted=is_encrypted or has_key(backing),
    )


def _is_linked(backing: Any) -> bool:
    """Return whether a disk stands on one in another folder; snapshots of a VM are in its own.

    Source: "Linked Virtual Machines and Disk Backings" of the vSphere Web Services SDK's guide.
    """
    own = _folder(backing)
    while (backing := getattr(backing, "parent", None)) is not None:
        if _folder(backing) != own:
            return True
    return False


def _folder(backing: Any) -> str:
    """Return the folder of a disk's file, without its datastore: a move to another one leaves the name."""
    path = str(getattr(backing, "fileName", None) or "")
    return path.rpartition("] ")[2].rpartition("/")[0]


def has_key(backing: Any) -> bool:
    """Return whether a disk, or one of its parents, is encrypted (protocols page *NFC*, section 4a.10)."""
    while backing is not None:
        if getattr(backing, "keyId", None) is not None:
            return True
        backing = getattr(backing, "parent", None)
    return False


def capacity_of(disk: Any) -> int:
    """Return a disk's size in bytes; older interfaces only give KiB."""
    return int(disk.capacityInBytes or (disk.capacityInKB or 0) * 1024)


def unsupported_reason(disk: Any, controller: Any) -> Message | None:
    """Say why snapshots leave a disk out, or None; see :class:`app.vsphere.disk_traits.DiskTraits`."""
    return DiskTraits.of(disk, controller).unsupported_reason()


def snapshots_in(vm: VmId, info: Any) -> Iterator[SnapshotInfo]:
    """Yield all snapshots of a ``VirtualMachineSnapshotInfo``, parents before children; none for None."""
    waiting = list(info.rootSnapshotList) if info is not None else []
    while waiting:
        tree = waiting.pop(0)
        waiting.extend(tree.childSnapshotList or ())
        yield SnapshotInfo(
            id=SnapshotId(tree.snapshot._moId),
            vm=vm,
            name=unescaped(tree.name or ""),
            description=tree.description or "",
        )


def disk_by_key(devices: Iterable[Any], key: int) -> Any:
    """Return the virtual disk with this device key, or None."""
    return next(
        (device for device in devices if isinstance(device, _device.VirtualDisk) and device.key == key), None
    )
