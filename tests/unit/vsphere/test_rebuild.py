"""A saved VM as the specification that creates it again."""

import pytest
from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.rebuild import MARK, Identity, finishing_spec, origin_of
from app.vsphere.rebuild_devices import DiskSlot, slots_of
from app.vsphere.settings_allowed import is_kept_setting
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.rebuilding import added, device, rebuilt


def test_hardware_and_settings_are_taken_over() -> None:
    spec = rebuilt(given.saved()).spec
    assert spec.name == "web%2f02"
    assert spec.files.vmPathName == "[ds1]"
    assert (spec.numCPUs, spec.numCoresPerSocket, spec.memoryMB) == (4, 2, 8192)
    assert (spec.version, spec.guestId, spec.firmware) == ("vmx-19", "debian12_64Guest", "efi")
    assert spec.annotation == "the web server"
    assert spec.bootOptions.efiSecureBootEnabled
    assert spec.bootOptions.bootDelay == 5000
    assert spec.flags.diskUuidEnabled
    assert spec.tools.afterPowerOn


def test_what_only_the_platform_may_set_is_left_out() -> None:
    spec = rebuilt(given.saved()).spec
    assert spec.flags.faultToleranceType is None
    assert spec.tools.toolsVersion is None
    assert spec.tools.pendingCustomization is None
    assert spec.changeVersion is None


def test_default_devices_are_left_out_and_new_ones_have_negative_keys() -> None:
    result = rebuilt(given.saved())
    kinds = [type(change.device) for change in result.spec.deviceChange]
    assert kinds == [device.ParaVirtualSCSIController, device.VirtualDisk, device.VirtualVmxnet3]
    keys = [change.device.key for change in result.spec.deviceChange]
    assert all(key < 0 for key in keys)
    assert len(set(keys)) == len(keys)
    assert all(change.operation == "add" for change in result.spec.deviceChange)


def test_disks_are_created_empty_on_their_controllers() -> None:
    result = rebuilt(
        given.saved(given.scsi(), given.scsi(1001, 1), given.disk(), given.disk(2016, controller=1001))
    )
    buses = {controller.key: controller.busNumber for controller in added(result, device.VirtualSCSIController)}
    disks = added(result, device.VirtualDisk)
    assert [buses[disk.controllerKey] for disk in disks] == [0, 1]
    assert [disk.backing.fileName for disk in disks] == ["[ds9]", "[ds9]"]
    assert all(disk.backing.changeId is None and disk.backing.parent is None for disk in disks)
    creations = [change.fileOperation for change in result.spec.deviceChange]
    assert creations == [None, None, "create", "create"]
    family = device.VirtualSCSIController.__name__
    assert result.disks == {2000: DiskSlot(family, 0, 0), 2016: DiskSlot(family, 1, 0)}


def test_disk_keeps_its_provisioning() -> None:
    thick = given.disk(2001, unit=1, thinProvisioned=False, eagerlyScrub=True, mib=1024)
    result = rebuilt(given.saved(given.scsi(), given.disk(), thick))
    first, second = (disk.backing for disk in added(result, device.VirtualDisk))
    assert (first.thinProvisioned, first.eagerlyScrub) == (True, None)
    assert (second.thinProvisioned, second.eagerlyScrub) == (False, True)
    assert result.eager_bytes == 1024 * given.MIB


def test_disk_on_a_default_controller_stays_there() -> None:
    result = rebuilt(given.saved(given.disk(3000, controller=200)))
    (disk,) = added(result, device.VirtualDisk)
    assert disk.controllerKey == 200
    assert list(result.disks) == [3000]


def test_disk_that_was_no_part_of_the_backup_is_created_empty_and_that_is_said() -> None:
    result = rebuilt(given.saved(given.scsi(), given.disk(2001, unit=1, diskMode="independent_persistent")))
    assert added(result, device.VirtualDisk)[0].backing.diskMode == "independent_persistent"
    assert any("Hard disk 2" in warning and "created empty" in warning for warning in map(str, result.warnings))


def test_shared_bus_is_not_shared_any_more_and_that_is_said() -> None:
    result = rebuilt(given.saved(given.scsi(shared="physicalSharing"), given.disk()))
    assert added(result, device.VirtualSCSIController)[0].sharedBus == "noSharing"
    assert any("no longer shared" in warning for warning in map(str, result.warnings))


def test_raw_device_becomes_an_ordinary_disk_and_that_is_said() -> None:
    raw = given.disk()
    raw.backing = device.VirtualDisk.RawDiskMappingVer1BackingInfo(
        fileName="[ds1] web-01/rdm.vmdk", compatibilityMode="virtualMode", diskMode="persistent"
    )
    result = rebuilt(given.saved(given.scsi(), raw))
    assert isinstance(added(result, device.VirtualDisk)[0].backing, device.VirtualDisk.FlatVer2BackingInfo)
    assert any("raw device" in warning for warning in map(str, result.warnings))


