"""Builders of virtual devices with the keys, units and labels that ESXi gives them.

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
_Disk = _device.VirtualDisk
_FileBacking = _device.VirtualDisk.FlatVer2BackingInfo
_CardBacking = _device.VirtualEthernetCard.NetworkBackingInfo
_CardResources = _device.VirtualEthernetCard.ResourceAllocation
_Allocation = vim.StorageResourceManager.IOAllocationInfo
# pyVmomi looks a type up anew each time it is named.

PCI_CONTROLLER_KEY = 100
IDE_CONTROLLER_KEYS = (200, 201)
PS2_CONTROLLER_KEY = 300
VIDEO_CARD_KEY = 500
VMCI_KEY = 12000
DEFAULT_KEYS = frozenset({100, 200, 201, 300, 400, 500, 600, 700, 12000})
"""Devices that every VM has and nobody has to ask for."""

SCSI_CONTROLLERS: dict[str, type[_device.VirtualSCSIController]] = {
    "pvscsi": _device.ParaVirtualSCSIController,
    "lsilogic": _device.VirtualLsiLogicController,
    "lsisas1068": _device.VirtualLsiLogicSASController,
    "buslogic": _device.VirtualBusLogicController,
}
ETHERNET_CARDS: dict[str, type[_device.VirtualEthernetCard]] = {
    "vmxnet3": _device.VirtualVmxnet3,
    "e1000": _device.VirtualE1000,
    "e1000e": _device.VirtualE1000e,
    "vmxnet2": _device.VirtualVmxnet2,
    "vlance": _device.VirtualPCNet32,
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


@functools.cache
def shares(number: int) -> vim.SharesInfo:
    """Return a share of a resource; the objects are shared by all VMs."""
    return share(vim.SharesInfo(shares=number, level="normal"))


def _label(label: str, summary: str | None = None) -> vim.Description:
    return fresh(vim.Description, label=label, summary=summary or label)


@functools.lru_cache(maxsize=1)
def default_devices() -> tuple[Device, ...]:
    """Return the devices of an empty VM; the objects are shared by all VMs."""
    devices = (
        _device.VirtualIDEController(key=200, deviceInfo=_label("IDE 0"), busNumber=0),
        _device.VirtualIDEController(key=201, deviceInfo=_label("IDE 1"), busNumber=1),
        _device.VirtualPS2Controller(
            key=300, deviceInfo=_label("PS2 controller 0"), busNumber=0, device=[600, 700]
        ),
        _device.VirtualPCIController(
            key=100, deviceInfo=_label("PCI controller 0"), busNumber=0, device=[500, 12000]
        ),
        _device.VirtualSIOController(key=400, deviceInfo=_label("SIO controller 0"), busNumber=0),
        _device.VirtualKeyboard(
            key=600, deviceInfo=_label("Keyboard", "Keyboard"), controllerKey=300, unitNumber=0
        ),
        _device.VirtualPointingDevice(
            key=700,
            deviceInfo=_label("Pointing device", "Pointing device; Device"),
            backing=_device.VirtualPointingDevice.DeviceBackingInfo(
                deviceName="", useAutoDetect=False, hostPointingDevice="autodetect"
            ),
            controllerKey=300,
            unitNumber=1,
        ),
        _device.VirtualVideoCard(
            key=500,
            deviceInfo=_label("Video card"),
            controllerKey=100,
            unitNumber=0,
            videoRamSizeInKB=8192,
            numDisplays=1,
            useAutoDetect=False,
            enable3DSupport=False,
            use3dRenderer="automatic",
            graphicsMemorySizeInKB=262144,
        ),
        _device.VirtualVMCIDevice(
            key=12000,
            deviceInfo=_label(
                "VMCI device",
                "Device on the virtual machine PCI bus that provides support for the "
                "virtual machine communication interface",
            ),
            controllerKey=100,
            unitNumber=17,
            id=-1,
            allowUnrestrictedCommunication=False,
            filterEnable=True,
        ),
    )
    return tuple(share(device) for device in devices)


@functools.cache
def scsi_controller(model: str = "pvscsi", bus: int = 0, sharing: str = "noSharing") -> Device:
    """Return a SCSI controller, shared by all VMs, of a model named as in .vmx files.

    Raises:
        KeyError: there is no such model.
    """
    return share(
        fresh(
            SCSI_CONTROLLERS[model],
            key=SCSI.first_key + bus,
            deviceInfo=_label(f"SCSI controller {bus}", _SCSI_SUMMARIES[model]),
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
            deviceInfo=_label(f"SATA controller {bus}", "AHCI"),
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
            deviceInfo=_label(f"NVME controller {bus}"),
            controllerKey=PCI_CONTROLLER_KEY,
            unitNumber=30 + bus,
            busNumber=bus,
        )
    )


def disk_summary(capacity_bytes: int) -> str:
    """Return what the vSphere Client writes under a disk's label: ``1,048,576 KB``."""
    return f"{capacity_bytes // 1024:,} KB"


