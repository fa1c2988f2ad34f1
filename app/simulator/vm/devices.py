"""Builders of disks, network cards and other devices with the labels that ESXi gives them; pure functions."""

import functools

from pyVmomi import vim

from app.simulator.vm.controllers import IDE, PCI_CONTROLLER_KEY, SATA, label
from app.simulator.vm.values import Device, fresh
from app.simulator.vmomi import share

_device = vim.vm.device
_Disk = _device.VirtualDisk
_FileBacking = _device.VirtualDisk.FlatVer2BackingInfo
_CardBacking = _device.VirtualEthernetCard.NetworkBackingInfo
_CardResources = _device.VirtualEthernetCard.ResourceAllocation
_Allocation = vim.StorageResourceManager.IOAllocationInfo
# pyVmomi looks a type up each time it is named.

DEFAULT_KEYS = frozenset({100, 200, 201, 300, 400, 500, 600, 700, 12000})
"""Devices that every VM has without being asked for."""

ETHERNET_CARDS: dict[str, type[_device.VirtualEthernetCard]] = {
    "vmxnet3": _device.VirtualVmxnet3,
    "e1000": _device.VirtualE1000,
    "e1000e": _device.VirtualE1000e,
    "vmxnet2": _device.VirtualVmxnet2,
    "vlance": _device.VirtualPCNet32,
}


@functools.cache
def shares(number: int) -> vim.SharesInfo:
    """Return a share of a resource; the objects are shared by all VMs."""
    return share(vim.SharesInfo(shares=number, level="normal"))


@functools.lru_cache(maxsize=1)
def default_devices() -> tuple[Device, ...]:
    """Return the devices of an empty VM; the objects are shared by all VMs."""
    devices = (
        _device.VirtualIDEController(key=200, deviceInfo=label("IDE 0"), busNumber=0),
        _device.VirtualIDEController(key=201, deviceInfo=label("IDE 1"), busNumber=1),
        _device.VirtualPS2Controller(
            key=300, deviceInfo=label("PS2 controller 0"), busNumber=0, device=[600, 700]
        ),
        _device.VirtualPCIController(
            key=100, deviceInfo=label("PCI controller 0"), busNumber=0, device=[500, 12000]
        ),
        _device.VirtualSIOController(key=400, deviceInfo=label("SIO controller 0"), busNumber=0),
        _device.VirtualKeyboard(
            key=600, deviceInfo=label("Keyboard", "Keyboard"), controllerKey=300, unitNumber=0
        ),
        _device.VirtualPointingDevice(
            key=700,
            deviceInfo=label("Pointing device", "Pointing device; Device"),
            backing=_device.VirtualPointingDevice.DeviceBackingInfo(
                deviceName="", useAutoDetect=False, hostPointingDevice="autodetect"
            ),
            controllerKey=300,
            unitNumber=1,
        ),
        _device.VirtualVideoCard(
            key=500,
            deviceInfo=label("Video card"),
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
            deviceInfo=label(
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
def disk_summary(capacity_bytes: int) -> str:
    """Return what the vSphere Client writes under a disk's label: ``1,048,576 KB``."""
    return f"{capacity_bytes // 1024:,} KB"


def virtual_disk(
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
        deviceInfo=label(f"Hard disk {number}", disk_summary(capacity_bytes)),
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


def pmem_backing(path: str, *, datastore: vim.Datastore | None, uuid: str, mode: str) -> Device.BackingInfo:
    """Build the backing of a disk in the persistent memory of its host."""
    return fresh(
        _device.VirtualDisk.LocalPMemBackingInfo,
        fileName=path,
        datastore=datastore,
        diskMode=mode,
        uuid=uuid,
        volumeUUID=uuid,
        contentId=uuid.replace("-", "").lower(),
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
        deviceInfo=label(f"Network adapter {number + 1}", getattr(backing, "deviceName", "DVSwitch")),
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
            deviceInfo=label(f"CD/DVD drive {number}", "Remote device"),
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