def test_a_storage_policy_is_not_asked_for_and_what_it_did_is_said() -> None:
    filtered, stored = given.disk(), given.disk(2001, unit=1)
    filtered.iofilter = ["VMW_vmwarecache_1.0.0"]
    stored.backing.backingObjectId = "52a1-object"
    result = rebuilt(given.saved(given.scsi(), filtered, stored, given.disk(2002, unit=2)))
    assert not result.spec.vmProfile
    assert not any(change.profile for change in result.spec.deviceChange)
    assert not any(disk.iofilter or disk.backing.backingObjectId for disk in added(result, device.VirtualDisk))
    warnings = [str(warning) for warning in result.warnings]
    assert any("VMW_vmwarecache_1.0.0" in warning for warning in warnings)
    [policy] = [warning for warning in warnings if warning.startswith("A storage policy")]
    assert "Hard disk 1, Hard disk 2 were" in policy


def test_nothing_is_said_of_policies_where_nothing_shows_that_there_was_one() -> None:
    result = rebuilt(given.saved(given.scsi(), given.disk()))
    assert not any("policy" in str(warning) for warning in result.warnings)


def test_disk_without_a_place_is_left_out_and_that_is_said() -> None:
    result = rebuilt(given.saved(given.disk(controller=7777)))
    assert not added(result, device.VirtualDisk)
    assert any("left out" in warning for warning in map(str, result.warnings))


# ---- identity --------------------------------------------------------------------------------------------------


def test_same_vm_keeps_uuids_and_mac_addresses() -> None:
    result = rebuilt(given.saved())
    assert (result.spec.uuid, result.spec.instanceUuid) == ("uuid", "instance")
    (card,) = added(result, device.VirtualEthernetCard)
    assert (card.macAddress, card.addressType) == ("00:50:56:81:00:01", "assigned")
    assert result.mac_addresses == ("00:50:56:81:00:01",)
    assert added(result, device.VirtualDisk)[0].backing.uuid == "6000C29a-0000-0000-0000-000000002000"


def test_copy_drops_what_is_taken() -> None:
    taken = frozenset({"00:50:56:81:00:01"})
    result = rebuilt(given.saved(), identity=Identity(uuid=None, instance_uuid=None, taken_mac_addresses=taken))
    assert (result.spec.uuid, result.spec.instanceUuid) == (None, None)
    (card,) = added(result, device.VirtualEthernetCard)
    assert (card.macAddress, card.addressType) == (None, "generated")
    assert result.mac_addresses == ()
    assert added(result, device.VirtualDisk)[0].backing.uuid is None


def test_wanted_hardware_goes_before_the_saved() -> None:
    wanted = VmPlacement(name="web", cpus=6, cores_per_socket=3, memory_mib=2048)
    spec = rebuilt(given.saved(), wanted=wanted).spec
    assert (spec.numCPUs, spec.numCoresPerSocket, spec.memoryMB) == (6, 3, 2048)


def test_a_vm_that_gets_less_reserves_no_more_than_that() -> None:
    saved = given.saved()
    saved.config.memoryAllocation = vim.ResourceAllocationInfo(reservation=8192)
    saved.config.cpuAllocation = vim.ResourceAllocationInfo(reservation=4000)
    spec = rebuilt(saved, wanted=VmPlacement(name="web", cpus=1, memory_mib=2048)).spec
    assert (spec.memoryAllocation.reservation, spec.cpuAllocation.reservation) == (2048, 1000)
    spec = rebuilt(saved).spec
    assert (spec.memoryAllocation.reservation, spec.cpuAllocation.reservation) == (8192, 4000)


def test_cpus_that_do_not_fill_the_saved_sockets_get_sockets_of_one_core() -> None:
    spec = rebuilt(given.saved(), wanted=VmPlacement(name="web", cpus=3)).spec
    assert (spec.numCPUs, spec.numCoresPerSocket) == (3, 1)


# ---- other devices ---------------------------------------------------------------------------------------------


def test_cd_drive_is_kept_without_its_disc_and_that_is_said() -> None:
    drive = device.VirtualCdrom(
        key=3000,
        deviceInfo=vim.Description(label="CD/DVD drive 1", summary="ISO"),
        backing=device.VirtualCdrom.IsoBackingInfo(fileName="[ds1] iso/debian.iso"),
        connectable=device.VirtualDevice.ConnectInfo(startConnected=True, allowGuestControl=True, connected=True),
        controllerKey=200,
        unitNumber=0,
    )
    result = rebuilt(given.saved(drive))
    (made,) = added(result, device.VirtualCdrom)
    assert isinstance(made.backing, device.VirtualCdrom.RemotePassthroughBackingInfo)
    assert not made.connectable.startConnected
    assert made.controllerKey == 200
    assert any("debian.iso" in warning for warning in map(str, result.warnings))


