"""A saved VM as the specification that creates it again."""

from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.offer import Network, NetworkKind
from app.vsphere.placement import Place
from app.vsphere.rebuild import MARK, Identity, Rebuilt, finishing_spec, origin_of, rebuild
from app.vsphere.rebuild_devices import DiskSlot, slots_of
from app.vsphere.saved_vm import SavedVm
from app.vsphere.settings_allowed import is_kept_setting
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.test_placement import host

device = vim.vm.device
NETWORKS = {
    "VM Network": Network(name="VM Network", moid="network-9"),
    "Prod": Network(
        name="Prod", moid="dvportgroup-5", kind=NetworkKind.DISTRIBUTED, key="dvportgroup-5", switch="50 1a"
    ),
    "Overlay": Network(
        name="Overlay", moid="network-o1", kind=NetworkKind.OPAQUE, key="ls-1", switch="nsx.LogicalSwitch"
    ),
}
WHOLE = Identity(uuid="uuid", instance_uuid="instance", taken_mac_addresses=frozenset())


def rebuilt(
    saved: SavedVm,
    *,
    identity: Identity = WHOLE,
    networks: tuple[tuple[str, str], ...] = (),
    wanted: VmPlacement | None = None,
) -> Rebuilt:
    disks = {item.key: "ds9" for item in saved.config.hardware.device if isinstance(item, device.VirtualDisk)}
    esx = host("esx01", "ds1", "ds9")
    place = Place(
        folder="folder",
        pool="pool",
        host=type(esx)(
            moid=esx.moid,
            name=esx.name,
            datacenter=esx.datacenter,
            root_pool=esx.root_pool,
            pools=esx.pools,
            datastores=esx.datastores,
            networks=NETWORKS,
        ),
        datastore="ds1",
        disk_datastores=disks,
    )
    return rebuild(saved, place, wanted or VmPlacement(name="web/02", networks=networks), identity, "the-mark")


def added(result: Rebuilt, kind: type[Any]) -> list[Any]:
    return [change.device for change in result.spec.deviceChange if isinstance(change.device, kind)]


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


def test_cpus_that_do_not_fill_the_saved_sockets_get_sockets_of_one_core() -> None:
    spec = rebuilt(given.saved(), wanted=VmPlacement(name="web", cpus=3)).spec
    assert (spec.numCPUs, spec.numCoresPerSocket) == (3, 1)


@pytest.mark.parametrize(
    ("asked", "made"), [("00:50:56:AA:BB:CC", ("00:50:56:aa:bb:cc", "manual")), ("", (None, "generated"))]
)
def test_single_adapter_gets_the_address_and_the_network_that_were_asked_for(
    asked: str, made: tuple[str | None, str]
) -> None:
    saved = given.saved()
    (key,) = [item.key for item in saved.config.hardware.device if isinstance(item, device.VirtualEthernetCard)]
    wanted = VmPlacement(name="web", adapter_addresses=((key, asked),), adapter_networks=((key, "Prod"),))
    result = rebuilt(saved, wanted=wanted)
    (card,) = added(result, device.VirtualEthernetCard)
    assert (card.macAddress, card.addressType) == made
    assert isinstance(card.backing, device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
    assert result.mac_addresses == ((asked.lower(),) if asked else ())


# ---- networks --------------------------------------------------------------------------------------------------


def test_adapter_finds_its_network_by_name() -> None:
    (card,) = added(rebuilt(given.saved()), device.VirtualEthernetCard)
    assert card.backing.deviceName == "VM Network"
    assert card.backing.network._moId == "network-9"
    assert card.connectable.startConnected


@pytest.mark.parametrize(
    ("target", "backing"),
    [
        ("Prod", device.VirtualEthernetCard.DistributedVirtualPortBackingInfo),
        ("Overlay", device.VirtualEthernetCard.OpaqueNetworkBackingInfo),
    ],
)
def test_network_can_be_exchanged_for_one_of_another_kind(target: str, backing: type[Any]) -> None:
    result = rebuilt(given.saved(), networks=(("VM Network", target),))
    (card,) = added(result, device.VirtualEthernetCard)
    assert isinstance(card.backing, backing)
    assert result.warnings == ()


def test_distributed_adapter_is_recognized_by_its_port_group() -> None:
    port = vim.dvs.PortConnection(portgroupKey="network-7", switchUuid="gone")
    card = given.card(backing=device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port))
    (made,) = added(rebuilt(given.saved(card)), device.VirtualEthernetCard)
    assert made.backing.deviceName == "VM Network"


