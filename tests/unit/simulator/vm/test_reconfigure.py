"""ReconfigVM_Task and CreateVM_Task: devices come, change and go; what makes no sense is refused whole."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.unit.simulator.vm.lab import (
    KIB,
    MIB,
    DeviceSpec,
    VmLab,
    attached_disk,
    device,
    devices,
    disks,
    edit,
    new_card,
    new_controller,
    new_disk,
    removal,
)

_device = vim.vm.device


def places(vm: Any) -> list[tuple[int, int, int]]:
    return [(disk.key, disk.controllerKey, disk.unitNumber) for disk in disks(vm)]


# ---- creating --------------------------------------------------------------------------------------------


def test_a_new_vm_has_its_devices_files_and_identity(lab: VmLab) -> None:
    vm = lab.create(
        "fresh",
        new_controller(),
        new_disk(3 * MIB, unit=1),
        new_card(mac="00:50:56:AA:bb:01"),
        uuid="42000000-0000-4000-8000-000000000001",
        instanceUuid="50000000-0000-4000-8000-000000000002",
        firmware="efi",
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=True),
        annotation='two lines\nand "quotes" | bars',
        extraConfig=[vim.option.OptionValue(key="guestinfo.role", value="db")],
    )
    config = vm.config
    assert (vm.name, config.files.vmPathName) == ("fresh", "[ds1] fresh/fresh.vmx")
    assert config.uuid == "42000000-0000-4000-8000-000000000001"
    assert config.instanceUuid == "50000000-0000-4000-8000-000000000002"
    assert (config.firmware, config.bootOptions.efiSecureBootEnabled) == ("efi", True)
    assert "guestinfo.role" in {entry.key for entry in config.extraConfig}
    assert places(vm) == [(2001, 1000, 1)]
    disk = disks(vm)[0]
    assert (disk.capacityInBytes, disk.backing.fileName) == (3 * MIB, "[ds1] fresh/fresh.vmdk")
    assert (disk.backing.thinProvisioned, disk.backing.diskMode) == (True, "persistent")
    assert device(vm, _device.VirtualVmxnet3).macAddress == "00:50:56:aa:bb:01"
    assert lab.file("[ds1] fresh/fresh-flat.vmdk").stat().st_size == 3 * MIB
    assert lab.file("[ds1] fresh/fresh.nvram").stat().st_size == 270840
    text = lab.file("[ds1] fresh/fresh.vmx").read_text("utf-8")
    assert 'scsi0:1.fileName = "fresh.vmdk"' in text
    assert 'annotation = "two lines|0Aand |22quotes|22 |7C bars"' in text
    assert vm.runtime.powerState == "poweredOff"
    assert vm.parent == lab.datacenter.vmFolder


def test_every_vm_has_the_default_devices_linked_to_their_controllers(lab: VmLab) -> None:
    vm = lab.create("fresh", new_controller(), new_disk(), new_disk(), new_card())
    by_key = {device.key: device for device in vm.config.hardware.device}
    assert {100, 200, 201, 300, 400, 500, 600, 700, 12000} <= set(by_key)
    assert list(by_key[1000].device) == [2000, 2001]
    assert {500, 12000, 1000, 4000} <= set(by_key[100].device)
    assert list(by_key[300].device) == [600, 700]


def test_disks_get_names_of_their_own_and_skip_the_controllers_unit(lab: VmLab) -> None:
    vm = lab.create("fresh", new_controller(), *(new_disk(64 * KIB) for _ in range(9)))
    assert [unit for _, _, unit in places(vm)] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    names = [disk.backing.fileName.rpartition("/")[2] for disk in disks(vm)]
    assert names == ["fresh.vmdk", *(f"fresh_{number}.vmdk" for number in range(1, 9))]
    assert [disk.deviceInfo.label for disk in disks(vm)][:2] == ["Hard disk 1", "Hard disk 2"]


@pytest.mark.parametrize(
    ("controller", "first_key", "disk_key"),
    [
        (_device.VirtualLsiLogicSASController(key=-1, busNumber=1, sharedBus="noSharing"), 1001, 2016),
        (_device.VirtualAHCIController(key=-1, busNumber=0), 15000, 16000),
        (_device.VirtualNVMEController(key=-1, busNumber=2), 31002, 32030),
    ],
)
def test_controllers_of_every_kind_give_their_disks_fixed_keys(
    lab: VmLab, controller: Any, first_key: int, disk_key: int
) -> None:
    vm = lab.create("fresh", new_disk(), DeviceSpec(operation="add", device=controller))
    assert places(vm) == [(disk_key, first_key, 0)]
    assert isinstance(device(vm, type(controller)), type(controller))


def test_a_card_without_address_gets_one_of_the_servers_range(lab: VmLab) -> None:
    vm = lab.create("fresh", new_card(), new_card("Storage"))
    cards = devices(vm, _device.VirtualEthernetCard)
    assert [card.key for card in cards] == [4000, 4001]
    assert len({card.macAddress for card in cards}) == 2
    assert all(card.macAddress.startswith("00:50:56:") and card.addressType == "assigned" for card in cards)
    assert [network.name for network in vm.network] == ["VM Network", "Storage"]


def test_disks_may_lie_on_other_datastores_than_the_vm(lab: VmLab) -> None:
    vm = lab.create("fresh", new_controller(), new_disk(), new_disk(path="[ds2]"))
    assert [disk.backing.fileName for disk in disks(vm)] == ["[ds1] fresh/fresh.vmdk", "[ds2] fresh/fresh.vmdk"]
    assert sorted(datastore.name for datastore in vm.datastore) == ["ds1", "ds2"]


def test_a_name_that_is_taken_is_refused(lab: VmLab) -> None:
    with lab.refused(vim.fault.DuplicateName) as caught:
        lab.create("web-01")
    assert caught.value.object == lab.vm("web-01")


def test_a_directory_that_is_taken_is_not_used_twice(lab: VmLab) -> None:
    lab.file("[ds1] fresh").mkdir()
    assert lab.create("fresh").config.files.vmPathName == "[ds1] fresh_1/fresh_1.vmx"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"files": vim.vm.FileInfo(vmPathName="[nowhere]")}, vim.fault.InvalidDatastore),
        ({"files": vim.vm.FileInfo(vmPathName="no path")}, vim.fault.InvalidDatastorePath),
        ({"files": vim.vm.FileInfo(vmPathName="[ds1] ../../etc/x.vmx")}, vim.fault.InvalidDatastorePath),
        ({"files": vim.vm.FileInfo(vmPathName="[ds1] web-01/web-01.vmx")}, vim.fault.FileAlreadyExists),
        ({"firmware": "open"}, vmodl.fault.InvalidArgument),
        ({"numCoresPerSocket": 3}, vmodl.fault.InvalidArgument),
    ],
)
def test_a_vm_that_makes_no_sense_is_not_created(lab: VmLab, fields: dict[str, Any], fault: type[Any]) -> None:
    with lab.refused(fault):
        lab.create("fresh", **fields)
    assert not lab.file("[ds1] fresh").exists()


def test_a_vm_that_does_not_fit_leaves_nothing_behind(lab: VmLab) -> None:
    thick = new_disk(700 << 30, path="[ds2]")
    thick.device.backing.thinProvisioned = False
    with lab.refused(vim.fault.NoDiskSpace):
        lab.create("fresh", new_controller(), new_disk(), thick)
    assert not lab.file("[ds1] fresh/fresh.vmdk").exists()
    assert not any(lab.file("[ds2] fresh").glob("*"))
    assert [vm.name for vm in lab.datacenter.vmFolder.childEntity] == ["web-01", "archive-01"]


# ---- refusing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([new_disk(controller=-7)], vim.fault.MissingController),
        ([new_disk(controller=1001)], vim.fault.MissingController),
        ([new_disk(controller=1000, unit=0)], vim.fault.InvalidDeviceSpec),
        ([new_disk(controller=1000, unit=7)], vim.fault.InvalidDeviceSpec),
        ([new_disk(0, controller=1000)], vim.fault.InvalidDeviceSpec),
        ([new_controller(bus=0)], vim.fault.InvalidDeviceSpec),
        ([new_controller(bus=4)], vim.fault.InvalidDeviceSpec),
        ([new_card("No Such Network")], vim.fault.InvalidDeviceBacking),
        ([removal(_device.VirtualDisk(key=2099))], vim.fault.InvalidDeviceSpec),
        ([edit(_device.VirtualDisk(key=2099, capacityInKB=1))], vim.fault.InvalidDeviceSpec),
        (
            [removal(_device.VirtualSCSIController(key=1000, sharedBus="noSharing"))],
            vim.fault.InvalidDeviceOperation,
        ),
        ([removal(_device.VirtualKeyboard(key=600))], vim.fault.InvalidDeviceOperation),
        ([DeviceSpec(operation="add", device=_device.VirtualKeyboard(key=-1))], vim.fault.InvalidDeviceSpec),
        ([DeviceSpec(operation="add", device=_device.VirtualIDEController(key=200))], vim.fault.InvalidDeviceSpec),
        ([attached_disk("[ds1] web-01/nothing.vmdk")], vim.fault.FileNotFound),
        ([new_disk(controller=1000, path="[ds1] web-01/web-01.vmdk")], vim.fault.FileAlreadyExists),
        ([new_disk(controller=1000, path="[dsX] a/b.vmdk")], vim.fault.InvalidDatastore),
    ],
)
def test_a_device_change_that_makes_no_sense_is_refused(lab: VmLab, changes: list[Any], fault: type[Any]) -> None:
    vm = lab.vm("web-01")
    before = [device.key for device in vm.config.hardware.device]
    with lab.refused(fault):
        lab.reconfigure(vm, new_card(), *changes)
    assert [device.key for device in vm.config.hardware.device] == before


def test_the_refusal_names_the_change_that_is_wrong(lab: VmLab) -> None:
    with lab.refused(vim.fault.MissingController) as caught:
        lab.reconfigure(lab.vm("web-01"), new_card(), new_card(), new_disk(controller=-7))
    assert caught.value.deviceIndex == 2


# ---- changing --------------------------------------------------------------------------------------------


def test_a_disk_can_be_hot_added_and_written(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.reconfigure(vm, new_disk(2 * MIB, controller=1000))
    assert places(vm) == [(2000, 1000, 0), (2001, 1000, 1), (2002, 1000, 2)]
    lab.leaf("web-01", 2002).write(0, b"hot")
    assert lab.file("[ds1] web-01/web-01_2-flat.vmdk").read_bytes().startswith(b"hot")


def test_a_disk_can_be_detached_and_attached_to_another_vm(lab: VmLab) -> None:
    vm, other = lab.vm("web-01"), lab.vm("archive-01")
    lab.leaf("web-01", 2001).write(0, b"moving")
    disk = disks(vm)[1]
    path, uuid = disk.backing.fileName, disk.backing.uuid
    with lab.refused(vim.fault.FileLocked):
        lab.reconfigure(other, attached_disk(path))
    lab.reconfigure(vm, removal(disk))
    lab.reconfigure(other, attached_disk(path))
    added = disks(other)[1]
    assert (added.backing.fileName, added.backing.uuid, added.capacityInBytes) == (path, uuid, 4 * MIB)
    assert lab.leaf("archive-01", 2001).read(0, 6) == b"moving"


def test_a_removed_disk_is_destroyed_when_that_is_asked_for(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    kept, gone = disks(vm)
    lab.reconfigure(vm, removal(gone, destroy=True))
    assert not lab.file(gone.backing.fileName).exists()
    lab.reconfigure(vm, removal(kept))
    assert lab.file(kept.backing.fileName).exists()
    assert disks(vm) == []


def test_a_disk_that_a_snapshot_holds_is_not_destroyed(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.snapshot(vm)
    with lab.refused(vim.fault.InvalidDeviceOperation):
        lab.reconfigure(vm, removal(disks(vm)[0], destroy=True))


def test_a_disk_grows_but_never_shrinks(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    disk = disks(vm)[0]
    disk.capacityInKB, disk.capacityInBytes = 8 * 1024, 8 * MIB
    lab.reconfigure(vm, edit(disk))
    assert disks(vm)[0].capacityInBytes == 8 * MIB
    assert disks(vm)[0].deviceInfo.summary == "8,192 KB"
    disk.capacityInKB, disk.capacityInBytes = 1024, MIB
    with lab.refused(vim.fault.InvalidDeviceSpec):
        lab.reconfigure(vm, edit(disk))
    lab.snapshot(vm)
    disk = disks(vm)[0]
    disk.capacityInKB, disk.capacityInBytes = 16 * 1024, 16 * MIB
    with lab.refused(vim.fault.InvalidDeviceSpec):
        lab.reconfigure(vm, edit(disk))


def test_the_mode_of_a_disk_changes_while_the_vm_is_off_and_has_no_snapshots(lab: VmLab) -> None:
    running, off = lab.vm("web-01"), lab.vm("archive-01")
    for vm, allowed in ((running, False), (off, True)):
        disk = disks(vm)[0]
        disk.backing.diskMode = "independent_persistent"
        if allowed:
            lab.reconfigure(vm, edit(disk))
            assert disks(vm)[0].backing.diskMode == "independent_persistent"
        else:
            with lab.refused(vim.fault.InvalidDeviceOperation):
                lab.reconfigure(vm, edit(disk))


def test_a_card_moves_to_another_network(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    card = device(vm, _device.VirtualVmxnet3)
    assert card.connectable.connected
    card.backing = _device.VirtualEthernetCard.NetworkBackingInfo(deviceName="Storage")
    card.connectable.connected = False
    lab.reconfigure(vm, edit(card))
    moved = device(vm, _device.VirtualVmxnet3)
    assert (moved.backing.network.name, moved.connectable.connected) == ("Storage", False)
    assert [network.name for network in vm.network] == ["Storage"]


def test_the_video_card_of_a_new_vm_can_be_another_than_the_default(lab: VmLab) -> None:
    video = _device.VirtualVideoCard(key=-9, videoRamSizeInKB=16384)
    vm = lab.create("fresh", DeviceSpec(operation="add", device=video))
    cards = devices(vm, _device.VirtualVideoCard)
    assert [(card.key, card.videoRamSizeInKB) for card in cards] == [(500, 16384)]


def test_settings_are_merged_and_the_rest_stays(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    before = vm.config
    lab.reconfigure(
        vm,
        numCPUs=4,
        numCoresPerSocket=2,
        memoryMB=2048,
        guestId="ubuntu64Guest",
        flags=vim.vm.FlagInfo(diskUuidEnabled=False),
        extraConfig=[
            vim.option.OptionValue(key="a.b", value="1"),
            vim.option.OptionValue(key="svga.present", value=""),
        ],
    )
    config = vm.config
    hardware = config.hardware
    assert (hardware.numCPU, hardware.numCoresPerSocket, hardware.memoryMB) == (4, 2, 2048)
    assert config.guestFullName == "Ubuntu Linux (64-bit)"
    assert (config.flags.diskUuidEnabled, config.flags.enableLogging) == (False, before.flags.enableLogging)
    keys = {entry.key for entry in config.extraConfig}
    assert "a.b" in keys
    assert "svga.present" not in keys
    assert (config.uuid, config.instanceUuid) == (before.uuid, before.instanceUuid)
    assert vm.summary.config.numCpu == 4
    assert config.changeVersion != before.changeVersion


def test_a_change_based_on_an_old_version_is_refused(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    old = vm.config.changeVersion
    lab.reconfigure(vm, annotation="one", changeVersion=old)
    with lab.refused(vim.fault.ConcurrentAccess):
        lab.reconfigure(vm, annotation="two", changeVersion=old)


def test_what_a_running_vm_cannot_change_is_refused(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    with lab.refused(vim.fault.InvalidPowerState):
        lab.reconfigure(vm, memoryMB=2048)
    lab.reconfigure(lab.vm("archive-01"), memoryHotAddEnabled=True)
    lab.run(lab.vm("archive-01").PowerOnVM_Task())
    lab.reconfigure(lab.vm("archive-01"), memoryMB=2048)


def test_a_rename_reaches_every_place_but_the_files(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.run(vm.Rename_Task("a/b 100%"))
    assert vm.name == vm.config.name == vm.summary.config.name == "a%2fb 100%25"
    assert vm.config.files.vmPathName == "[ds1] web-01/web-01.vmx"
    assert 'displayName = "a%2fb 100%25"' in lab.file("[ds1] web-01/web-01.vmx").read_text("utf-8")
    with lab.refused(vim.fault.DuplicateName):
        lab.run(lab.vm("archive-01").Rename_Task("a%2Fb 100%25"))
    with lab.refused(vim.fault.DuplicateName):
        lab.reconfigure(vm, name="archive-01")
