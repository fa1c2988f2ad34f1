"""The devices of a saved VM as changes that create them again: a pure function.

Source: protocols page *vSphere facts*, section "Creating a VM again": default devices are left out, new devices
get negative keys, disks are created empty.

Storage policies are neither saved nor asked for: "Neither the association nor the policy data is persisted in
Virtual Machine configuration" (``VirtualMachineDefinedProfileSpec`` of the vSphere API reference), and a policy
that the target does not know would fail the creation. What shows that there was one are disks that are objects of
vSAN or vVols (``backingObjectId``) and I/O filters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.domain.messages import Message, MessageKind
from app.vsphere.adapter_networks import NetworkChoices, choose_network, network_backing
from app.vsphere.details import capacity_of, has_key, unsupported_reason
from app.vsphere.deviations import (
    DEVICE_LEFT_OUT,
    DISCONNECTED,
    DISK_EMPTY,
    DISK_IN_MEMORY,
    DISK_WAS_ENCRYPTED,
    DISK_WITHOUT_PLACE,
    IO_FILTERS,
    NO_AUTOCONNECT,
    NOT_INSERTED,
    NOT_SHARED,
    STORAGE_POLICY,
    WAS_RAW,
)
from app.vsphere.plain_values import copy_plain, disk_uuid, is_address

_device = vim.vm.device
_card = _device.VirtualEthernetCard
_FIRST_KEY = -101

_DEFAULT_DEVICES = (
    _device.VirtualIDEController,
    _device.VirtualPS2Controller,
    _device.VirtualPCIController,
    _device.VirtualSIOController,
    _device.VirtualKeyboard,
    _device.VirtualPointingDevice,
    _device.VirtualVideoCard,
    _device.VirtualVMCIDevice,
)
"""What every VM gets automatically."""
_KEPT_CONTROLLERS: tuple[type[Any], ...] = (
    _device.VirtualSCSIController,
    _device.VirtualSATAController,
    _device.VirtualNVMEController,
    _device.VirtualUSBController,
    _device.VirtualUSBXHCIController,
)
_KEPT_CARDS: tuple[type[Any], ...] = (
    *(_device.VirtualE1000, _device.VirtualE1000e, _device.VirtualPCNet32),
    *(_device.VirtualVmxnet, _device.VirtualVmxnet2, _device.VirtualVmxnet3),
)
"""Adapters that need nothing of a certain host."""
_FIELDS: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (_device.VirtualSCSIController, ("busNumber", "hotAddRemove", "scsiCtlrUnitNumber")),
    (_device.VirtualUSBController, ("busNumber", "ehciEnabled")),
    (_device.VirtualController, ("busNumber",)),
    (_device.VirtualDisk, ("shares", "storageIOAllocation")),
    (_card, ("wakeOnLanEnabled", "resourceAllocation", "addressType", "macAddress")),
)
"""What a new device takes over of a saved one, by kind; never a backing, which may name what a host has."""
_INDEPENDENT = frozenset({"independent_persistent", "independent_nonpersistent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChoices:
    """What is decided outside about the devices."""

    disk_datastores: Mapping[int, str]
    """Datastore of each disk, by its saved key."""
    networks: NetworkChoices
    keep_disk_uuids: bool
    keeps_mac: Callable[[str], bool]
    adapter_addresses: Mapping[int, str] = field(default_factory=dict)
    """MAC addresses of single adapters, by their saved key; an empty one is rebuilt."""
    present_disks: Mapping[int, str] = field(default_factory=dict)
    """Paths of the disks that exist and are attached as they are, by their saved key."""
    is_isolated: bool = False
    """Whether the network adapters are left disconnected."""


@dataclass(frozen=True, slots=True)
class DiskSlot:
    """The controller and unit of a disk in its VM; the same before and after."""

    controller: str
    bus: int
    unit: int


@dataclass(slots=True)
class RebuiltDevices:
    """The result: device changes, where the disks will be found, and what is not as it was."""

    changes: list[Any] = field(default_factory=list)
    disks: dict[int, DiskSlot] = field(default_factory=dict)
    """Slot of each disk that is created or attached, by its saved key."""
    mac_addresses: list[str] = field(default_factory=list)
    """Those that are asked for."""
    warnings: list[Message] = field(default_factory=list)


def rebuild_devices(devices: Sequence[Any], choices: DeviceChoices) -> RebuiltDevices:
    """Turn a saved device list into additions."""
    return _Rebuilder(devices, choices).run()


def slots_of(devices: Sequence[Any]) -> dict[DiskSlot, Any]:
    """Return the disks of a device list by where they hang."""
    controllers = {device.key: device for device in devices if isinstance(device, _device.VirtualController)}
    return {
        slot: disk
        for disk in devices
        if isinstance(disk, _device.VirtualDisk) and (slot := _slot(disk, controllers)) is not None
    }


def _slot(disk: Any, controllers: Mapping[int, Any]) -> DiskSlot | None:
    controller = controllers.get(disk.controllerKey)
    if controller is None or disk.unitNumber is None:
        return None
    return DiskSlot(_family(controller), controller.busNumber, disk.unitNumber)


def _family(controller: Any) -> str:
    for family in (*_KEPT_CONTROLLERS, _device.VirtualIDEController):
        if isinstance(controller, family):
            return str(family.__name__)
    return type(controller).__name__


class _Rebuilder:
    def __init__(self, devices: Sequence[Any], choices: DeviceChoices) -> None:
        self._devices = devices
        self._choices = choices
        self._result = RebuiltDevices()
        self._controllers = {
            device.key: device for device in devices if isinstance(device, _device.VirtualController)
        }
        self._new_keys: dict[int, int] = {}
        self._with_policy: list[str] = []
        """Labels of the disks that a storage policy was about."""

    def run(self) -> RebuiltDevices:
        for device in self._devices:
            if isinstance(device, _KEPT_CONTROLLERS):
                self._add_controller(device)
        for device in self._devices:
            if not isinstance(device, (*_DEFAULT_DEVICES, *_KEPT_CONTROLLERS)):
                self._add(device)
        if self._with_policy:
            self._warn(STORAGE_POLICY, disks=", ".join(self._with_policy), count=len(self._with_policy))
        return self._result

    def _add(self, device: Any) -> None:
        if isinstance(device, _device.VirtualDisk):
            self._add_disk(device)
        elif isinstance(device, _card) and type(device) in _KEPT_CARDS:
            self._add_card(device)
        elif isinstance(device, _device.VirtualCdrom):
            self._add_drive(
                device, _device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
            )
        elif isinstance(device, _device.VirtualFloppy):
            self._add_drive(device, _device.VirtualFloppy.RemoteDeviceBackingInfo(deviceName=""))
        elif isinstance(device, _device.VirtualSoundCard):
            made = self._fresh(device)
            made.backing = _device.VirtualSoundCard.DeviceBackingInfo(deviceName="", useAutoDetect=True)
            self._append(made)
        else:
            self._warn(DEVICE_LEFT_OUT, device=_label(device))

    def _fresh(self, device: Any) -> Any:
        """Make a device of the same kind with a new negative key, on its controller's new key."""
        made = type(device)()
        copy_plain(device, made, next((names for kind, names in _FIELDS if isinstance(device, kind)), ()))
        made.key = self._new_keys[device.key] = _FIRST_KEY - len(self._new_keys)
        made.controllerKey = self._new_keys.get(device.controllerKey, device.controllerKey)
        made.unitNumber = device.unitNumber
        if isinstance(device.slotInfo, _device.VirtualDevice.PciBusSlotInfo):
            # Guests name their network adapters after the slot.
            made.slotInfo = _device.VirtualDevice.PciBusSlotInfo(pciSlotNumber=device.slotInfo.pciSlotNumber)
        return made

    def _append(self, device: Any, *, creates_file: bool = False) -> None:
        spec = _device.VirtualDeviceSpec(operation=_device.VirtualDeviceSpec.Operation.add, device=device)
        if creates_file:
            spec.fileOperation = _device.VirtualDeviceSpec.FileOperation.create
        self._result.changes.append(spec)

    def _add_controller(self, controller: Any) -> None:
        made = self._fresh(controller)
        made.unitNumber = None
        if str(getattr(controller, "sharedBus", None) or "noSharing") != "noSharing":
            self._warn(NOT_SHARED, device=_label(controller))
        if isinstance(controller, _device.VirtualSCSIController):
            made.sharedBus = _device.VirtualSCSIController.Sharing.noSharing
        if getattr(controller, "autoConnectDevices", None):
            self._warn(NO_AUTOCONNECT, device=_label(controller))
        self._append(made)

    # ---- disks -------------------------------------------------------------------------------------------

    def _add_disk(self, disk: Any) -> None:
        slot = _slot(disk, self._controllers)
        if slot is None:
            self._warn(DISK_WITHOUT_PLACE, disk=_label(disk))
            return
        present = self._choices.present_disks.get(disk.key)
        if present is not None:
            self._attach_disk(disk, present)
            self._result.disks[disk.key] = slot
            return
        if isinstance(disk.backing, _device.VirtualDisk.LocalPMemBackingInfo):
            self._warn(DISK_IN_MEMORY, disk=_label(disk))
            return
        controller = self._controllers.get(disk.controllerKey)
        reason = unsupported_reason(disk, controller)
        if reason is not None:
            self._warn(DISK_EMPTY, disk=_label(disk), reason=reason)
        self._note_policy(disk)
        made = self._fresh(disk)
        capacity_bytes = capacity_of(disk)
        made.capacityInBytes = capacity_bytes
        made.capacityInKB = capacity_bytes // 1024
        made.backing = self._backing(disk)
        self._append(made, creates_file=True)
        self._result.disks[disk.key] = slot

    def _attach_disk(self, disk: Any, path: str) -> None:
        """Add a disk whose file exists: without a file operation nothing is created."""
        if has_key(disk.backing):
            self._warn(DISK_WAS_ENCRYPTED, disk=_label(disk))
        made = self._fresh(disk)
        made.capacityInKB = capacity_of(disk) // 1024
        made.backing = _device.VirtualDisk.FlatVer2BackingInfo(
            fileName=path,
            diskMode="persistent",
            uuid=disk_uuid(disk.backing) if self._choices.keep_disk_uuids else None,
        )
        self._append(made)

    def _note_policy(self, disk: Any) -> None:
        filters = [str(name) for name in disk.iofilter or ()]
        if filters:
            self._warn(IO_FILTERS, disk=_label(disk), filters=", ".join(filters))
        if filters or getattr(disk.backing, "backingObjectId", None):
            self._with_policy.append(_label(disk))

    def _backing(self, disk: Any) -> Any:
        saved = disk.backing
        if isinstance(saved, _device.VirtualDisk.RawDiskMappingVer1BackingInfo):
            self._warn(WAS_RAW, disk=_label(disk))
        if has_key(saved):
            self._warn(DISK_WAS_ENCRYPTED, disk=_label(disk))
        # Where it is unknown whether a disk is thin (seSparse, raw devices) it takes no more space than it has to.
        thin = getattr(saved, "thinProvisioned", None)
        is_flat = isinstance(saved, _device.VirtualDisk.FlatVer2BackingInfo)
        return _device.VirtualDisk.FlatVer2BackingInfo(
            fileName=f"[{self._choices.disk_datastores[disk.key]}]",
            diskMode=_dependent(getattr(saved, "diskMode", None)),
            thinProvisioned=bool(thin) if is_flat else True,
            eagerlyScrub=bool(getattr(saved, "eagerlyScrub", None)) if is_flat and not thin else None,
            writeThrough=getattr(saved, "writeThrough", None),
            uuid=disk_uuid(saved) if self._choices.keep_disk_uuids else None,
        )

    # ---- network adapters --------------------------------------------------------------------------------

    def _add_card(self, card: Any) -> None:
        made = self._fresh(card)
        network, name, problem = choose_network(card, self._choices.networks)
        made.connectable = _connectable(card.connectable)
        isolated = self._choices.is_isolated
        if network is None or isolated:
            made.connectable.startConnected = False
        if isolated:  # its tools could connect it otherwise
            made.connectable.allowGuestControl = False
        if network is None:
            if not isolated:
                self._warn(DISCONNECTED, problem=problem, card=_label(card))
            offered = self._choices.networks.offered.values()
            network = min(offered, key=lambda network: (network.name, network.moid), default=None)
        elif card.connectable is not None and card.connectable.migrateConnect and not isolated:
            made.connectable.migrateConnect = card.connectable.migrateConnect
        made.backing = network_backing(network, name)
        self._set_address(made, card)
        self._append(made)

    def _set_address(self, made: Any, card: Any) -> None:
        wanted = self._choices.adapter_addresses.get(card.key)
        if wanted:
            made.macAddress, made.addressType = wanted.lower(), "manual"
        elif wanted is not None or not self._keeps_address(card):
            made.macAddress, made.addressType = None, "generated"
        if made.macAddress:
            self._result.mac_addresses.append(made.macAddress.lower())

    def _keeps_address(self, card: Any) -> bool:
        return is_address(card) and self._choices.keeps_mac(card.macAddress)

    # ---- the rest ----------------------------------------------------------------------------------------

    def _add_drive(self, drive: Any, backing: Any) -> None:
        made = self._fresh(drive)
        held = getattr(drive.backing, "fileName", None)
        if held and drive.connectable is not None and drive.connectable.startConnected:
            self._warn(NOT_INSERTED, medium=held, drive=_label(drive))
        made.backing = backing
        made.connectable = _device.VirtualDevice.ConnectInfo(
            allowGuestControl=True, startConnected=False, connected=False
        )
        self._append(made)

    def _warn(self, kind: MessageKind, **params: object) -> None:
        self._result.warnings.append(kind.fill(**params))


def _dependent(mode: Any) -> str:
    """Keep a disk's mode, but let it take part in snapshots where it did before."""
    return str(mode) if str(mode) in _INDEPENDENT else "persistent"


def _connectable(saved: Any) -> Any:
    return _device.VirtualDevice.ConnectInfo(
        startConnected=saved is None or bool(saved.startConnected),
        allowGuestControl=saved is None or bool(saved.allowGuestControl),
        connected=False,
    )


def _label(device: Any) -> str:
    info = device.deviceInfo
    return str(info.label) if info is not None and info.label else f"Device {device.key}"
