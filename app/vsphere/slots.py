"""Places for disks on the SCSI controllers of a VM, as pure functions on its devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyVmomi import vim

_device = vim.vm.device
_SCSI = _device.VirtualSCSIController
USABLE: Final[tuple[type[Any], ...]] = (
    _device.ParaVirtualSCSIController,
    _device.VirtualLsiLogicController,
    _device.VirtualLsiLogicSASController,
)
"""Controllers on which running guests notice a disk that is added."""
_UNITS: Final = tuple(unit for unit in range(16) if unit != 7)  # 7 is the controller itself
_BUSES: Final = range(4)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a disk; ``is_new`` when its controller is still to be added."""

    bus: int
    unit: int
    is_new: bool = False


def free_slot(devices: Sequence[Any]) -> Slot | None:
    """Return a free place for a disk, None when every controller that there can be is full.

    Paravirtual controllers go first, and of those the ones with the lowest bus. A controller whose bus other VMs
    share gets nothing.
    """
    controllers = [device for device in devices if isinstance(device, _SCSI)]
    usable = [device for device in controllers if isinstance(device, USABLE) and not _is_shared(device)]
    for controller in sorted(usable, key=lambda device: (USABLE.index(type(device)), device.busNumber)):
        taken = {device.unitNumber for device in devices if device.controllerKey == controller.key}
        unit = next((unit for unit in _UNITS if unit not in taken), None)
        if unit is not None:
            return Slot(controller.busNumber, unit)
    taken_buses = {controller.busNumber for controller in controllers}
    bus = next((bus for bus in _BUSES if bus not in taken_buses), None)
    return None if bus is None else Slot(bus, 0, is_new=True)


def controller_on(devices: Sequence[Any], bus: int) -> Any:
    """Return the SCSI controller with a bus number, None when there is none."""
    return next((device for device in devices if isinstance(device, _SCSI) and device.busNumber == bus), None)


def device_at(devices: Sequence[Any], bus: int, unit: int) -> Any:
    """Return what is at a place, None when it is free."""
    controller = controller_on(devices, bus)
    if controller is None:
        return None
    found = (device for device in devices if device.controllerKey == controller.key and device.unitNumber == unit)
    return next(found, None)


def _is_shared(controller: Any) -> bool:
    return str(controller.sharedBus or "noSharing") != "noSharing"