def test_unknown_network_leaves_the_adapter_disconnected_and_that_is_said() -> None:
    saved = given.saved(
        given.card(network="Gone", backing=device.VirtualEthernetCard.NetworkBackingInfo(deviceName="Gone"))
    )
    result = rebuilt(saved)
    (card,) = added(result, device.VirtualEthernetCard)
    assert not card.connectable.startConnected
    assert any("Gone" in warning and "Network adapter 1" in warning for warning in map(str, result.warnings))


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


# ---- networks of one name --------------------------------------------------------------------------------------


def two_of_one_name() -> dict[str, Network]:
    return {
        f"dvportgroup-{number}": Network(
            name="Prod",
            moid=f"dvportgroup-{number}",
            kind=NetworkKind.DISTRIBUTED,
            key=f"dvportgroup-{number}",
            switch=f"50 {number}",
            switch_name=f"Switch {number}",
        )
        for number in (1, 2)
    }


def connected(backing: Any, names: dict[str, str], **place: Any) -> tuple[Any, Rebuilt]:
    saved = given.saved(given.card(backing=backing))
    here = host("esx01", "ds1", networks=two_of_one_name())
    at = Place(folder="f", pool="p", host=here, datastore="ds1", disk_datastores={}, **place)
    result = rebuild(replace(saved, networks=names), at, VmPlacement(name="web"), WHOLE, "mark")
    return added(result, device.VirtualEthernetCard)[0], result


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("saved_name", ["Prod", "before it was renamed"])
def test_port_group_of_two_with_one_name_is_known_by_its_key(number: int, saved_name: str) -> None:
    port = vim.dvs.PortConnection(portgroupKey=f"dvportgroup-{number}", switchUuid=f"50 {number}")
    backing = device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    card, result = connected(backing, {f"dvportgroup-{number}": saved_name})
    assert card.backing.port.portgroupKey == f"dvportgroup-{number}"
    assert card.connectable.startConnected
    assert not any("network" in warning.lower() for warning in map(str, result.warnings))


def test_port_group_of_another_switch_with_the_same_key_is_another() -> None:
    port = vim.dvs.PortConnection(portgroupKey="dvportgroup-1", switchUuid="of another vCenter")
    backing = device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    card, result = connected(backing, {"dvportgroup-1": "Prod"})
    assert not card.connectable.startConnected
    (warning,) = [text for text in map(str, result.warnings) if "Prod" in text]
    assert "Switch 1/Prod (dvportgroup-1)" in warning
    assert "Switch 2/Prod (dvportgroup-2)" in warning


def test_standard_network_that_was_renamed_is_known_by_its_id_on_its_own_platform() -> None:
    backing = device.VirtualEthernetCard.NetworkBackingInfo(deviceName="Old", network=vim.Network("dvportgroup-2"))
    card, _ = connected(backing, {"dvportgroup-2": "Old"}, same_platform=True)
    assert card.connectable.startConnected
    for same_platform in (None, False):
        card, _ = connected(backing, {"dvportgroup-2": "Old"}, same_platform=same_platform)
        assert not card.connectable.startConnected


def test_network_asked_for_by_a_name_that_several_have_is_not_guessed() -> None:
    saved = given.saved()
    here = host("esx01", "ds1", networks=two_of_one_name())
    at = Place(folder="f", pool="p", host=here, datastore="ds1", disk_datastores={2000: "ds1"})
    for asked, connects in (("Prod", False), ("dvportgroup-2", True), ("Switch 2/Prod", True)):
        wanted = VmPlacement(name="web", networks=(("VM Network", asked),))
        (card,) = added(rebuild(saved, at, wanted, WHOLE, "mark"), device.VirtualEthernetCard)
        assert card.connectable.startConnected is connects


def test_namesake_of_a_network_that_is_still_there_elsewhere_is_not_taken_for_it() -> None:
    own = Network(name="VM Network", moid="network-1")
    here = host("esx01", "ds1", networks={"network-2": Network(name="VM Network", moid="network-2")})
    at = Place(
        folder="f",
        pool="p",
        host=here,
        datastore="ds1",
        disk_datastores={},
        same_platform=True,
        other_networks=(own,),
    )
    backing = device.VirtualEthernetCard.NetworkBackingInfo(
        deviceName="VM Network", network=vim.Network("network-1")
    )
    saved = given.saved(given.card(backing=backing))
    result = rebuild(saved, at, VmPlacement(name="web"), WHOLE, "mark")
    assert not added(result, device.VirtualEthernetCard)[0].connectable.startConnected
    assert any("network-1" in warning and "network-2" in warning for warning in map(str, result.warnings))
