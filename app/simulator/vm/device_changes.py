"""Plans what a list of device changes does to a VM; ``reconfigure`` carries the plan out.

Planning is free of side effects, so a spec that is refused half-way leaves nothing behind. The server accepts
devices in any order; a negative key is a name that other devices of the same spec may refer to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from pyVmomi import vim

from app.simulator.vm.card_changes import added_card, edited_card
from app.simulator.vm.config import merged
from app.simulator.vm.controllers import (
    NVME,
    SATA,
    SCSI_CONTROLLERS,
    ControllerKind,
    disk_key,
    free_unit,
    link_controllers,
    nvme_controller,
    sata_controller,
    scsi_controller,
    storage_kind,
)
from app.simulator.vm.device_context import DeviceContext, refused
from app.simulator.vm.devices import DEFAULT_KEYS, disk_summary, virtual_disk
from app.simulator.vm.values import Device, changed, disks_of, find_device, replaced

_device = vim.vm.device
_Spec = _device.VirtualDeviceSpec


class DiskStep(Enum):
    """What has to happen to a disk's files."""

    CREATE = "create"
    ATTACH = "attach"
    DETACH = "detach"
    DESTROY = "destroy"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskWork:
    """One step on one disk's files."""

    step: DiskStep
    key: int
    path: str
    capacity_bytes: int = 0
    thin: bool = False
    uuid: str | None = None
    replace: bool = False
    mode: str = "persistent"


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """The devices as they will be, and the work on disk files that leads there."""

    devices: list[Device]
    work: tuple[DiskWork, ...]


def plan_device_changes(devices: Sequence[Device], changes: Sequence[_Spec], context: DeviceContext) -> DevicePlan:
    """Work out what the changes lead to.

    Raises:
        vim.fault.InvalidDeviceSpec: a change makes no sense; ``deviceIndex`` says which.
    """
    planner = _Planner(list(devices), context)
    for index, change in sorted(enumerate(changes), key=_turn):
        planner.apply(index, change)
    return DevicePlan(link_controllers(planner.devices), tuple(planner.work))


def _turn(entry: tuple[int, _Spec]) -> int:
    """Removals make room for additions; a controller comes before its devices, and goes after them."""
    _, change = entry
    is_controller = isinstance(change.device, _device.VirtualController)
    if change.operation == "remove":
        return 1 if is_controller else 0
    return 2 if is_controller else 3


