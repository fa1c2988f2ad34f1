"""Storage controllers: their families, the keys and units that they give disks, and builders of them.

Keys come in fixed ranges (controller 1000 + bus, disk 2000 + 16 × bus + unit …), which clients rely on. Everything
here is a pure function.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyVmomi import vim

from app.simulator.vm.values import Device, changed, fresh
from app.simulator.vmomi import is_shared, share

_device = vim.vm.device
_Controller = _device.VirtualController
# pyVmomi looks a type up each time it is named.

PCI_CONTROLLER_KEY = 100
SCSI_CONTROLLERS: dict[str, type[_device.VirtualSCSIController]] = {
    "pvscsi": _device.ParaVirtualSCSIController,
    "lsilogic": _device.VirtualLsiLogicController,
    "lsisas1068": _device.VirtualLsiLogicSASController,
    "buslogic": _device.VirtualBusLogicController,
}


@dataclass(frozen=True, slots=True)
class ControllerKind:
    """What a family of storage controllers looks like from the outside."""

    name: str
    """The prefix in .vmx files: ``scsi``, ``sata``, ``nvme``, ``ide``."""
    first_key: int
    most: int
    first_disk_key: int
    units: int
    """Distance between the disk keys of two buses."""
    usable_units: tuple[int, ...]


SCSI = ControllerKind("scsi", 1000, 4, 2000, 16, tuple(unit for unit in range(16) if unit != 7))
SATA = ControllerKind("sata", 15000, 4, 16000, 30, tuple(range(30)))
NVME = ControllerKind("nvme", 31000, 4, 32000, 15, tuple(range(15)))
IDE = ControllerKind("ide", 200, 2, 3000, 2, (0, 1))
STORAGE_KINDS = (SCSI, SATA, NVME, IDE)


def storage_kind(device: Device) -> ControllerKind | None:
    """Return the family of a storage controller, or None for any other device."""
    if isinstance(device, _device.VirtualSCSIController):
        return SCSI
    if isinstance(device, _device.VirtualSATAController):
        return SATA
    if isinstance(device, _device.VirtualNVMEController):
        return NVME
    if isinstance(device, _device.VirtualIDEController):
        return IDE
    return None


def label(text: str, summary: str | None = None) -> vim.Description:
    """Return how a device is called, and what is shown of it."""
    return fresh(vim.Description, label=text, summary=summary or text)


def scsi_controller(model: str = "pvscsi", bus: int = 0, sharing: str = "noSharing") -> Device:
    """Return a SCSI controller, shared by all VMs, of a model named as in .vmx files.

    Raises:
        KeyError: there is no such model.
    """
    return share(
        fresh(
            SCSI_CONTROLLERS[model],
            key=SCSI.first_key + bus,
            deviceInfo=label(f"SCSI controller {bus}", _SCSI_SUMMARIES[model]),
            controllerKey=PCI_CONTROLLER_KEY,
            unitNumber=3 + bus,
            busNumber=bus,
            hotAddRemove=True,
            sharedBus=sharing,
            scsiCtlrUnitNumber=7,
        )
    )


_SCSI_SUMMARIES = {
    "pvscsi": "VMware paravirtual SCSI",
    "lsilogic": "LSI Logic",
    "lsisas1068": "LSI Logic SAS",
    "buslogic": "BusLogic",
}


@functools.cache
def sata_controller(bus: int = 0) -> Device:
    """Build an AHCI controller."""
    return share(
        fresh(
            _device.VirtualAHCIController,
            key=SATA.first_key + bus,
            deviceInfo=label(f"SATA controller {bus}", "AHCI"),
            controllerKey=PCI_CONTROLLER_KEY,
            unitNumber=24 + bus,
            busNumber=bus,
        )
    )


@functools.cache
def nvme_controller(bus: int = 0) -> Device:
    """Build an NVMe controller."""
    return share(
        fresh(
            _device.VirtualNVMEController,
            key=NVME.first_key + bus,
            deviceInfo=label(f"NVME controller {bus}"),
            controllerKey=PCI_CONTROLLER_KEY,
            unitNumber=30 + bus,
            busNumber=bus,
        )
    )


def link_controllers(devices: Iterable[Device]) -> list[Device]:
    """Fill each controller's list of devices, which is derived from the devices' ``controllerKey``."""
    ordered = list(devices)
    children: dict[int, list[int]] = {}
    for device in ordered:
        if device.controllerKey is not None:
            children.setdefault(device.controllerKey, []).append(device.key)
    return [
        _holding(device, tuple(children.get(device.key, ()))) if isinstance(device, _Controller) else device
        for device in ordered
    ]


def _holding(controller: _device.VirtualController, keys: tuple[int, ...]) -> Device:
    """Return a controller with these devices; that of a shared one is shared too."""
    if tuple(controller.device) == keys:
        return controller
    return _shared_holding(controller, keys) if is_shared(controller) else changed(controller, device=list(keys))


@functools.lru_cache(maxsize=4096)
def _shared_holding(controller: _device.VirtualController, keys: tuple[int, ...]) -> Device:
    return share(changed(controller, device=list(keys)))


def disk_key(controller: Device, unit: int) -> int:
    """Return the key that ESXi gives to the disk at that place.

    Raises:
        ValueError: the device is no storage controller.
    """
    kind = storage_kind(controller)
    if kind is None or not isinstance(controller, _device.VirtualController):
        raise ValueError(f"device {controller.key} is no storage controller")
    return kind.first_disk_key + controller.busNumber * kind.units + unit


def free_unit(controller: Device, devices: Sequence[Device]) -> int | None:
    """Return the lowest unit of a storage controller that nothing occupies, or None when it is full."""
    kind = storage_kind(controller)
    taken = {device.unitNumber for device in devices if device.controllerKey == controller.key}
    return None if kind is None else next((unit for unit in kind.usable_units if unit not in taken), None)
