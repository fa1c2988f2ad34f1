"""What a restore can choose among, and that the choice is what comes out."""

from app.domain.vms import VmPlacement, VmSummary
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog


def test_places_hold_every_host_with_its_datastores_and_networks(
    vsphere: VSphereHypervisor, target: Target
) -> None:
    places = vsphere.list_places()
    vms: list[VmSummary] = list(vsphere.list_vms())
    assert {vm.datacenter for vm in vms} <= set(places.datacenters)
    assert {vm.host for vm in vms} <= {host.name for host in places.hosts}
    for vm in vms:
        (host,) = [host for host in places.hosts if host.name == vm.host]
        assert host.datacenter == vm.datacenter
        assert set(vm.datastores) <= {store.name for store in host.datastores}
        assert host.networks
        for store in host.datastores:
            assert store.kind
            assert store.total_bytes is not None
            assert store.free_bytes is not None
            assert 0 <= store.free_bytes <= store.total_bytes or target.kind != "ours"


def test_saved_hardware_is_shown_and_another_can_be_asked_for(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vsphere.list_vms()[0].id, log=log)
    before = vsphere.saved_hardware(saved)
    assert before.adapters
    adapter = before.adapters[0]
    placement = VmPlacement(
        name="resized",
        cpus=before.cpus + 2,
        cores_per_socket=1,
        memory_mib=before.memory_mib * 2,
        adapter_addresses=((adapter.key, "00:50:56:12:34:56"),),
    )
    created = vsphere.create_vm(saved, placement, log=log)
    try:
        again = vsphere.saved_hardware(vsphere.save_configuration(created.id, log=log))
    finally:
        vsphere.destroy_vm(created.id)
    assert (again.cpus, again.cores_per_socket, again.memory_mib) == (before.cpus + 2, 1, before.memory_mib * 2)
    assert again.adapters[0].mac_address.lower() == "00:50:56:12:34:56"
    assert again.adapters[0].network == adapter.network