@dataclass
class _Planner:
    devices: list[Device]
    context: DeviceContext
    work: list[DiskWork] = field(default_factory=list)
    real_keys: dict[int, int] = field(default_factory=dict)

    def apply(self, index: int, change: _Spec) -> None:
        if change.operation == "add":
            added = self._added(index, change)
            known = find_device(self.devices, added.key) is not None
            self.devices = replaced(self.devices, added) if known else [*self.devices, added]
        elif change.operation == "edit":
            self.devices = replaced(self.devices, self._edited(index, change))
        elif change.operation == "remove":
            self._remove(index, change)
        else:
            raise refused(index, "operation", "An operation is required.")

    def _added(self, index: int, change: _Spec) -> Device:
        device = change.device
        if isinstance(device, _device.VirtualController):
            return self._added_controller(index, device)
        if isinstance(device, _device.VirtualDisk):
            return self._added_disk(index, change, device)
        if isinstance(device, _device.VirtualEthernetCard):
            return added_card(index, device, self.devices, self.context)
        return self._added_other(index, device)

    def _added_controller(self, index: int, device: _device.VirtualController) -> Device:
        kind = storage_kind(device)
        if kind is None:
            added = self._added_other(index, device)
        else:
            taken = {other.busNumber for other in self._controllers(kind)}
            bus = device.busNumber
            if bus in taken:
                raise refused(index, "device.busNumber", f"Bus {bus} is occupied.")
            if not 0 <= bus < kind.most:
                raise refused(index, "device.busNumber", f"There is no bus {bus}.")
            added = changed(_built_controller(index, kind, device), key=kind.first_key + bus)
        self.real_keys[device.key] = added.key
        return added

    def _controllers(self, kind: ControllerKind) -> list[_device.VirtualController]:
        return [
            device
            for device in self.devices
            if isinstance(device, _device.VirtualController) and storage_kind(device) is kind
        ]

    def _place(self, index: int, device: Device) -> tuple[_device.VirtualController, int]:
        """Find the controller and the unit that a new disk or drive asks for."""
        wanted = device.controllerKey
        controller = None if wanted is None else find_device(self.devices, self.real_keys.get(wanted, wanted))
        if not isinstance(controller, _device.VirtualController) or not storage_kind(controller):
            raise vim.fault.MissingController(
                msg="The device's controller does not exist.", deviceIndex=index, property="device.controllerKey"
            )
        unit = device.unitNumber
        if unit is None or unit < 0:
            unit = free_unit(controller, self.devices)
            if unit is None:
                raise refused(index, "device.unitNumber", "The controller is full.")
        kind = storage_kind(controller)
        if kind is not None and unit not in kind.usable_units:
            raise refused(index, "device.unitNumber", f"Unit {unit} cannot be used.")
        if any(other.controllerKey == controller.key and other.unitNumber == unit for other in self.devices):
            raise refused(index, "device.unitNumber", f"Unit {unit} is occupied.")
        return controller, unit

    def _added_disk(self, index: int, change: _Spec, device: _device.VirtualDisk) -> Device:
        controller, unit = self._place(index, device)
        backing = device.backing
        if not isinstance(backing, _device.VirtualDevice.FileBackingInfo):
            raise vim.fault.InvalidDeviceBacking(
                msg="The disk has no file backing.", deviceIndex=index, property="device.backing"
            )
        key = disk_key(controller, unit)
        creates = change.fileOperation in ("create", "replace")
        capacity = _capacity_bytes(device)
        if creates and capacity <= 0:
            raise refused(index, "device.capacityInKB", "A new disk needs a capacity.")
        taken = {work.path for work in self.work if work.step is DiskStep.CREATE}
        path = backing.fileName or ""
        if creates:
            path = self.context.new_disk_path(path, backing.datastore, taken)
        elif not path:
            raise refused(index, "device.backing.fileName", "The disk's file is not named.")
        self.work.append(
            DiskWork(
                step=DiskStep.CREATE if creates else DiskStep.ATTACH,
                key=key,
                path=path,
                capacity_bytes=capacity,
                thin=bool(getattr(backing, "thinProvisioned", False)),
                uuid=getattr(backing, "uuid", None),
                replace=change.fileOperation == "replace",
                mode=str(getattr(backing, "diskMode", None) or "persistent"),
            )
        )
        return virtual_disk(
            key=key,
            number=_next_number(disks_of(self.devices), "Hard disk "),
            controller_key=controller.key,
            unit=unit,
            capacity_bytes=capacity,
            backing=changed(backing, fileName=path, **_defaults_of_backing(backing)),
        )

    def _added_other(self, index: int, device: Device) -> Device:
        for default in self.devices:
            if isinstance(device, _ADJUSTABLE) and type(default) is type(device):
                return merged(default, changed(device, key=default.key, controllerKey=None, unitNumber=None))
            if default.key in DEFAULT_KEYS and type(default) is type(device):
                raise refused(index, "device", "Every VM has this device already.")
        fields: dict[str, object] = {"key": self._free_key(device), "deviceInfo": _described(device)}
        if isinstance(device, _device.VirtualCdrom):
            controller, unit = self._place(index, device)
            fields |= {"controllerKey": controller.key, "unitNumber": unit}
            fields["key"] = disk_key(controller, unit)
        elif device.controllerKey is not None:
            fields["controllerKey"] = self.real_keys.get(device.controllerKey, device.controllerKey)
        self.real_keys[device.key] = int(str(fields["key"]))
        return changed(device, **fields)

    def _free_key(self, device: Device) -> int:
        first = next((key for kind, key in _FIRST_KEYS if isinstance(device, kind)), 13000)
        taken = {other.key for other in self.devices}
        return next(key for key in range(first, first + 1000) if key not in taken)

    def _edited(self, index: int, change: _Spec) -> Device:
        wanted = change.device
        device = find_device(self.devices, wanted.key)
        if device is None:
            raise refused(index, "device.key", f"The VM has no device {wanted.key}.")
        if isinstance(device, _device.VirtualDisk) and isinstance(wanted, _device.VirtualDisk):
            return self._edited_disk(index, device, wanted)
        if isinstance(device, _device.VirtualEthernetCard) and isinstance(wanted, _device.VirtualEthernetCard):
            return edited_card(index, device, wanted, self.context)
        return changed(
            wanted,
            deviceInfo=wanted.deviceInfo or device.deviceInfo,
            controllerKey=device.controllerKey if wanted.controllerKey is None else wanted.controllerKey,
            unitNumber=device.unitNumber if wanted.unitNumber is None else wanted.unitNumber,
        )

    def _edited_disk(self, index: int, device: _device.VirtualDisk, wanted: _device.VirtualDisk) -> Device:
        old, new = _capacity_bytes(device), _capacity_bytes(wanted) or _capacity_bytes(device)
        held = self.context.in_snapshot(device.key)
        path = _path_of(device)
        if new < old:
            raise refused(index, "device.capacityInKB", "A disk cannot be made smaller.")
        if new > old:
            if held:
                raise refused(index, "device.capacityInKB", "A disk with snapshots cannot be resized.")
            self.work.append(DiskWork(step=DiskStep.EXTEND, key=device.key, path=path, capacity_bytes=new))
        backing = device.backing
        mode = getattr(wanted.backing, "diskMode", None)
        if mode and mode != getattr(backing, "diskMode", None):
            if held or self.context.running:
                raise vim.fault.InvalidDeviceOperation(
                    msg="The mode of this disk cannot be changed now.",
                    deviceIndex=index,
                    property="device.backing.diskMode",
                    badOp="edit",
                )
            backing = changed(backing, diskMode=mode)
        return changed(
            device,
            backing=backing,
            capacityInKB=new // 1024,
            capacityInBytes=new,
            shares=wanted.shares or device.shares,
            storageIOAllocation=wanted.storageIOAllocation or device.storageIOAllocation,
            deviceInfo=changed(device.deviceInfo, summary=disk_summary(new)),
        )

    def _remove(self, index: int, change: _Spec) -> None:
        key = change.device.key
        device = find_device(self.devices, key)
        if device is None:
            raise refused(index, "device.key", f"The VM has no device {key}.")
        if key in DEFAULT_KEYS or any(other.controllerKey == key for other in self.devices):
            raise vim.fault.InvalidDeviceOperation(
                msg="The device is in use.", deviceIndex=index, property="device.key", badOp="remove"
            )
        if isinstance(device, _device.VirtualDisk):
            destroys = change.fileOperation == "destroy"
            if destroys and self.context.in_snapshot(key):
                raise vim.fault.InvalidDeviceOperation(
                    msg="A snapshot holds the disk.",
                    deviceIndex=index,
                    property="fileOperation",
                    badOp="remove",
                    badFileOp="destroy",
                )
            step = DiskStep.DESTROY if destroys else DiskStep.DETACH
            self.work.append(DiskWork(step=step, key=key, path=_path_of(device)))
        self.devices = [other for other in self.devices if other.key != key]


