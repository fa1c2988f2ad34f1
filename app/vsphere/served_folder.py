"""What is in the folder of a VM that is to run from served disks: a pure function."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyVmomi import vim

from app.core.nfshosting import DiskFiles, DiskToServe, ServedFolder, SmallFile
from app.domain.vms import SavedConfiguration
from app.vsphere import saved_vm
from app.vsphere.flat_descriptor import FlatDisk, flat_descriptor
from app.vsphere.hardware_versions import number_of
from app.vsphere.names import file_name_of
from app.vsphere.plain_values import disk_uuid

_device = vim.vm.device
_UUID_DIGITS = 32


def folder_files(
    saved: SavedConfiguration, disks: Sequence[DiskToServe], name: str, *, keep_identity: bool = False
) -> ServedFolder:
    """Name the files of served disks as a platform would, and describe them; see ``RunsFromNfs.folder_files``.

    Raises:
        ConfigurationUnreadable: there is no saved VM.
        ValueError: a disk does not consist of sectors.
    """
    config = saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b"")).config
    devices = {device.key: device for device in config.hardware.device}
    base = file_name_of(name)
    named = [_named(disk, base, number) for number, disk in enumerate(disks)]
    descriptors = []
    for disk, files in zip(disks, named, strict=True):
        device = devices.get(disk.key)
        described = FlatDisk(
            capacity_bytes=disk.capacity_bytes,
            data_file=files.data,
            is_ide=_is_ide(device, devices),
            hardware_version=number_of(config.version),
            uuid=_uuid_digits(device) if keep_identity else "",
        )
        descriptors.append(SmallFile(name=files.attached, data=flat_descriptor(described)))
    return ServedFolder(name=base, disks=tuple(named), files=tuple(descriptors))


def _named(disk: DiskToServe, base: str, number: int) -> DiskFiles:
    stem = f"{base}_{number}" if number else base
    return DiskFiles(key=disk.key, attached=f"{stem}.vmdk", data=f"{stem}-flat.vmdk")


def _is_ide(disk: Any, devices: Mapping[int, Any]) -> bool:
    controller = devices.get(disk.controllerKey) if disk is not None else None
    return isinstance(controller, _device.VirtualIDEController)


def _uuid_digits(disk: Any) -> str:
    """Return the UUID of a saved disk as digits; empty where it has none."""
    uuid = disk_uuid(getattr(disk, "backing", None)) or ""
    digits = "".join(sign for sign in uuid if sign not in "- ")
    return digits if len(digits) == _UUID_DIGITS else ""
