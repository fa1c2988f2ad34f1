"""Saving a VM's configuration, and creating it again from that alone."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.domain.errors import VmCreationFailed
from app.domain.ids import VmId
from app.domain.vms import PowerState, SavedConfiguration, VmPlacement, VmSummary
from app.vsphere import messages, saved_vm
from app.vsphere.errors import ConfigurationUnreadable
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog


@pytest.fixture
def vm(vsphere: VSphereHypervisor) -> VmSummary:
    """A VM to save."""
    return vsphere.list_vms()[0]


@pytest.fixture
def saved(vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog) -> SavedConfiguration:
    """Its saved configuration."""
    return vsphere.save_configuration(vm.id, log=log)


@pytest.fixture
def cleanup(vsphere: VSphereHypervisor) -> Iterator[list[VmId]]:
    """VMs to delete after the test."""
    made: list[VmId] = []
    yield made
    for created in made:
        vsphere.destroy_vm(created)


def test_configuration_is_complete_json_that_reads_back(
    vsphere: VSphereHypervisor, vm: VmSummary, saved: SavedConfiguration
) -> None:
    document = json.loads(saved.files["config.json"])
    assert document["config"]["_vimtype"] == "vim.vm.ConfigInfo"
    read = saved_vm.read(saved.files["config.json"])
    assert read.config.instanceUuid == vm.instance_uuid
    assert (read.datacenter, read.folder, read.host) == (vm.datacenter, vm.folder, vm.host)
    assert saved_vm.write(read) == saved.files["config.json"]


def test_vmx_and_nvram_are_saved_with_it(saved: SavedConfiguration, target: Target) -> None:
    assert {"config.json", "vm.vmx"} <= set(saved.files)
    if target.kind == "ours":
        assert saved.missing == ()
        assert b"displayName" in saved.files["vm.vmx"]
    elif "vm.nvram" in saved.files:  # the newest one has it
        assert saved.missing == ()
    else:  # its layoutEx names the NVRAM outside of the VM's directory, where it is not
        assert [str(line).partition(":")[0] for line in saved.missing] == ["vm.nvram"]
        assert "404" in str(saved.missing[0])


def test_copy_gets_an_identity_of_its_own(
    vsphere: VSphereHypervisor,
    vm: VmSummary,
    saved: SavedConfiguration,
    log: RecordingTaskLog,
    cleanup: list[VmId],
) -> None:
    created = vsphere.create_vm(saved, VmPlacement(name="copy 100%", folder=vm.folder), log=log)
    cleanup.append(created.id)
    copy = vsphere.vm_details(created.id)
    assert copy.summary.name == "copy 100%"
    assert copy.summary.folder == vm.folder
    assert copy.summary.power_state is PowerState.OFF
    assert copy.summary.instance_uuid not in {None, vm.instance_uuid}
    assert copy.summary.bios_uuid not in {None, vm.bios_uuid}
    assert messages.VM_PLACED in log.kinds()


def test_disks_are_created_empty_and_matched_with_the_saved_ones(
    vsphere: VSphereHypervisor,
    vm: VmSummary,
    saved: SavedConfiguration,
    log: RecordingTaskLog,
    cleanup: list[VmId],
) -> None:
    created = vsphere.create_vm(saved, VmPlacement(name="empty"), log=log)
    cleanup.append(created.id)
    old = {disk.key: disk for disk in vsphere.vm_details(vm.id).disks}
    new = {disk.key: disk for disk in vsphere.vm_details(created.id).disks}
    assert {key for key, _ in created.disks} == set(old)
    for key, disk in created.disks:
        assert new[disk.key] == disk
        assert disk.capacity_bytes == old[key].capacity_bytes
        assert disk.path != old[key].path


def test_firmware_settings_are_there_before_the_first_start(
    vsphere: VSphereHypervisor, log: RecordingTaskLog, cleanup: list[VmId], target: Target
) -> None:
    if target.kind != "ours":
        pytest.skip("the Go simulator does not tell where the NVRAM is")
    vm = next(vm for vm in vsphere.list_vms() if vm.name == "db-01")
    saved = vsphere.save_configuration(vm.id, log=log)
    settings = saved.files["vm.nvram"] + b"Boot0000=debian"
    changed = replace(saved, files={**saved.files, "vm.nvram": settings})
    created = vsphere.create_vm(changed, VmPlacement(name="firmware"), log=log)
    cleanup.append(created.id)
    assert created.warnings == ()
    assert vsphere.save_configuration(created.id, log=log).files["vm.nvram"] == settings


def test_same_vm_again_keeps_its_identity(
    vsphere: VSphereHypervisor,
    log: RecordingTaskLog,
    cleanup: list[VmId],
) -> None:
    vm = vsphere.list_vms()[-1]
    saved = vsphere.save_configuration(vm.id, log=log)
    vsphere.power_off(vm.id)
    vsphere.destroy_vm(vm.id)
    placement = VmPlacement(name=vm.name, folder=vm.folder, keep_identity=True)
    again = vsphere.vm_details(vsphere.create_vm(saved, placement, log=log).id).summary
    assert (again.bios_uuid, again.instance_uuid) == (vm.bios_uuid, vm.instance_uuid)
    assert (again.name, again.folder, again.datastores) == (vm.name, vm.folder, vm.datastores)
    macs = [
        _macs(vsphere, configuration, log)
        for configuration in (saved, vsphere.save_configuration(again.id, log=log))
    ]
    assert macs[0] == macs[1] != []


def _macs(vsphere: VSphereHypervisor, saved: SavedConfiguration, log: RecordingTaskLog) -> list[str]:
    devices = saved_vm.read(saved.files["config.json"]).config.hardware.device
    return sorted(device.macAddress for device in devices if getattr(device, "macAddress", None))


def test_name_that_is_taken_is_refused_and_the_other_vm_stays(
    vsphere: VSphereHypervisor, vm: VmSummary, saved: SavedConfiguration, log: RecordingTaskLog
) -> None:
    before = vsphere.list_vms()
    with pytest.raises(VmCreationFailed, match="name"):
        vsphere.create_vm(saved, VmPlacement(name=vm.name, folder=vm.folder), log=log)
    assert vsphere.list_vms() == before


@pytest.mark.parametrize(
    "place",
    [
        VmPlacement(name="nowhere", datacenter="no such datacenter"),
        VmPlacement(name="nowhere", host="no-such-host"),
        VmPlacement(name="nowhere", datastore="no such datastore"),
    ],
)
def test_place_that_is_not_there_is_refused(
    vsphere: VSphereHypervisor, saved: SavedConfiguration, log: RecordingTaskLog, place: VmPlacement
) -> None:
    before = vsphere.list_vms()
    with pytest.raises(VmCreationFailed, match=r"no such|no-such"):
        vsphere.create_vm(saved, place, log=log)
    assert vsphere.list_vms() == before


def test_network_that_is_not_there_leaves_the_adapter_disconnected_and_says_so(
    vsphere: VSphereHypervisor, saved: SavedConfiguration, log: RecordingTaskLog, cleanup: list[VmId]
) -> None:
    read = saved_vm.read(saved.files["config.json"])
    names = dict.fromkeys([*read.networks, "dvportgroup-deleted"], "a network that was deleted")
    lost = replace(read, networks=names)
    for device in lost.config.hardware.device:
        if getattr(device, "macAddress", None) and hasattr(device.backing, "deviceName"):
            device.backing.network = None
            device.backing.deviceName = "a network that was deleted"
        elif getattr(device, "macAddress", None):
            device.backing.port.portgroupKey = "dvportgroup-deleted"
    files = {**saved.files, "config.json": saved_vm.write(lost)}
    created = vsphere.create_vm(replace(saved, files=files), VmPlacement(name="lonely"), log=log)
    cleanup.append(created.id)
    assert any("a network that was deleted" in warning for warning in map(str, created.warnings))
    devices = saved_vm.read(
        vsphere.save_configuration(created.id, log=log).files["config.json"]
    ).config.hardware.device
    cards = [device for device in devices if getattr(device, "macAddress", None)]
    assert cards
    assert not any(card.connectable.startConnected for card in cards)


def test_damaged_configuration_is_refused(vsphere: VSphereHypervisor, log: RecordingTaskLog) -> None:
    with pytest.raises(VmCreationFailed):
        vsphere.create_vm(SavedConfiguration(files={"config.json": b"{}"}), VmPlacement(name="x"), log=log)
    with pytest.raises(ConfigurationUnreadable):
        saved_vm.read(b"\xff")
