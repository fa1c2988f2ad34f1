"""Reading: the inventory in one query, one VM in detail, and names that vSphere escapes."""

from collections import Counter

import pytest

from app.domain.errors import VmNotFound
from app.domain.ids import VmId
from app.domain.vms import PowerState
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import Target


def test_inventory_names_the_place_of_each_vm(vsphere: VSphereHypervisor) -> None:
    vms = vsphere.list_vms()
    assert len(vms) == 4
    for vm in vms:
        assert vm.name
        assert vm.host
        assert vm.datacenter
        assert vm.datastores
        assert vm.instance_uuid
        assert vm.bios_uuid
        assert vm.disk_bytes > 0
        assert not vm.is_template
    assert [vm.name for vm in vms] == sorted((vm.name for vm in vms), key=str.casefold)


def test_inventory_folders_leave_out_the_hidden_ones(vsphere: VSphereHypervisor, target: Target) -> None:
    folders = Counter(vm.folder for vm in vsphere.list_vms())
    if target.kind == "ours":
        assert folders == {("Production",): 1, ("Production", "Databases"): 1, (): 2}
    else:
        assert folders == {("F0",): 4}


def test_power_states_are_listed(vsphere: VSphereHypervisor, target: Target) -> None:
    states = Counter(vm.power_state for vm in vsphere.list_vms())
    assert states[PowerState.ON] == (3 if target.kind == "ours" else 4)


def test_details_agree_with_the_inventory(vsphere: VSphereHypervisor) -> None:
    for summary in vsphere.list_vms():
        details = vsphere.vm_details(summary.id)
        assert details.summary == summary
        assert sum(disk.capacity_bytes for disk in details.disks) == summary.disk_bytes
        assert len(details.snapshots) == summary.snapshot_count


def test_disks_are_named_by_key_and_path(vsphere: VSphereHypervisor) -> None:
    for summary in vsphere.list_vms():
        disks = vsphere.vm_details(summary.id).disks
        assert len({disk.key for disk in disks}) == len(disks) >= 1
        for disk in disks:
            assert disk.path.startswith("[")
            assert disk.path.endswith(".vmdk")
            assert disk.change_id is None
            assert not disk.is_delta


def test_disks_that_snapshots_leave_out_say_why(vsphere: VSphereHypervisor, target: Target) -> None:
    if target.kind != "ours":
        pytest.skip("the Go simulator has no such disks")
    odd = next(vm for vm in vsphere.list_vms() if vm.name == "odd-01")
    reasons = [disk.unsupported_reason for disk in vsphere.vm_details(odd.id).disks]
    assert reasons[0] is None
    assert "independent_persistent" in str(reasons[1])
    assert "VMs" in str(reasons[2])


def test_vm_that_is_gone_is_named(vsphere: VSphereHypervisor) -> None:
    with pytest.raises(VmNotFound, match="vm-does-not-exist"):
        vsphere.vm_details(VmId("vm-does-not-exist"))


def test_renamed_vm_keeps_signs_that_vsphere_escapes(vsphere: VSphereHypervisor) -> None:
    vm = vsphere.list_vms()[0]
    name = r"50% of a/b\c 磐备"
    vsphere.rename_vm(vm.id, name)
    try:
        assert vsphere.vm_details(vm.id).summary.name == name
    finally:
        vsphere.rename_vm(vm.id, vm.name)
    assert vsphere.vm_details(vm.id).summary == vm


def test_power_is_switched_and_switching_twice_is_fine(vsphere: VSphereHypervisor) -> None:
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.ON)
    for _ in range(2):
        vsphere.power_off(vm.id)
        assert vsphere.vm_details(vm.id).summary.power_state is PowerState.OFF
    for _ in range(2):
        vsphere.power_on(vm.id)
        assert vsphere.vm_details(vm.id).summary.power_state is PowerState.ON


def test_destroying_what_is_gone_is_fine(vsphere: VSphereHypervisor) -> None:
    vsphere.destroy_vm(VmId("vm-does-not-exist"))