def disk(
    *,
    key: int,
    number: int,
    controller_key: int,
    unit: int,
    capacity_bytes: int,
    backing: Device.BackingInfo,
) -> _device.VirtualDisk:
    """Build the ``number``-th disk of a VM, counted from 1."""
    return fresh(
        _Disk,
        key=key,
        deviceInfo=_label(f"Hard disk {number}", disk_summary(capacity_bytes)),
        backing=backing,
        controllerKey=controller_key,
        unitNumber=unit,
        capacityInKB=capacity_bytes // 1024,
        capacityInBytes=capacity_bytes,
        shares=shares(1000),
        storageIOAllocation=_no_limit(),
        nativeUnmanagedLinkedClone=False,
    )


@functools.cache
def _no_limit() -> vim.StorageResourceManager.IOAllocationInfo:
    return share(fresh(_Allocation, limit=-1, shares=shares(1000), reservation=0))


@functools.cache
def _card_resources() -> _device.VirtualEthernetCard.ResourceAllocation:
    return share(fresh(_CardResources, reservation=0, share=shares(50), limit=-1))


def flat_backing(
    path: str,
    *,
    datastore: vim.Datastore | None,
    uuid: str,
    thin: bool,
    mode: str = "persistent",
    parent: _device.VirtualDisk.FlatVer2BackingInfo | None = None,
    change_id: str | None = None,
) -> _device.VirtualDisk.FlatVer2BackingInfo:
    """Build the backing of a disk that is a file."""
    return fresh(
        _FileBacking,
        fileName=path,
        datastore=datastore,
        diskMode=mode,
        split=False,
        writeThrough=False,
        thinProvisioned=thin,
        eagerlyScrub=False,
        uuid=uuid,
        contentId=uuid.replace("-", "").lower(),
        changeId=change_id,
        parent=parent,
        deltaDiskFormat="redoLogFormat" if parent is not None else None,
        digestEnabled=False,
        sharing="sharingNone",
    )


def rdm_backing(
    path: str, *, datastore: vim.Datastore | None, uuid: str, physical: bool, mode: str
) -> _device.VirtualDisk.RawDiskMappingVer1BackingInfo:
    """Build the backing of a disk that maps a LUN."""
    return fresh(
        _device.VirtualDisk.RawDiskMappingVer1BackingInfo,
        fileName=path,
        datastore=datastore,
        lunUuid="02000000006" + uuid.replace("-", "").lower(),
        deviceName="vml.02000000006" + uuid.replace("-", "").lower(),
        compatibilityMode="physicalMode" if physical else "virtualMode",
        diskMode=mode,
        uuid=uuid,
        sharing="sharingNone",
    )


def network_backing(name: str, network: vim.Network | None) -> Device.BackingInfo:
    """Build the connection of a card to a standard port group."""
    return fresh(_CardBacking, deviceName=name, useAutoDetect=False, network=network)


def ethernet_card(
    *, number: int, model: str, backing: Device.BackingInfo, mac: str, address_type: str, connected: bool
) -> Device:
    """Build the ``number``-th network card of a VM, counted from 0.

    Raises:
        KeyError: there is no such model.
    """
    return fresh(
        ETHERNET_CARDS[model],
        key=4000 + number,
        deviceInfo=_label(f"Network adapter {number + 1}", getattr(backing, "deviceName", "DVSwitch")),
        backing=backing,
        connectable=connect_info(connected=connected),
        controllerKey=PCI_CONTROLLER_KEY,
        unitNumber=7 + number,
        addressType=address_type,
        macAddress=mac,
        wakeOnLanEnabled=True,
        resourceAllocation=_card_resources(),
        uptCompatibilityEnabled=model == "vmxnet3",
    )


@functools.cache
def connect_info(*, connected: bool, start_connected: bool = True) -> Device.ConnectInfo:
    """Build the connection state of a removable or network device."""
    return share(
        fresh(
            Device.ConnectInfo,
            startConnected=start_connected,
            allowGuestControl=True,
            connected=connected,
            status="ok" if connected else "untried",
            migrateConnect="unset",
        )
    )


@functools.cache
def cdrom(controller_key: int, unit: int = 0, number: int = 1) -> Device:
    """Build a CD drive without a disc; on IDE its key is 3000, on SATA 16000."""
    kind = SATA if controller_key >= SATA.first_key else IDE
    bus = controller_key - kind.first_key
    return share(
        fresh(
            _device.VirtualCdrom,
            key=kind.first_disk_key + bus * kind.units + unit,
            deviceInfo=_label(f"CD/DVD drive {number}", "Remote device"),
            backing=fresh(
                _device.VirtualCdrom.RemotePassthroughBackingInfo,
                deviceName="",
                useAutoDetect=False,
                exclusive=False,
            ),
            connectable=connect_info(connected=False, start_connected=False),
            controllerKey=controller_key,
            unitNumber=unit,
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
