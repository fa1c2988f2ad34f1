"""Names that several objects have: datacenters ``Shanghai`` with a ``datastore [1]`` each, networks ``Prod``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import VmCreationFailed
from app.domain.extents import Extent
from app.domain.ids import VmId
from app.domain.vms import SavedConfiguration, VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DatacenterSpec, DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from app.transport.https import HttpsReader
from app.transport.options import TransportOptions
from app.vsphere import saved_vm
from app.vsphere.errors import DatastoreUnknown
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.unit.transport.opening import requests

LOCAL = "datastore [1]"
DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
SPEC = SimulatorSpec(
    datacenter="Shanghai",
    datacenter_folder=("A/1",),
    hosts=("esx01.lab", "esx02.lab"),
    host_versions=(("esx02.lab", "7.0.3"),),
    datastores=(DatastoreSpec(name=LOCAL), DatastoreSpec(name="ds2")),
    distributed_networks=("Prod", "Prod"),
    resource_pools=(("East",), ("West",), ("East", "Gold"), ("West", "Gold")),
    more_datacenters=(
        DatacenterSpec(
            name="Shanghai",
            folder=("B",),
            hosts=("esx11.lab",),
            datastores=(DatastoreSpec(name=LOCAL),),
        ),
    ),
    vms=(
        VmSpec(
            name="web",
            disks=(DISK,),
            folder=("Web",),
            networks=("DSwitch 2/Prod",),
            resource_pool=("West", "Gold"),
            host="esx01.lab",
            powered_on=False,
        ),
        VmSpec(name="web", disks=(DISK,), datacenter="B/Shanghai", folder=("Web",), powered_on=False),
        VmSpec(name="copy", disks=(DISK,), folder=("Other",), powered_on=False),
    ),
)


@contextmanager
def running(spec: SimulatorSpec, folder: Path) -> Iterator[tuple[VSphereSimulator, VSphereHypervisor]]:
    with VSphereSimulator(spec, folder) as simulator:
        platform = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(platform, simulator.password) as session:
            yield simulator, session


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[tuple[VSphereSimulator, VSphereHypervisor]]:
    with running(SPEC, tmp_path / "vc") as both:
        yield both


@pytest.fixture
def vsphere(platform: tuple[VSphereSimulator, VSphereHypervisor]) -> VSphereHypervisor:
    return platform[1]


@pytest.fixture
def log() -> RecordingTaskLog:
    return RecordingTaskLog()


def vm_in(vsphere: VSphereHypervisor, path: str, name: str = "web") -> VmSummary:
    (found,) = [vm for vm in vsphere.list_vms() if (vm.datacenter_path, vm.name) == (path, name)]
    return found


def test_inventory_distinguishes_datacenters_of_one_name(vsphere: VSphereHypervisor) -> None:
    first, second = vm_in(vsphere, "A/1/Shanghai"), vm_in(vsphere, "B/Shanghai")
    assert first.datacenter == second.datacenter == "Shanghai"
    assert first.datacenter_id != second.datacenter_id
    assert first.datastores == second.datastores == (LOCAL,)
    assert first.folder_id != second.folder_id
    for vm in (first, second):
        assert vsphere.vm_details(vm.id).summary == vm


def test_places_distinguish_datacenters_datastores_and_networks(vsphere: VSphereHypervisor) -> None:
    places = vsphere.list_places()
    assert [place.path for place in places.datacenter_places] == ["A/1/Shanghai", "B/Shanghai"]
    assert len({place.id for place in places.datacenter_places}) == 2
    local = {host.name: store.id for host in places.hosts for store in host.datastores if store.name == LOCAL}
    assert local["esx01.lab"] == local["esx02.lab"] != local["esx11.lab"]
    (host,) = [host for host in places.hosts if host.name == "esx01.lab"]
    assert [place.path for place in host.network_places if place.name == "Prod"] == [
        "DSwitch 2/Prod",
        "DSwitch/Prod",
    ]


@pytest.mark.parametrize("path", ["A/1/Shanghai", "B/Shanghai"])
def test_files_are_those_of_the_vms_own_datacenter(
    platform: tuple[VSphereSimulator, VSphereHypervisor], log: RecordingTaskLog, path: str
) -> None:
    simulator, vsphere = platform
    vm = vm_in(vsphere, path)
    saved = vsphere.save_configuration(vm.id, log=log)
    assert saved.missing == ()
    assert set(saved.files) == {"config.json", "vm.vmx", "vm.nvram"}
    machine = simulator.world.inventory.vms[vm.id]
    assert machine.config.uuid.replace("-", "")[:4] in saved.files["vm.vmx"].decode().replace(" ", "")


def test_datastore_without_a_vm_is_refused_with_the_datacenters_that_have_one(vsphere: VSphereHypervisor) -> None:
    https = vsphere.disk_access.https
    assert https is not None
    with pytest.raises(DatastoreUnknown, match="A/1/Shanghai, B/Shanghai"):
        https.https_file(f"[{LOCAL}] web/web.vmx")
    assert "dsName=ds2" in https.https_file("[ds2] web/web.vmx").target


@pytest.mark.parametrize("path", ["A/1/Shanghai", "B/Shanghai"])
def test_disk_is_read_over_https_from_the_vms_own_datacenter(
    platform: tuple[VSphereSimulator, VSphereHypervisor], log: RecordingTaskLog, path: str
) -> None:
    simulator, vsphere = platform
    vm = vm_in(vsphere, path)
    (disk,) = vsphere.vm_details(vm.id).disks
    machine = simulator.world.inventory.vms[vm.id]
    next(iter(machine.trees.values())).leaf.write(0, path.encode().ljust(512, b"."))
    address = DiskAddress(
        vm=vm.id, vm_name=vm.name, disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
    )
    files = vsphere.disk_access.https
    assert files is not None
    reader = HttpsReader(files, address, options=TransportOptions(), log=log, cancel=CancelToken())
    try:
        (found,) = reader.read_many(requests([Extent(0, 512)]))
    finally:
        reader.close()
    assert bytes(found.buffer) == path.encode().ljust(512, b".")


@pytest.mark.parametrize("path", ["A/1/Shanghai", "B/Shanghai"])
def test_vm_comes_back_to_its_datacenter_folder_pool_and_network(
    platform: tuple[VSphereSimulator, VSphereHypervisor], log: RecordingTaskLog, path: str
) -> None:
    simulator, vsphere = platform
    vm = vm_in(vsphere, path)
    saved = vsphere.save_configuration(vm.id, log=log)
    before = simulator.world.inventory.vms[vm.id]
    pool, networks = before.pool, before.read("network")
    vsphere.destroy_vm(vm.id)
    created = vsphere.create_vm(saved, VmPlacement(name="web", keep_identity=True), log=log)
    after = vm_in(vsphere, path)
    assert after.id == created.id
    assert (after.folder, after.folder_id, after.datastores) == (vm.folder, vm.folder_id, vm.datastores)
    machine = simulator.world.inventory.vms[created.id]
    assert machine.pool is pool
    assert machine.read("network") == networks
    assert created.warnings == ()
    assert vsphere.save_configuration(created.id, log=log).files["vm.nvram"] == saved.files["vm.nvram"]


def test_network_of_two_with_one_name_is_not_guessed_on_another_platform(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vm_in(vsphere, "A/1/Shanghai").id, log=log)
    foreign = elsewhere(saved)
    created = vsphere.create_vm(foreign, VmPlacement(name="foreign", datacenter="A/1/Shanghai"), log=log)
    (warning,) = [text for text in map(str, created.warnings) if "Prod" in text]
    assert "DSwitch/Prod" in warning
    assert "DSwitch 2/Prod" in warning
    assert "disconnected" in warning
    assert any("East/Gold, West/Gold" in text for text in map(str, created.warnings))


def elsewhere(saved: SavedConfiguration) -> SavedConfiguration:
    """What was saved, as if on another platform."""
    read = saved_vm.read(saved.files["config.json"])
    for card in read.config.hardware.device:
        if isinstance(card, vim.vm.device.VirtualEthernetCard):
            backing = card.backing
            assert isinstance(backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo)
            backing.port.switchUuid = "of another platform"
    foreign = replace(read, platform_instance="another", resource_pool_path="")
    return replace(saved, files={**saved.files, "config.json": saved_vm.write(foreign)})


def test_configuration_of_an_older_program_is_read(vsphere: VSphereHypervisor, log: RecordingTaskLog) -> None:
    saved = vsphere.save_configuration(vm_in(vsphere, "A/1/Shanghai").id, log=log)
    document = json.loads(saved.files["config.json"])
    del document["places"]
    old = replace(saved, files={**saved.files, "config.json": json.dumps(document).encode()})
    created = vsphere.create_vm(old, VmPlacement(name="old"), log=log)
    (found,) = [vm for vm in vsphere.list_vms() if vm.id == created.id]
    assert (found.datacenter_path, found.folder) == ("A/1/Shanghai", ("Web",))


def test_name_counts_only_in_the_folder_that_the_vm_goes_to(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vm_in(vsphere, "A/1/Shanghai").id, log=log)
    assert vsphere.plan_vm(saved, VmPlacement(name="web")).name_taken
    assert not vsphere.plan_vm(saved, VmPlacement(name="copy")).name_taken
    assert vsphere.plan_vm(saved, VmPlacement(name="copy", folder=("Other",))).name_taken
    made = vsphere.create_vm(saved, VmPlacement(name="copy"), log=log)
    assert vm_in_folder(vsphere, made.id) == ("Web",)


def vm_in_folder(vsphere: VSphereHypervisor, vm: VmId) -> tuple[str, ...]:
    return next(listed.folder for listed in vsphere.list_vms() if listed.id == vm)


def test_newer_hardware_version_is_lowered_on_an_older_host_and_planned_beforehand(
    platform: tuple[VSphereSimulator, VSphereHypervisor], log: RecordingTaskLog
) -> None:
    simulator, vsphere = platform
    saved = vsphere.save_configuration(vm_in(vsphere, "A/1/Shanghai").id, log=log)
    assert saved_vm.read(saved.files["config.json"]).config.version == "vmx-21"
    wanted = VmPlacement(name="lowered", host="esx02.lab")
    planned = vsphere.plan_vm(saved, wanted)
    assert any("vmx-21" in warning and "vmx-19" in warning for warning in map(str, planned.warnings))
    created = vsphere.create_vm(saved, wanted, log=log)
    assert simulator.world.inventory.vms[created.id].config.version == "vmx-19"
    assert any("vmx-19" in warning for warning in map(str, created.warnings))


def test_host_of_the_simulator_refuses_a_version_that_it_does_not_know(
    platform: tuple[VSphereSimulator, VSphereHypervisor], log: RecordingTaskLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, vsphere = platform
    saved = vsphere.save_configuration(vm_in(vsphere, "A/1/Shanghai").id, log=log)
    monkeypatch.setattr("app.vsphere.offer_reader.offered_versions", lambda *_: {})
    monkeypatch.setattr("app.vsphere.hardware_versions._NEWEST_BY_ESXI", ())
    with pytest.raises(VmCreationFailed, match="vmx-21"):
        vsphere.create_vm(saved, VmPlacement(name="refused", host="esx02.lab"), log=log)
    assert all(vm.name != "refused" for vm in vsphere.list_vms())


def test_disk_that_only_newer_hardware_has_is_refused_before_anything_starts(
    tmp_path: Path, log: RecordingTaskLog
) -> None:
    spec = replace(
        SPEC,
        host_versions=(("esx02.lab", "6.5.0"),),
        vms=(VmSpec(name="fast", disks=(replace(DISK, controller="nvme"),), host="esx01.lab", cpus=192),),
    )
    with running(spec, tmp_path / "vc") as (_, vsphere):
        saved = vsphere.save_configuration(vsphere.list_vms()[0].id, log=log)
        with pytest.raises(VmCreationFailed, match=r"192 CPUs.*choose a host with ESXi 6.7 U2 or newer"):
            vsphere.plan_vm(saved, VmPlacement(name="x", host="esx02.lab"))
        with pytest.raises(VmCreationFailed, match="192 CPUs"):
            vsphere.create_vm(saved, VmPlacement(name="x", host="esx02.lab"), log=log)
        assert [vm.name for vm in vsphere.list_vms()] == ["fast"]


def test_guest_system_that_an_older_host_does_not_know_is_set_to_a_general_one(
    tmp_path: Path, log: RecordingTaskLog
) -> None:
    spec = replace(
        SPEC, vms=(VmSpec(name="new", disks=(DISK,), host="esx01.lab", guest_id="windows2022srvNext_64Guest"),)
    )
    with running(spec, tmp_path / "vc") as (simulator, vsphere):
        saved = vsphere.save_configuration(vsphere.list_vms()[0].id, log=log)
        created = vsphere.create_vm(saved, VmPlacement(name="x", host="esx02.lab"), log=log)
        assert simulator.world.inventory.vms[created.id].config.guestId == "windows2019srv_64Guest"
        assert any("windows2022srvNext_64Guest" in warning for warning in map(str, created.warnings))
        kept = vsphere.create_vm(saved, VmPlacement(name="y", host="esx01.lab"), log=log)
        assert simulator.world.inventory.vms[kept.id].config.guestId == "windows2022srvNext_64Guest"
