"""What decides whether a backup can hold a disk of a VM, however its description was read.

Sources: protocols page *vSphere facts*, "Changed block tracking", "Not tracked"; the fault
``SnapshotIncompatibleDeviceInVm`` of the vSphere API reference (raw disks, controllers whose bus is shared);
"Fault Tolerance Interoperability" of the vSphere Availability guide. That snapshots of a running VM are refused
whenever other VMs may write to its disks is in no source that was found: it is only a doubt.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pyVmomi import vim

from app.domain.messages import Message
from app.domain.vms import DiskLeftOut, PowerState
from app.vsphere.reasons import (
    INDEPENDENT,
    MULTI_WRITER,
    NO_FILE,
    PERSISTENT_MEMORY,
    RAW_PHYSICAL,
    SECONDARY_VM,
    SHARED_CONTROLLER,
    SHARED_WHILE_RUNNING,
)

SHARED_BUS: Final = frozenset({"physicalSharing", "virtualSharing"})
"""How a controller's bus is shared with other VMs, as the platform says it."""
MULTI_WRITER_SHARING: Final = "sharingMultiWriter"
PHYSICAL_MODE: Final = "physicalMode"
_PRIMARY_ROLE: Final = 1
"""``FaultToleranceConfigInfo.role``: 1 for the primary, more for a secondary."""
_MEMORY_BACKING: Final = vim.vm.device.VirtualDisk.LocalPMemBackingInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTraits:
    """A disk as far as it decides about backups."""

    label: str
    file_name: str = ""
    disk_mode: str = ""
    sharing: str = ""
    compatibility_mode: str = ""
    shared_bus: str = ""
    """Of its controller."""
    is_in_memory: bool = False

    @classmethod
    def of(cls, disk: Any, controller: Any) -> "DiskTraits":
        """Return the traits of a disk that pyVmomi has read, on its controller."""
        backing = disk.backing

        def text(name: str) -> str:
            return str(getattr(backing, name, None) or "")

        return cls(
            label=(disk.deviceInfo.label if disk.deviceInfo is not None else "") or f"disk {disk.key}",
            file_name=text("fileName"),
            disk_mode=text("diskMode"),
            sharing=text("sharing"),
            compatibility_mode=text("compatibilityMode"),
            shared_bus=str(getattr(controller, "sharedBus", None) or ""),
            is_in_memory=isinstance(backing, _MEMORY_BACKING),
        )

    @property
    def is_independent(self) -> bool:
        """Return whether snapshots leave the disk out because of its mode."""
        return self.disk_mode.startswith("independent")

    @property
    def is_shared(self) -> bool:
        """Return whether other VMs may write to the disk too."""
        return self.sharing == MULTI_WRITER_SHARING or self.shared_bus in SHARED_BUS

    def unsupported_reason(self) -> Message | None:
        """Say why backups leave the disk out, or None."""
        if not self.file_name:
            return NO_FILE.fill()
        if self.is_in_memory:
            return PERSISTENT_MEMORY.fill()
        if self.compatibility_mode == PHYSICAL_MODE:
            return RAW_PHYSICAL.fill()
        if self.is_independent:
            return INDEPENDENT.fill(mode=self.disk_mode)
        if self.sharing == MULTI_WRITER_SHARING:
            return MULTI_WRITER.fill()
        if self.shared_bus in SHARED_BUS:
            return SHARED_CONTROLLER.fill(sharing=self.shared_bus)
        return None


def disks_left_out(disks: Iterable[DiskTraits]) -> tuple[DiskLeftOut, ...]:
    """Return those of some disks that backups leave out, each with its reason."""
    return tuple(
        DiskLeftOut(label=disk.label, reason=reason)
        for disk in disks
        if (reason := disk.unsupported_reason()) is not None
    )


def snapshot_doubt(disks: Iterable[DiskTraits], power_state: PowerState) -> Message | None:
    """Say why the platform will probably refuse a snapshot of a VM with these disks, or None."""
    is_running = power_state is PowerState.ON
    if is_running and any(disk.is_shared and not disk.is_independent for disk in disks):
        return SHARED_WHILE_RUNNING.fill()
    return None


def vm_unsupported_reason(fault_tolerance_role: str | None) -> Message | None:
    """Say why no backup of a VM is made at all, or None.

    A secondary is the shadow of its primary; what it holds is what the primary holds.
    """
    role = fault_tolerance_role or ""
    is_secondary = role.isdecimal() and int(role) > _PRIMARY_ROLE
    return SECONDARY_VM.fill() if is_secondary else None
