"""The devices of a saved VM as changes that create them anew: a pure function.

Source: protocols page *vSphere facts*, section "Creating a VM again": default devices are left out, new devices
get negative keys, disks are created empty.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.vsphere.details import capacity_of, unsupported_reason
from app.vsphere.placement import Network, NetworkKind

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
"""What every VM gets by itself."""
_KEPT_CONTROLLERS = (
    _device.VirtualSCSIController,
    _device.VirtualSATAController,
    _device.VirtualNVMEController,
    _device.VirtualUSBController,
    _device.VirtualUSBXHCIController,
)
_PASSTHROUGH_CARDS = (_device.VirtualSriovEthernetCard,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChoices:
    """What is decided outside about the devices."""

    disk_datastores: Mapping[int, str]
    """Datastore of each disk, by its saved key."""
    network_names: Mapping[str, str]
    """Names of the saved VM's networks by id or key."""
    network_map: Mapping[str, str]
    """Networks to connect instead, by saved name."""
    networks: Mapping[str, Network]
    """What the chosen host offers, by name."""
    keep_disk_uuids: bool
    keeps_mac: Callable[[str], bool]
    adapter_networks: Mapping[int, str] = field(default_factory=dict)
    """Networks of single adapters, by their saved key."""
    adapter_addresses: Mapping[int, str] = field(default_factory=dict)
    """MAC addresses of single adapters, by their saved key; an empty one is made anew."""


@dataclass(frozen=True, slots=True)
class DiskSlot:
    """Where a disk hangs in its VM; the same before and after."""

    controller: str
    bus: int
    unit: int


@dataclass(slots=True)
class RebuiltDevices:
    """The result: device changes, where the disks will be found, and what is not as it was."""

    changes: list[Any] = field(default_factory=list)
    disks: dict[int, DiskSlot] = field(default_factory=dict)
    """Slot of each disk that is created, by its saved key."""
    mac_addresses: list[str] = field(default_factory=list)
    """Those that are asked for."""
    warnings: list[str] = field(default_factory=list)


def rebuild_devices(devices: Sequence[Any], choices: DeviceChoices) -> RebuiltDevices:
    """Turn a saved device list into additions."""
    return _Rebuilder(devices, choices).run()


def saved_network(card: Any, names: Mapping[str, str]) -> str:
    """Return the name of the network that a saved adapter was connected to; empty when it is not known."""
    backing = card.backing
    if isinstance(backing, _card.DistributedVirtualPortBackingInfo):
        return names.get(backing.port.portgroupKey or "", "")
    if isinstance(backing, _card.OpaqueNetworkBackingInfo):
        return names.get(backing.opaqueNetworkId, "")
    network = getattr(backing, "network", None)
    known = names.get(network._moId) if network is not None else None
    return known or str(getattr(backing, "deviceName", "") or "")