_FIRST_KEYS: tuple[tuple[type[Device], int], ...] = (
    (_device.VirtualUSBController, 7000),
    (_device.VirtualFloppy, 8000),
    (_device.VirtualSerialPort, 9000),
    (_device.VirtualParallelPort, 10000),
    (_device.VirtualTPM, 11000),
    (_device.VirtualPCIPassthrough, 13000),
    (_device.VirtualUSBXHCIController, 14000),
)


_ADJUSTABLE = (_device.VirtualVideoCard, _device.VirtualVMCIDevice)
"""Devices that every VM has one of, and that a spec may describe nevertheless."""


def _built_controller(index: int, kind: ControllerKind, device: _device.VirtualController) -> Device:
    if isinstance(device, _device.VirtualSCSIController):
        for model, controller in SCSI_CONTROLLERS.items():
            if type(device) is controller:
                return scsi_controller(model, device.busNumber, device.sharedBus or "noSharing")
    if kind is SATA:
        return sata_controller(device.busNumber)
    if kind is NVME:
        return nvme_controller(device.busNumber)
    raise refused(index, "device", "This controller cannot be added.")


def _capacity_bytes(device: _device.VirtualDisk) -> int:
    return int(device.capacityInBytes or device.capacityInKB * 1024)


def _path_of(device: _device.VirtualDisk) -> str:
    return str(getattr(device.backing, "fileName", ""))


def _defaults_of_backing(backing: Device.BackingInfo) -> dict[str, object]:
    mode = getattr(backing, "diskMode", None) or "persistent"
    return {"diskMode": mode, "parent": None, "changeId": None}


def _next_number(devices: Sequence[Device], prefix: str) -> int:
    labels = {device.deviceInfo.label for device in devices if device.deviceInfo is not None}
    return next(number for number in range(1, 1000) if f"{prefix}{number}" not in labels)


def _described(device: Device) -> vim.Description:
    name = type(device).__name__.rpartition(".")[2].removeprefix("Virtual")
    return device.deviceInfo or vim.Description(label=name, summary=name)
