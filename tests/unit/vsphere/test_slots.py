"""Where a disk goes on the SCSI controllers of a VM."""

from typing import Any

import pytest
from pyVmomi import vim

from app.vsphere.slots import Slot, controller_on, device_at, free_slot

_device = vim.vm.device
PVSCSI, LSI, SAS = (
    _device.ParaVirtualSCSIController,
    _device.VirtualLsiLogicController,
    _device.VirtualLsiLogicSASController,
)


def controller(kind: type[Any], bus: int, sharing: str = "noSharing") -> Any:
    return kind(key=1000 + bus, busNumber=bus, sharedBus=sharing)


def disks(bus: int, count: int) -> list[Any]:
    units = [unit for unit in range(16) if unit != 7][:count]
    return [
        _device.VirtualDisk(key=2000 + 16 * bus + unit, controllerKey=1000 + bus, unitNumber=unit)
        for unit in units
    ]


@pytest.mark.parametrize(
    ("devices", "slot"),
    [
        ([], Slot(0, 0, is_new=True)),
        ([controller(PVSCSI, 0)], Slot(0, 0)),
        ([controller(PVSCSI, 0), *disks(0, 7)], Slot(0, 8)),
        ([controller(PVSCSI, 0), *disks(0, 14)], Slot(0, 15)),
        ([controller(PVSCSI, 0), *disks(0, 15)], Slot(1, 0, is_new=True)),
        ([controller(LSI, 0), controller(PVSCSI, 1)], Slot(1, 0)),
        ([controller(LSI, 0), controller(SAS, 1)], Slot(0, 0)),
        ([controller(_device.VirtualBusLogicController, 0)], Slot(1, 0, is_new=True)),
        ([controller(PVSCSI, 0, "physicalSharing"), controller(PVSCSI, 2)], Slot(2, 0)),
        ([controller(PVSCSI, 0, "virtualSharing")], Slot(1, 0, is_new=True)),
        ([_device.VirtualAHCIController(key=15000, busNumber=0)], Slot(0, 0, is_new=True)),
        ([device for bus in range(4) for device in (controller(PVSCSI, bus), *disks(bus, 15))], None),
    ],
)
def test_the_first_free_place_is_taken(devices: list[Any], slot: Slot | None) -> None:
    assert free_slot(devices) == slot


def test_a_device_is_found_by_its_place_whatever_its_key() -> None:
    here = _device.VirtualDisk(key=5, controllerKey=77, unitNumber=3)
    scsi = _device.ParaVirtualSCSIController(key=77, busNumber=2)
    sata = _device.VirtualAHCIController(key=78, busNumber=2)
    assert device_at([sata, scsi, here], 2, 3) is here
    assert device_at([sata, scsi, here], 2, 4) is None
    assert device_at([sata, scsi, here], 1, 3) is None
    assert controller_on([sata, scsi], 2) is scsi
