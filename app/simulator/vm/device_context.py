"""What the planning of device changes asks of the VM, and how it refuses."""

from typing import Protocol

from pyVmomi import vim, vmodl

from app.simulator.vm.values import Device


class DeviceContext(Protocol):
    """What planning has to ask the VM and its host."""

    def new_disk_path(self, wanted: str, datastore: vim.Datastore | None, taken: set[str]) -> str:
        """Complete ``""``, ``[ds]`` or a whole path to the path of a disk that does not exist yet."""
        ...

    def new_mac(self) -> tuple[str, str]:
        """Return a MAC address that is not in use, and its address type."""
        ...

    def network(self, backing: Device.BackingInfo) -> Device.BackingInfo | None:
        """Complete the backing of a network card, or return None when there is no such network."""
        ...

    def in_snapshot(self, disk_key: int) -> bool:
        """Return whether a snapshot holds a disk of that key."""
        ...

    @property
    def running(self) -> bool:
        """Return whether the VM is powered on."""
        ...


def refused(index: int, name: str, detail: str) -> vim.fault.InvalidDeviceSpec:
    """Build the refusal of the ``index``-th device change because of one of its fields."""
    return vim.fault.InvalidDeviceSpec(
        msg=f"Invalid configuration for device '{index}'. {detail}",
        deviceIndex=index,
        property=f"virtualDeviceSpec.{name}",
        faultMessage=[vmodl.LocalizableMessage(key="standfast.device", message=detail)],
    )
