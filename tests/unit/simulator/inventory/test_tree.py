"""The tree of a vCenter and of a bare ESXi: who is where, and how folders behave."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.spec import Flavour, VmSpec
from tests.unit.simulator.inventory.conftest import SMALL
from tests.unit.simulator.vm.lab import VmLab, device, spec_of


def outline(entity: Any) -> Any:
    children = getattr(entity, "childEntity", None)
    return entity.name if children is None else {entity.name: [outline(child) for child in children]}


def test_a_vcenter_has_a_datacenter_with_folders_and_a_cluster(lab: VmLab) -> None:
    datacenter = lab.datacenter
    assert lab.si.content.rootFolder._moId == "group-d1"
    assert datacenter.name == "Shanghai"
    assert outline(datacenter.vmFolder) == {"vm": [{"Production": [{"Web": ["web-01"]}, "db-01"]}, "loose"]}
    cluster = datacenter.hostFolder.childEntity[0]
    assert isinstance(cluster, vim.ClusterComputeResource)
    assert [host.name for host in cluster.host] == ["esx01.lab", "esx02.lab"]
    assert cluster.summary.numHosts == 2
    assert lab.pool.owner == cluster
    assert [datastore.name for datastore in datacenter.datastore] == ["ds1", "nfs1"]
    assert [network.name for network in datacenter.networkFolder.childEntity] == [
        "VM Network", "Storage", "DSwitch", "dvPG",
    ]  # fmt: skip


def test_every_side_of_a_vm_agrees_where_it_is(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    host = vm.runtime.host
    assert host.name == "esx02.lab"
    assert vm in host.vm
    assert vm in lab.pool.vm
    assert vm in vm.datastore[0].vm
    assert vm in vm.network[0].vm
    assert vm.resourcePool == lab.pool
    assert vm.parent.name == "Web"
    assert vm.parent.parent.parent == lab.datacenter.vmFolder


def test_a_bare_host_has_the_ids_that_clients_know(tmp_path: Path) -> None:
    spec = spec_of(
        VmSpec(name="vm", disks=(SMALL,), folder=("ignored",)), flavour=Flavour.ESXI, hosts=("esx.lab",)
    )
    with VmLab(tmp_path, spec) as lab:
        content, datacenter = lab.si.content, lab.datacenter
        compute = datacenter.hostFolder.childEntity[0]
        places = [content.rootFolder, datacenter, datacenter.vmFolder, datacenter.hostFolder, compute]
        places += [datacenter.datastoreFolder, datacenter.networkFolder, compute.resourcePool, compute.host[0]]
        ids = [place._moId for place in places]
        assert ids == [
            "ha-folder-root", "ha-datacenter", "ha-folder-vm", "ha-folder-host", "ha-compute-res",
            "ha-folder-datastore", "ha-folder-network", "ha-root-pool", "ha-host",
        ]  # fmt: skip
        assert (datacenter.name, compute.name) == ("ha-datacenter", "esx.lab")
        vm = lab.vm("vm")
        assert vm.parent == datacenter.vmFolder
        assert vm._moId.isdecimal()
        assert lab.snapshot(vm)._moId == f"{vm._moId}-snapshot-1"
        assert datacenter.network[0]._moId == "HaNetwork-VM Network"
        assert device(vm, vim.vm.device.VirtualVmxnet3).addressType == "generated"


def test_the_host_tells_what_it_is(lab: VmLab) -> None:
    host = lab.vm("web-01").runtime.host
    assert host.summary.config.product.version == "8.0.3"
    assert host.summary.config.sslThumbprint == lab.sim.world.host_thumbprint_sha1
    assert host.runtime.connectionState == "connected"
    assert [datastore.name for datastore in host.datastore] == ["ds1", "nfs1"]
    assert host.hardware.cpuInfo.numCpuCores == host.summary.hardware.numCpuCores


def test_datastores_tell_kind_space_and_hosts(lab: VmLab) -> None:
    vmfs, nfs = lab.datacenter.datastore
    assert isinstance(vmfs.info, vim.host.VmfsDatastoreInfo)
    assert isinstance(nfs.info, vim.host.NasDatastoreInfo)
    assert (nfs.summary.type, nfs.summary.capacity) == ("NFS", 64 << 20)
    assert [mount.key.name for mount in vmfs.host] == ["esx01.lab", "esx02.lab"]
    before = nfs.summary.freeSpace
    lab.leaf("loose").write(0, bytes(1 << 20))
    assert before - nfs.summary.freeSpace == 1 << 20
    lab.sim.faults.fill_datastore("nfs1")
    assert nfs.summary.freeSpace == 0


def test_a_card_on_a_distributed_switch_names_its_port_group(lab: VmLab) -> None:
    port = device(lab.vm("db-01"), vim.vm.device.VirtualVmxnet3).backing.port
    group = lab.vm("db-01").network[0]
    assert (group.name, group.key) == ("dvPG", port.portgroupKey)
    assert group.config.distributedVirtualSwitch.uuid == port.switchUuid
    backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
        port=vim.dvs.PortConnection(switchUuid="wrong", portgroupKey=group.key)
    )
    card = vim.vm.device.VirtualVmxnet3(key=-1, backing=backing)
    change = vim.vm.device.VirtualDeviceSpec(operation="add", device=card)
    with lab.refused(vim.fault.InvalidDeviceBacking):
        lab.reconfigure(lab.vm("loose"), change)
    backing.port.switchUuid = port.switchUuid
    lab.reconfigure(lab.vm("loose"), change)
    assert [network.name for network in lab.vm("loose").network] == ["VM Network", "dvPG"]


# ---- folders ---------------------------------------------------------------------------------------------


def test_folders_are_made_renamed_and_deleted(lab: VmLab) -> None:
    top = lab.datacenter.vmFolder
    folder = top.CreateFolder("Lab/Test")
    assert folder.name == "Lab%2fTest"
    with lab.refused(vim.fault.DuplicateName):
        top.CreateFolder("Lab%2fTest")
    with lab.refused(vim.fault.InvalidName):
        top.CreateFolder("")
    lab.run(folder.Rename_Task("Lab"))
    assert folder.name == "Lab"
    lab.run(folder.Destroy_Task())
    assert "Lab" not in [child.name for child in top.childEntity]


def test_a_folder_with_something_in_it_is_not_deleted(lab: VmLab) -> None:
    folder = lab.vm("web-01").parent
    with lab.refused(vim.fault.InvalidState):
        lab.run(folder.Destroy_Task())


def test_vms_move_between_folders_but_never_into_nonsense(lab: VmLab) -> None:
    top = lab.datacenter.vmFolder
    production = lab.vm("db-01").parent
    lab.run(top.MoveIntoFolder_Task([lab.vm("db-01")]))
    assert lab.vm("db-01").parent == top
    with lab.refused(vim.fault.InvalidFolder):
        lab.run(lab.vm("web-01").parent.MoveIntoFolder_Task([production]))
    with lab.refused(vmodl.fault.NotSupported):
        lab.run(lab.datacenter.hostFolder.MoveIntoFolder_Task([lab.vm("db-01")]))


def test_vms_are_created_in_vm_folders_only(lab: VmLab) -> None:
    with lab.refused(vmodl.fault.NotSupported):
        lab.datacenter.datastoreFolder.CreateVM_Task(vim.vm.ConfigSpec(name="x"), lab.pool, None)


def test_two_vms_of_one_name_in_one_folder_are_no_inventory(tmp_path: Path) -> None:
    twin = VmSpec(name="twin", disks=())
    with pytest.raises(ValueError, match="same name"), VmLab(tmp_path, spec_of(twin, twin)):
        pass
    apart = VmSpec(name="twin", disks=(), folder=("Other",))
    with VmLab(tmp_path / "apart", spec_of(twin, apart)) as lab:
        paths = {machine.config.files.vmPathName for machine in lab.sim.world.inventory.vms.values()}
        assert paths == {"[ds1] twin/twin.vmx", "[ds1] twin_1/twin_1.vmx"}
