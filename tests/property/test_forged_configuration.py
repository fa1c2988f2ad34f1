"""Whatever a forged ``config.json`` says, the VM that is created from it has only what is on the lists."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import VmomiSupport, vim

from app.domain.vms import VmPlacement
from app.vsphere import saved_vm
from app.vsphere.errors import ConfigurationUnreadable
from app.vsphere.offer import Network
from app.vsphere.placement import Place
from app.vsphere.rebuild import MARK, Identity, Rebuilt, finishing_spec, origin_of, rebuild
from app.vsphere.settings_allowed import is_kept_setting
from tests.unit.vsphere import saved as given_vm
from tests.unit.vsphere.test_placement import host

device = vim.vm.device
FORGED = "/vmfs/volumes/forged"
NOBODY = Identity(uuid=None, instance_uuid=None, taken_mac_addresses=frozenset())

PATHS = st.sampled_from(
    [f"{FORGED}/x.vmdk", "[forged] x/x.vmdk", "[ds1] ../forged/x", "/dev/forged", "[ds1] other-vm/forged.vmdk"]
)
KEYS = st.one_of(
    st.sampled_from(
        [
            *("log.fileName", "sched.swap.dir", "vmx.log.destination", "scsi0:0.fileName", "serial0.fileName"),
            *("isolation.tools.copy.disable", "remotedisplay.vnc.enabled", "guestinfo.userdata", "guestinfo.a"),
            *("hostd.x", "nvram", "disk.EnableUUID", "svga.present", "pciPassthru0.present", MARK),
        ]
    ),
    st.text(max_size=40),
)
VALUES = st.one_of(PATHS, st.sampled_from(["TRUE", "FALSE", "1"]), st.text(max_size=40))


def backings(path: str) -> list[Any]:
    return [
        device.VirtualSerialPort(
            key=9000, backing=device.VirtualSerialPort.FileBackingInfo(fileName=path), yieldOnPoll=True
        ),
        device.VirtualSerialPort(
            key=9001, backing=device.VirtualSerialPort.DeviceBackingInfo(deviceName=path), yieldOnPoll=True
        ),
        device.VirtualParallelPort(key=9500, backing=device.VirtualParallelPort.FileBackingInfo(fileName=path)),
        device.VirtualCdrom(
            key=3000, controllerKey=200, unitNumber=0, backing=device.VirtualCdrom.IsoBackingInfo(fileName=path)
        ),
        device.VirtualCdrom(
            key=3001, controllerKey=200, backing=device.VirtualCdrom.AtapiBackingInfo(deviceName=path)
        ),
        device.VirtualFloppy(key=8000, backing=device.VirtualFloppy.ImageBackingInfo(fileName=path)),
        device.VirtualSoundCard(key=5000, backing=device.VirtualSoundCard.DeviceBackingInfo(deviceName=path)),
        device.VirtualPCIPassthrough(
            key=13000,
            backing=device.VirtualPCIPassthrough.DeviceBackingInfo(
                id=path, deviceId="1", systemId="2", vendorId=3, deviceName=path
            ),
        ),
        device.VirtualSCSIPassthrough(
            key=14000, backing=device.VirtualSCSIPassthrough.DeviceBackingInfo(deviceName=path)
        ),
        device.VirtualUSB(key=15000, backing=device.VirtualUSB.USBBackingInfo(deviceName=path), connected=True),
        device.VirtualDisk(
            key=2001,
            controllerKey=1000,
            unitNumber=1,
            capacityInKB=1024,
            backing=device.VirtualDisk.RawDiskMappingVer1BackingInfo(
                fileName=path,
                deviceName=path,
                lunUuid=path,
                compatibilityMode="virtualMode",
                diskMode="persistent",
            ),
        ),
        device.VirtualDisk(
            key=2002,
            controllerKey=1000,
            unitNumber=2,
            capacityInKB=1024,
            vDiskId=vim.vslm.ID(id=path),
            backing=device.VirtualDisk.FlatVer2BackingInfo(
                fileName=path,
                diskMode="persistent",
                parent=device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent"),
            ),
        ),
        device.VirtualE1000(
            key=4001, backing=device.VirtualEthernetCard.LegacyNetworkBackingInfo(deviceName=path)
        ),
        device.VirtualSriovEthernetCard(key=4002, addressType="manual", macAddress="00:50:56:00:00:01"),
        device.VirtualVmxnet3(key=4003, addressType=path, macAddress=path, externalId=path),
    ]


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    path = draw(PATHS)
    devices = draw(st.lists(st.sampled_from(range(len(backings(path)))), unique=True))
    options = draw(st.lists(st.tuples(KEYS, VALUES), max_size=12))
    saved = given_vm.saved(
        given_vm.scsi(),
        given_vm.disk(datastore=draw(st.sampled_from(["ds1", "forged", "ds1] ../.."]))),
        *(backings(path)[at] for at in devices),
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in options],
        files=vim.vm.FileInfo(
            vmPathName=path,
            snapshotDirectory=path,
            suspendDirectory=path,
            logDirectory=path,
            ftMetadataDirectory=path,
        ),
        managedBy=vim.ext.ManagedByInfo(extensionKey="forged", type="forged"),
        keyId=vim.encryption.CryptoKeyId(keyId="forged"),
        swapPlacement="forged" if draw(st.booleans()) else "inherit",
        vAppConfig=vim.vApp.VmConfigInfo(
            property=[vim.vApp.PropertyInfo(key=0, id="user-data", value=path)],
            ovfSection=[vim.vApp.OvfSectionInfo(type="forged", contents=path)],
            eula=[path],
            installBootRequired=True,
            installBootStopDelay=1,
        ),
        messageBusTunnelEnabled=True,
        cpuFeatureMask=[vim.host.CpuIdInfo(level=1, ecx=path, vendor=path)],
        latencySensitivity=vim.LatencySensitivity(level=path),
        sgxInfo=vim.vm.SgxInfo(epcSize=1, flcMode=path, lePubKeyHash=path),
        cpuAllocation=vim.ResourceAllocationInfo(shares=vim.SharesInfo(shares=1, level=path)),
        version=draw(st.sampled_from(["vmx-19", "vmx-99", path])),
    )
    document = json.loads(saved_vm.write(saved))
    for name in draw(st.lists(st.sampled_from(list(document)), max_size=1)):
        document[name] = draw(st.one_of(st.just(document[name]), PATHS))
    return json.dumps(document).encode()


SPEC_FIELDS = frozenset(
    {
        *("name", "files", "version", "uuid", "instanceUuid", "guestId", "alternateGuestName", "annotation"),
        *("numCPUs", "numCoresPerSocket", "memoryMB", "simultaneousThreads", "motherboardLayout"),
        *("virtualICH7MPresent", "virtualSMCPresent", "flags", "tools", "powerOpInfo", "bootOptions"),
        *("cpuAllocation", "memoryAllocation", "cpuFeatureMask", "vAppConfig", "extraConfig", "deviceChange"),
        *("consolePreferences", "rebootPowerOff", "vcpuConfig", "memoryHotAddEnabled", "cpuHotAddEnabled"),
        *("cpuHotRemoveEnabled", "latencySensitivity", "swapPlacement", "firmware", "maxMksConnections"),
        *("guestAutoLockEnabled", "memoryReservationLockedToMax", "nestedHVEnabled", "vPMCEnabled"),
        *("sevEnabled", "sgxInfo"),
    }
)
BACKINGS = (
    device.VirtualDisk.FlatVer2BackingInfo,
    device.VirtualCdrom.RemotePassthroughBackingInfo,
    device.VirtualFloppy.RemoteDeviceBackingInfo,
    device.VirtualSoundCard.DeviceBackingInfo,
    device.VirtualEthernetCard.NetworkBackingInfo,
)
FREE_TEXT = frozenset({"name", "annotation", "alternateGuestName", "guestId"})


def made_of(content: bytes) -> Rebuilt | None:
    try:
        saved = saved_vm.read(content)
    except ConfigurationUnreadable:
        return None
    disks = dict.fromkeys(origin_of(saved).disk_datastores, "ds9")
    here = host("esx", "ds9")
    networks = {"network-1": Network(name="VM Network", moid="network-1")}
    place = Place(
        folder="f",
        pool="p",
        host=type(here)(
            moid="h",
            name="esx",
            datacenter="d",
            root_pool="p",
            pools={},
            datastores=here.datastores,
            networks=networks,
        ),
        datastore="ds9",
        disk_datastores=disks,
    )
    result = rebuild(saved, place, VmPlacement(name="made"), NOBODY, "our-mark")
    finishing_spec(saved, result, [device.VirtualVideoCard(key=500, videoRamSizeInKB=1)], {})
    return result


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a data object, each with the name of its property."""
    if isinstance(value, VmomiSupport.DataObject):
        for prop in value._GetPropertyList():
            yield from texts(getattr(value, prop.name), prop.name)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, name)
    elif isinstance(value, str):
        yield name, value


