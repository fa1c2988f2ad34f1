"""Another product that attaches disks to the VM that the engine runs in, and how that VM looks."""

from typing import Any

from pyVmomi import vim

from app.simulator.guests import GuestDevices
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.vm.machine import Machine
from tests.support.other_client import OtherClient

_device = vim.vm.device
CONSOLE = VmSpec(name="console", disks=(DiskSpec(capacity_bytes=8 << 20, filesystem=False),), this_machine=True)


def machine_named(simulator: VSphereSimulator, name: str) -> Machine:
    """Return a VM of the simulator by its name."""
    machines: list[Machine] = list(simulator.world.inventory.vms.values())
    return next(machine for machine in machines if machine.name == name)


def guest_of(simulator: VSphereSimulator) -> GuestDevices:
    """Return what the VM that counts as this machine sees of its disks."""
    return simulator.world.guest_devices[machine_named(simulator, "console").moid]


def places_of(machine: Machine) -> list[tuple[str, Any, Any]]:
    """Return what is on a VM and where, to be compared."""
    return [
        (type(device).__name__, device.key, getattr(device.backing, "fileName", None))
        for device in machine.config.hardware.device
    ]


def disk_path(machine: Machine, number: int = 0) -> str:
    """Return the path of what a VM writes to now."""
    tree = sorted(machine.trees.items())[number][1]
    assert tree.leaf is not None
    return str(tree.leaf.path)


def attachment_spec(
    path: str, *, controller: int = 1000, unit: int | None = None, mode: str = "independent_nonpersistent"
) -> vim.vm.ConfigSpec:
    """Return the specification that attaches a file to a VM."""
    backing = _device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode=mode)
    disk = _device.VirtualDisk(key=-5, controllerKey=controller, unitNumber=unit, capacityInKB=0, backing=backing)
    return vim.vm.ConfigSpec(deviceChange=[_device.VirtualDeviceSpec(operation="add", device=disk)])


def attach_as_another(
    simulator: VSphereSimulator, path: str, *, controller: int = 1000, unit: int | None = None
) -> None:
    """Attach a file to the VM that the engine runs in, as another product does."""
    moid = machine_named(simulator, "console").moid
    spec = attachment_spec(path, controller=controller, unit=unit)
    with OtherClient(simulator) as other:
        other.done(lambda: other.vm(moid).ReconfigVM_Task(spec=spec))