def slots_of(devices: Sequence[Any]) -> dict[DiskSlot, Any]:
    """Return the disks of a device list by where they hang."""
    controllers = {one.key: one for one in devices if isinstance(one, _device.VirtualController)}
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
        self._controllers = {one.key: one for one in devices if isinstance(one, _device.VirtualController)}
        self._new_keys: dict[int, int] = {}

    def run(self) -> RebuiltDevices:
        for device in self._devices:
            if isinstance(device, _KEPT_CONTROLLERS):
                self._add_controller(device)
        for device in self._devices:
            if not isinstance(device, (*_DEFAULT_DEVICES, *_KEPT_CONTROLLERS)):
                self._add(device)
        return self._result

    def _add(self, device: Any) -> None:
        if isinstance(device, _device.VirtualDisk):
            self._add_disk(device)
        elif isinstance(device, _card) and not isinstance(device, _PASSTHROUGH_CARDS):
            self._add_card(device)
        elif isinstance(device, _device.VirtualCdrom):
            self._add_drive(
                device, _device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
            )
        elif isinstance(device, _device.VirtualFloppy):
            self._add_drive(device, _device.VirtualFloppy.RemoteDeviceBackingInfo(deviceName=""))
        elif isinstance(device, _device.VirtualSoundCard):
            self._append(self._fresh(device))
        else:
            self._warn(f"{_label(device)} cannot be created again and was left out.")

    def _fresh(self, device: Any) -> Any:
        """Copy a device with a new negative key, on its controller's new key."""
        made = copy.deepcopy(device)
        made.key = self._new_keys[device.key] = _FIRST_KEY - len(self._new_keys)
        made.deviceInfo = None
        made.deviceGroupInfo = None
        if device.controllerKey in self._new_keys:
            made.controllerKey = self._new_keys[device.controllerKey]
        return made

    def _append(self, device: Any, *, creates_file: bool = False) -> None:
        spec = _device.VirtualDeviceSpec(operation=_device.VirtualDeviceSpec.Operation.add, device=device)
        if creates_file:
            spec.fileOperation = _device.VirtualDeviceSpec.FileOperation.create
        self._result.changes.append(spec)

    def _add_controller(self, controller: Any) -> None:
        made = self._fresh(controller)
        made.device = []
        made.unitNumber = None
        if str(getattr(made, "sharedBus", None) or "noSharing") != "noSharing":
            self._warn(f"{_label(controller)} is no longer shared with other VMs.")
            made.sharedBus = _device.VirtualSCSIController.Sharing.noSharing
        self._append(made)

    # ---- disks -------------------------------------------------------------------------------------------

    def _add_disk(self, disk: Any) -> None:
        slot = _slot(disk, self._controllers)
        if slot is None:
            self._warn(f"{_label(disk)} has no place on a controller and was left out.")
            return
        if isinstance(disk.backing, _device.VirtualDisk.LocalPMemBackingInfo):
            self._warn(f"{_label(disk)} lies in persistent memory and was left out.")
            return
        controller = self._controllers.get(disk.controllerKey)
        reason = unsupported_reason(disk, controller)
        if reason is not None:
            self._warn(f"{_label(disk)} was not part of the backup, for {reason}; it was created empty.")
        made = self._fresh(disk)
        capacity_bytes = capacity_of(disk)
        made.capacityInBytes = capacity_bytes
        made.capacityInKB = capacity_bytes // 1024
        made.backing = self._backing(disk)
        made.iofilter = []
        made.vDiskId = None
        made.vDiskVersion = None
        made.vFlashCacheConfigInfo = None
        made.diskObjectId = None
        made.nativeUnmanagedLinkedClone = None
        self._append(made, creates_file=True)
        self._result.disks[disk.key] = slot

    def _backing(self, disk: Any) -> Any:
        saved = disk.backing
        if isinstance(saved, _device.VirtualDisk.RawDiskMappingVer1BackingInfo):
            self._warn(f"{_label(disk)} was a raw device; now it is an ordinary disk.")
        if getattr(saved, "keyId", None) is not None:
            self._warn(f"{_label(disk)} was encrypted; now it is not.")
        # Where a disk's thinness is not told (seSparse, raw devices) it takes no more space than it has to.
        thin = getattr(saved, "thinProvisioned", None)
        is_flat = isinstance(saved, _device.VirtualDisk.FlatVer2BackingInfo)
        return _device.VirtualDisk.FlatVer2BackingInfo(
            fileName=f"[{self._choices.disk_datastores[disk.key]}]",
            diskMode=_dependent(getattr(saved, "diskMode", None)),
            thinProvisioned=bool(thin) if is_flat else True,
            eagerlyScrub=bool(getattr(saved, "eagerlyScrub", None)) if is_flat and not thin else None,
            writeThrough=getattr(saved, "writeThrough", None),
            uuid=getattr(saved, "uuid", None) if self._choices.keep_disk_uuids else None,
        )

    # ---- network adapters --------------------------------------------------------------------------------

    def _add_card(self, card: Any) -> None:
        made = self._fresh(card)
        saved_name = self._saved_network(card)
        choices = self._choices
        name = choices.adapter_networks.get(card.key) or choices.network_map.get(saved_name, saved_name)
        network = self._choices.networks.get(name)
        connect = made.connectable or _device.VirtualDevice.ConnectInfo(
            allowGuestControl=True, startConnected=True
        )
        connect.status = None
        connect.connected = False
        if network is None:
            connect.startConnected = False
            connect.migrateConnect = None
            network = next((self._choices.networks[one] for one in sorted(self._choices.networks)), None)
            self._warn(f"The network {name or '(unknown)'} is not there; {_label(card)} is left disconnected.")
        made.connectable = connect
        made.backing = _card_backing(network, name)
        made.externalId = None
        self._set_address(made, card)
        self._append(made)

    def _set_address(self, made: Any, card: Any) -> None:
        wanted = self._choices.adapter_addresses.get(card.key)
        if wanted:
            made.macAddress, made.addressType = wanted.lower(), "manual"
        elif wanted is not None or not (card.macAddress and self._choices.keeps_mac(card.macAddress)):
            made.macAddress, made.addressType = None, "generated"
        if made.macAddress:
            self._result.mac_addresses.append(made.macAddress.lower())

    def _saved_network(self, card: Any) -> str:
        return saved_network(card, self._choices.network_names)

    # ---- the rest ----------------------------------------------------------------------------------------

    def _add_drive(self, drive: Any, backing: Any) -> None:
        made = self._fresh(drive)
        held = getattr(drive.backing, "fileName", None)
        if held and drive.connectable is not None and drive.connectable.startConnected:
            self._warn(f"{held} is no longer inserted in {_label(drive)}.")
        made.backing = backing
        made.connectable = _device.VirtualDevice.ConnectInfo(
            allowGuestControl=True, startConnected=False, connected=False
        )
        self._append(made)

    def _warn(self, text: str) -> None:
        self._result.warnings.append(text)


def _dependent(mode: Any) -> str:
    """Keep a disk's mode, but let it take part in snapshots where it did before."""
    text = str(mode or "persistent")
    return text if text.startswith("independent") else "persistent"


def _card_backing(network: Network | None, name: str) -> Any:
    if network is None:
        return _card.NetworkBackingInfo(deviceName=name)
    if network.kind is NetworkKind.DISTRIBUTED:
        port = vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=network.switch)
        return _card.DistributedVirtualPortBackingInfo(port=port)
    if network.kind is NetworkKind.OPAQUE:
        return _card.OpaqueNetworkBackingInfo(opaqueNetworkId=network.key, opaqueNetworkType=network.switch)
    return _card.NetworkBackingInfo(deviceName=network.name, network=vim.Network(network.moid))


def _label(device: Any) -> str:
    info = device.deviceInfo
    return str(info.label) if info is not None and info.label else f"Device {device.key}"