@given(documents())
def test_only_what_is_on_the_lists_is_set(content: bytes) -> None:
    result = made_of(content)
    if result is None:
        return
    spec = result.spec
    unknown = [
        prop.name
        for prop in spec._GetPropertyList()
        if getattr(spec, prop.name) not in (None, []) and prop.name not in SPEC_FIELDS
    ]
    assert unknown == []
    for option in spec.extraConfig[:-1]:
        assert is_kept_setting(option.key, option.value)
    assert (spec.extraConfig[-1].key, spec.extraConfig[-1].value) == (MARK, "our-mark")
    assert spec.files.vmPathName == "[ds9]"
    for change in spec.deviceChange:
        backing = change.device.backing
        assert backing is None or type(backing) in BACKINGS
        if isinstance(change.device, device.VirtualDisk):
            assert backing.fileName == "[ds9]"
            assert (change.operation, change.fileOperation) == ("add", "create")
            assert backing.parent is None
        elif isinstance(backing, device.VirtualEthernetCard.NetworkBackingInfo):
            assert backing.network is not None
            assert backing.network._moId == "network-1"


@given(documents())
def test_no_path_of_the_forger_gets_into_the_new_vm(content: bytes) -> None:
    result = made_of(content)
    if result is None:
        return
    for name, text in texts(result.spec):
        assert name in FREE_TEXT or "forged" not in text, (name, text)