def test_device_of_the_old_host_is_left_out_and_that_is_said() -> None:
    passthrough = device.VirtualPCIPassthrough(
        key=13000, deviceInfo=vim.Description(label="PCI device 0", summary="")
    )
    result = rebuilt(given.saved(passthrough))
    assert result.spec.deviceChange == []
    assert any("PCI device 0" in warning for warning in map(str, result.warnings))


def test_encryption_and_foreign_management_are_lost_and_that_is_said() -> None:
    key = vim.encryption.CryptoKeyId(keyId="k")
    owner = vim.ext.ManagedByInfo(extensionKey="com.example", type="vm")
    warnings = " ".join(map(str, rebuilt(given.saved(keyId=key, managedBy=owner)).warnings))
    assert "encrypted" in warnings
    assert "com.example" in warnings


# ---- extraConfig -----------------------------------------------------------------------------------------------


def test_settings_of_the_machine_stay_and_those_of_its_place_go() -> None:
    kept = {option.key: option.value for option in rebuilt(given.saved()).spec.extraConfig}
    assert kept == {"svga.present": "TRUE", "guestinfo.role": "web", "disk.EnableUUID": "TRUE", MARK: "the-mark"}


@pytest.mark.parametrize(
    "key", ["uuid.location", "scsi0:0.fileName", "migrate.hostLog", "nvram", "ethernet0.address"]
)
def test_setting_that_is_not_known_to_be_harmless_goes(key: str) -> None:
    assert not is_kept_setting(key)


def test_vapp_properties_are_added_again() -> None:
    info = vim.vApp.PropertyInfo(key=0, id="ip", value="10.0.0.1")
    vapp = vim.vApp.VmConfigInfo(
        property=[info],
        installBootRequired=False,
        installBootStopDelay=0,
        ovfEnvironmentTransport=["com.vmware.guestInfo"],
    )
    spec = rebuilt(given.saved(vAppConfig=vapp)).spec.vAppConfig
    assert [(item.operation, item.info.id) for item in spec.property] == [("add", "ip")]
    assert spec.ovfEnvironmentTransport == ["com.vmware.guestInfo"]


# ---- before and after -----------------------------------------------------------------------------------------


def test_origin_is_read_from_the_configuration() -> None:
    origin = origin_of(given.saved(given.scsi(), given.disk(), given.disk(2001, unit=1, datastore="ds2")))
    assert (origin.datacenter, origin.host, origin.datastore) == ("Shanghai", "esx01.lab", "ds1")
    assert origin.disk_datastores == {2000: "ds1", 2001: "ds2"}


def test_disks_are_found_again_by_where_they_hang() -> None:
    found = slots_of([given.scsi(1003), given.disk(2048, controller=1003)])
    assert {slot: disk.key for slot, disk in found.items()} == {
        DiskSlot(device.VirtualSCSIController.__name__, 0, 0): 2048
    }


def test_boot_order_and_video_card_are_set_afterwards() -> None:
    boot = vim.vm.BootOptions(
        efiSecureBootEnabled=True,
        bootOrder=[
            vim.vm.BootOptions.BootableDiskDevice(deviceKey=2000),
            vim.vm.BootOptions.BootableEthernetDevice(deviceKey=4000),
            vim.vm.BootOptions.BootableDiskDevice(deviceKey=5555),
        ],
    )
    saved = given.saved(bootOptions=boot)
    new = [device.VirtualVideoCard(key=500, videoRamSizeInKB=4096), given.card(4001)]
    spec = finishing_spec(saved, rebuilt(saved), new, {2000: 2099})
    assert [entry.deviceKey for entry in spec.bootOptions.bootOrder] == [2099, 4001]
    assert spec.bootOptions.efiSecureBootEnabled
    (change,) = spec.deviceChange
    assert (change.operation, change.device.key, change.device.videoRamSizeInKB) == ("edit", 500, 16384)


def test_nothing_is_set_afterwards_where_nothing_differs() -> None:
    saved = given.saved()
    new = [device.VirtualVideoCard(key=500, videoRamSizeInKB=16384)]
    assert finishing_spec(saved, rebuilt(saved), new, {}) is None


def test_saved_configuration_is_not_changed_by_rebuilding_it() -> None:
    saved = given.saved()
    before = str(saved.config)
    rebuilt(saved)
    assert str(saved.config) == before
