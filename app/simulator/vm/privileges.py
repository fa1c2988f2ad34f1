"""Which privileges a ConfigSpec asks for, on the VM, on datastores and on networks."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.index import Inventory
from app.simulator.world import WorldObject

_device = vim.vm.device
_SETTINGS = (
    ("name", "VirtualMachine.Config.Rename"),
    ("annotation", "VirtualMachine.Config.Annotation"),
    ("changeTrackingEnabled", "VirtualMachine.Config.ChangeTracking"),
    ("numCPUs", "VirtualMachine.Config.CPUCount"),
    ("numCoresPerSocket", "VirtualMachine.Config.CPUCount"),
    ("memoryMB", "VirtualMachine.Config.Memory"),
    ("extraConfig", "VirtualMachine.Config.AdvancedConfig"),
    ("swapPlacement", "VirtualMachine.Config.SwapPlacement"),
    ("cpuAllocation", "VirtualMachine.Config.Resource"),
    ("memoryAllocation", "VirtualMachine.Config.Resource"),
    ("uuid", "VirtualMachine.Config.Settings"),
    ("instanceUuid", "VirtualMachine.Config.Settings"),
    ("guestId", "VirtualMachine.Config.Settings"),
    ("firmware", "VirtualMachine.Config.Settings"),
    ("bootOptions", "VirtualMachine.Config.Settings"),
    ("flags", "VirtualMachine.Config.Settings"),
    ("tools", "VirtualMachine.Config.Settings"),
    ("powerOpInfo", "VirtualMachine.Config.Settings"),
)


def require_privileges(call: Call, target: WorldObject, spec: vim.vm.ConfigSpec, *, home: str | None) -> None:
    """Refuse a spec that asks for more than the caller may do.

    Args:
        call: whose rights count.
        target: the VM, or the folder it is created in.
        spec: what is wanted.
        home: the datastore of disks that name none.

    Raises:
        vim.fault.NoPermission: a privilege is missing on the target, a datastore or a network.
    """
    for privilege in _privileges_for(spec):
        call.require(privilege, target)
    inventory: Inventory = target.world.inventory
    for change in spec.deviceChange:
        device, backing = change.device, change.device.backing
        if isinstance(device, _device.VirtualDisk) and change.fileOperation in ("create", "replace"):
            _require_on_datastore(call, inventory, backing, home)
        elif isinstance(device, _device.VirtualEthernetCard) and change.operation != "remove":
            network = inventory.network_of(
                getattr(backing, "network", None), getattr(backing, "deviceName", None), target
            )
            port = getattr(backing, "port", None)
            network = network or inventory.portgroup_of(getattr(port, "portgroupKey", None))
            if network is not None:
                call.require("Network.Assign", network)


def _require_on_datastore(call: Call, inventory: Inventory, backing: Any, home: str | None) -> None:
    named = str(getattr(backing, "fileName", None) or "")
    by_ref = inventory.datastore_of(getattr(backing, "datastore", None))
    name = named[1:].partition("] ")[0].removesuffix("]") if named.startswith("[") else home
    datastore = by_ref or inventory.datastores.get(name or "")
    if datastore is not None:
        call.require("Datastore.AllocateSpace", datastore)


def _privileges_for(spec: vim.vm.ConfigSpec) -> list[str]:
    """Return the privileges on the VM that a spec asks for, each once."""
    wanted = [privilege for name, privilege in _SETTINGS if getattr(spec, name) not in (None, [])]
    for change in spec.deviceChange:
        wanted.extend(_device_privileges(change))
    return list(dict.fromkeys(wanted))


def _device_privileges(change: _device.VirtualDeviceSpec) -> Iterator[str]:
    if not isinstance(change.device, _device.VirtualDisk):
        is_edit = change.operation == "edit"
        yield "VirtualMachine.Config.EditDevice" if is_edit else "VirtualMachine.Config.AddRemoveDevice"
    elif change.operation == "remove":
        yield "VirtualMachine.Config.RemoveDisk"
    elif change.operation == "edit":
        yield "VirtualMachine.Config.DiskExtend"
    elif change.fileOperation is not None:
        yield "VirtualMachine.Config.AddNewDisk"
    else:
        yield "VirtualMachine.Config.AddExistingDisk"
