"""A small factory of saved VMs, as a real platform would describe them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim

from app.domain.vms import PowerState
from app.vsphere.saved_vm import SavedVm

device = vim.vm.device
MIB = 1 << 20


def config(devices: Sequence[Any], **changes: Any) -> vim.vm.ConfigInfo:
    """A ConfigInfo with these devices next to the default ones."""
    values: dict[str, Any] = {
        "changeVersion": "2026-03-01T08:00:00Z",
        "modified": datetime(2026, 3, 1, 8, tzinfo=UTC),
        "name": "web-01",
        "guestFullName": "Debian GNU/Linux 12 (64-bit)",
        "version": "vmx-19",
        "uuid": "42100000-0000-0000-0000-000000000001",
        "instanceUuid": "50100000-0000-0000-0000-000000000001",
        "template": False,
        "guestId": "debian12_64Guest",
        "annotation": "the web server",
        "firmware": "efi",
        "files": vim.vm.FileInfo(vmPathName="[ds1] web-01/web-01.vmx", snapshotDirectory="[ds1] web-01/"),
        "flags": vim.vm.FlagInfo(diskUuidEnabled=True, vbsEnabled=False, faultToleranceType="unset"),
        "tools": vim.vm.ToolsConfigInfo(toolsVersion=12352, afterPowerOn=True, pendingCustomization="x"),
        "hardware": vim.vm.VirtualHardware(
            numCPU=4, numCoresPerSocket=2, memoryMB=8192, device=[*defaults(), *devices]
        ),
        "bootOptions": vim.vm.BootOptions(efiSecureBootEnabled=True, bootDelay=5000),
        "extraConfig": [
            vim.option.OptionValue(key=key, value=value)
            for key, value in (
                ("nvram", "web-01.nvram"),
                ("svga.present", "TRUE"),
                ("guestinfo.role", "web"),
                ("sched.swap.derivedName", "/vmfs/volumes/x/web-01.vswp"),
                ("disk.EnableUUID", "TRUE"),
                ("uuid.bios", "42 10"),
            )
        ],
    }
    return vim.vm.ConfigInfo(**(values | changes))


def defaults() -> list[Any]:
    """The devices that every VM has automatically."""
    return [
        device.VirtualIDEController(key=200, busNumber=0, device=[3000]),
        device.VirtualIDEController(key=201, busNumber=1),
        device.VirtualPS2Controller(key=300, busNumber=0),
        device.VirtualPCIController(key=100, busNumber=0),
        device.VirtualSIOController(key=400, busNumber=0),
        device.VirtualKeyboard(key=600, controllerKey=300, unitNumber=0),
        device.VirtualPointingDevice(key=700, controllerKey=300, unitNumber=1),
        device.VirtualVideoCard(key=500, controllerKey=100, unitNumber=0, videoRamSizeInKB=16384),
        device.VirtualVMCIDevice(key=12000, controllerKey=100, unitNumber=17),
    ]


def scsi(key: int = 1000, bus: int = 0, shared: str = "noSharing") -> Any:
    """A paravirtual SCSI controller."""
    return device.ParaVirtualSCSIController(
        key=key,
        deviceInfo=vim.Description(label=f"SCSI controller {bus}", summary="VMware paravirtual SCSI"),
        controllerKey=100,
        unitNumber=3 + bus,
        busNumber=bus,
        device=[2000],
        sharedBus=shared,
        scsiCtlrUnitNumber=7,
    )


def disk(
    key: int = 2000,
    *,
    unit: int = 0,
    controller: int = 1000,
    mib: int = 40960,
    datastore: str = "ds1",
    **backing: Any,
) -> Any:
    """A flat disk."""
    values: dict[str, Any] = {
        "fileName": f"[{datastore}] web-01/web-01_{key}.vmdk",
        "diskMode": "persistent",
        "thinProvisioned": True,
        "uuid": f"6000C29a-0000-0000-0000-00000000{key}",
    }
    return device.VirtualDisk(
        key=key,
        deviceInfo=vim.Description(label=f"Hard disk {unit + 1}", summary="41,943,040 KB"),
        backing=device.VirtualDisk.FlatVer2BackingInfo(**(values | backing)),
        controllerKey=controller,
        unitNumber=unit,
        capacityInKB=mib * 1024,
        capacityInBytes=mib * MIB,
    )


def card(key: int = 4000, mac: str = "00:50:56:81:00:01", network: str = "VM Network", **changes: Any) -> Any:
    """A vmxnet3 adapter on a standard network."""
    values: dict[str, Any] = {
        "key": key,
        "deviceInfo": vim.Description(label=f"Network adapter {key - 3999}", summary=network),
        "backing": device.VirtualEthernetCard.NetworkBackingInfo(
            deviceName=network, network=vim.Network("network-7")
        ),
        "connectable": device.VirtualDevice.ConnectInfo(
            startConnected=True, allowGuestControl=True, connected=True
        ),
        "controllerKey": 100,
        "unitNumber": key - 3993,
        "addressType": "assigned",
        "macAddress": mac,
        "wakeOnLanEnabled": True,
    }
    return device.VirtualVmxnet3(**(values | changes))


def saved(*devices: Any, **changes: Any) -> SavedVm:
    """A saved VM with these devices."""
    return SavedVm(
        config=config(devices or (scsi(), disk(), card()), **changes),
        power_state=PowerState.ON,
        datacenter="Shanghai",
        folder=("Production", "Web"),
        host="esx01.lab",
        resource_pool="Resources",
        api_version="8.0.3.0",
        networks={"network-7": "VM Network"},
        datastores={"datastore-1": "ds1"},
    )
