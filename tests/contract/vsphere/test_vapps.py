"""VMs of vApps, of nested ones and of pools inside of them, in two datacenters with datastores of one name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.core.access import AccessMode
from app.core.clock import SystemClock
from app.domain.errors import OperationalError, PrivilegeMissing, VmCreationFailed
from app.domain.ids import VmId
from app.domain.vms import SavedConfiguration, VmPlacement, VmSummary
from app.simulator.inventory.vapp import VirtualApp
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import (
    DatacenterSpec,
    DatastoreSpec,
    DiskSpec,
    SimulatorSpec,
    UserSpec,
    VAppSpec,
    VmSpec,
)
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed
from app.vsphere import saved_vm, tasks
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.privileges import RESTORE
from app.vsphere.properties import read
from app.vsphere.session import Connection
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation
from tests.contract.vsphere.platforms import govmomi
from tests.support.fakes import RecordingTaskLog
from tests.support.other_client import OtherClient
from tests.support.simulated import platform_of

LOCAL = "datastore [1]"
DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
B = "B/Shanghai"


def vm(name: str, pool: tuple[str, ...], **more: Any) -> VmSpec:
    return VmSpec(name=name, disks=(DISK,), resource_pool=pool, powered_on=False, **more)


SPEC = SimulatorSpec(
    datacenter_folder=("A",),
    hosts=("esx01.lab",),
    datastores=(DatastoreSpec(name=LOCAL),),
    resource_pools=(("East",), ("West",), ("East", "Shop", "Gold")),
    vapps=(
        VAppSpec(path=("East", "Shop"), folder=("Web", "2026")),
        VAppSpec(path=("East", "Shop", "Shop"), folder=("Web", "2026")),
        VAppSpec(path=("West", "Shop"), folder=("Other",)),
        VAppSpec(path=("Shop",), folder=("Web",), datacenter=B),
    ),
    more_datacenters=(
        DatacenterSpec(
            name="Shanghai", folder=("B",), hosts=("esx11.lab",), datastores=(DatastoreSpec(name=LOCAL),)
        ),
    ),
    vms=(
        vm("front", ("East", "Shop")),
        vm("inner", ("East", "Shop", "Shop")),
        vm("gold", ("East", "Shop", "Gold")),
        vm("west", ("West", "Shop")),
        vm("front", ("Shop",), datacenter=B),
        vm("deep", (), folder=("Web", "2026", "Q1")),
        vm("deep", (), folder=("Web", "2025", "Q1"), datacenter=B),
    ),
    users=(
        SimulatorSpec().users[0],
        UserSpec(name="poor", password="p", privileges=frozenset(RESTORE) - {"VApp.AssignVM"}),
    ),
)
ALL = [
    ("A/Shanghai", "front"),
    ("A/Shanghai", "inner"),
    ("A/Shanghai", "gold"),
    ("A/Shanghai", "west"),
    (B, "front"),
    ("A/Shanghai", "deep"),
    (B, "deep"),
]
IN_VAPPS = [place for place in ALL if place[1] != "deep"]
Both = tuple[VSphereSimulator, VSphereHypervisor]


@pytest.fixture(params=RELEASES)
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    version: Version = request.param
    with VSphereSimulator(replace(SPEC, version=version), tmp_path / "vc") as simulator:
        known = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(known, simulator.password) as session:
            yield simulator, session


@pytest.fixture
def log() -> RecordingTaskLog:
    return RecordingTaskLog()


def found(vsphere: VSphereHypervisor, path: str, name: str) -> VmSummary:
    (known,) = [vm for vm in vsphere.list_vms() if (vm.datacenter_path, vm.name) == (path, name)]
    return known


def machine(simulator: VSphereSimulator, vm: VmSummary) -> Machine:
    known = simulator.world.inventory.vms[vm.id]
    assert isinstance(known, Machine)
    return known


def destroy(vsphere: VSphereHypervisor, vapp: str) -> None:
    waiting = Waiting(operation=Operation.ANSWER, deadline=Deadline.after(vsphere.session.clock, 20))
    tasks.run_task(
        vsphere.session, lambda connection: connection.object(vim.VirtualApp, vapp).Destroy_Task(), waiting
    )


def test_vm_of_a_vapp_is_in_no_folder_and_in_its_datacenter(platform: Both) -> None:
    _, vsphere = platform
    folders = {place: found(vsphere, *place).folder for place in ALL}
    assert folders == {
        ("A/Shanghai", "front"): ("Web", "2026", "Shop"),
        ("A/Shanghai", "inner"): ("Web", "2026", "Shop", "Shop"),
        ("A/Shanghai", "gold"): ("Web", "2026", "Shop"),
        ("A/Shanghai", "west"): ("Other", "Shop"),
        (B, "front"): ("Web", "Shop"),
        ("A/Shanghai", "deep"): ("Web", "2026", "Q1"),
        (B, "deep"): ("Web", "2025", "Q1"),
    }
    for place in ALL:
        vm = found(vsphere, *place)
        assert bool(vm.vapp_id) == (place in IN_VAPPS)
        assert bool(vm.folder_id) == (place not in IN_VAPPS)
        assert vsphere.vm_details(vm.id).summary == vm


@pytest.mark.parametrize("place", ALL)
def test_files_of_vms_in_vapps_and_nested_folders_are_saved(
    platform: Both, log: RecordingTaskLog, place: tuple[str, str]
) -> None:
    simulator, vsphere = platform
    vm = found(vsphere, *place)
    saved = vsphere.save_configuration(vm.id, log=log)
    assert saved.missing == ()
    assert set(saved.files) == {"config.json", "vm.vmx", "vm.nvram"}
    uuid = machine(simulator, vm).config.uuid.replace("-", "")
    assert uuid[:4] in saved.files["vm.vmx"].decode().replace(" ", "")


@pytest.mark.parametrize("place", IN_VAPPS)
def test_vm_comes_back_into_its_vapp(platform: Both, log: RecordingTaskLog, place: tuple[str, str]) -> None:
    simulator, vsphere = platform
    before = found(vsphere, *place)
    saved = vsphere.save_configuration(before.id, log=log)
    pool, sisters = machine(simulator, before).pool, {vm.id for vm in vsphere.list_vms()} - {before.id}
    vsphere.destroy_vm(before.id)
    planned = vsphere.plan_vm(saved, VmPlacement(name=before.name))
    assert planned.warnings == ()
    assert not planned.name_taken
    created = vsphere.create_vm(saved, VmPlacement(name=before.name, keep_identity=True), log=log)
    assert created.warnings == ()
    after = found(vsphere, *place)
    assert after.id == created.id not in sisters
    assert machine(simulator, after).pool is pool
    assert (after.folder, after.vapp_id, after.folder_id) == (before.folder, before.vapp_id, "")
    assert vsphere.disk_access.nfc is not None
    vsphere.disk_access.nfc.nfc_ticket(after.id, created.disks[0][1].key, AccessMode.WRITE)
    vsphere.rename_vm(after.id, "renamed")
    assert vsphere.save_configuration(after.id, log=log).missing == ()


def test_name_counts_in_the_vapp_and_not_in_its_folder(platform: Both, log: RecordingTaskLog) -> None:
    _, vsphere = platform
    saved = vsphere.save_configuration(found(vsphere, "A/Shanghai", "front").id, log=log)
    assert vsphere.plan_vm(saved, VmPlacement(name="front")).name_taken
    assert not vsphere.plan_vm(saved, VmPlacement(name="west")).name_taken
    with pytest.raises(VmCreationFailed):
        vsphere.create_vm(saved, VmPlacement(name="front"), log=log)
    assert len(vsphere.list_vms()) == len(ALL)


def test_vapp_that_was_renamed_is_known_by_its_id(platform: Both, log: RecordingTaskLog) -> None:
    simulator, vsphere = platform
    vm = found(vsphere, "A/Shanghai", "front")
    saved = vsphere.save_configuration(vm.id, log=log)
    pool = machine(simulator, vm).pool
    pool.set(name="Till")
    created = vsphere.create_vm(saved, VmPlacement(name="again"), log=log)
    assert simulator.world.inventory.vms[created.id].pool is pool
    assert created.warnings == ()


def test_vapp_of_another_platform_is_known_by_its_path_only(platform: Both, log: RecordingTaskLog) -> None:
    simulator, vsphere = platform
    vm = found(vsphere, "A/Shanghai", "west")
    saved = vsphere.save_configuration(vm.id, log=log)
    wanted = VmPlacement(name="foreign", datacenter="A/Shanghai")
    created = vsphere.create_vm(elsewhere(saved), wanted, log=log)
    assert simulator.world.inventory.vms[created.id].pool is machine(simulator, vm).pool
    vsphere.destroy_vm(created.id)
    created = vsphere.create_vm(elsewhere(saved, has_path=False), wanted, log=log)
    assert simulator.world.inventory.vms[created.id].pool.name == "Resources"
    assert any("East/Shop, East/Shop/Shop, West/Shop" in str(warning) for warning in created.warnings)


def elsewhere(saved: SavedConfiguration, *, has_path: bool = True) -> SavedConfiguration:
    """Return what was saved, as if on another platform, or also by a program that kept no paths of pools."""
    foreign = replace(saved_vm.read(saved.files["config.json"]), platform_instance="another")
    foreign = foreign if has_path else replace(foreign, resource_pool_path="")
    return replace(saved, files={**saved.files, "config.json": saved_vm.write(foreign)})


def test_vapp_that_is_gone_leaves_the_root_pool_and_words(platform: Both, log: RecordingTaskLog) -> None:
    simulator, vsphere = platform
    vm = found(vsphere, "A/Shanghai", "inner")
    saved = vsphere.save_configuration(vm.id, log=log)
    destroy(vsphere, vm.vapp_id)
    assert [known.name for known in vsphere.list_vms() if known.name == "inner"] == []
    created = vsphere.create_vm(saved, VmPlacement(name="inner"), log=log)
    after = found(vsphere, "A/Shanghai", "inner")
    assert (after.id, after.folder, after.vapp_id) == (created.id, ("Web", "2026"), "")
    assert simulator.world.inventory.vms[created.id].pool.name == "Resources"
    words = " ".join(map(str, created.warnings))
    assert "Shop" in words
    assert "Web/2026" in words


def test_folder_that_was_chosen_takes_the_vm_out_of_its_vapp(platform: Both, log: RecordingTaskLog) -> None:
    _, vsphere = platform
    vm = found(vsphere, "A/Shanghai", "front")
    saved = vsphere.save_configuration(vm.id, log=log)
    created = vsphere.create_vm(saved, VmPlacement(name="moved", folder=("Other",)), log=log)
    assert found(vsphere, "A/Shanghai", "moved").folder == ("Other",)
    assert any("was in the vApp Shop" in str(warning) for warning in created.warnings)


def test_vapp_that_was_asked_for_by_its_id_goes_before_the_saved_place(
    platform: Both, log: RecordingTaskLog
) -> None:
    simulator, vsphere = platform
    west = found(vsphere, "A/Shanghai", "west")
    for source in ("deep", "front"):
        saved = vsphere.save_configuration(found(vsphere, "A/Shanghai", source).id, log=log)
        wish = VmPlacement(name=f"{source}-2", vapp_id=west.vapp_id, folder=west.folder)
        created = vsphere.create_vm(saved, wish, log=log)
        assert simulator.world.inventory.vms[created.id].pool is machine(simulator, west).pool
    gold = found(vsphere, "A/Shanghai", "gold")
    saved = vsphere.save_configuration(gold.id, log=log)
    created = vsphere.create_vm(saved, VmPlacement(name="gold-2", vapp_id=gold.vapp_id), log=log)
    assert simulator.world.inventory.vms[created.id].pool is machine(simulator, gold).pool


def test_a_vm_takes_over_the_place_of_another_one_in_the_order_of_its_vapp(
    platform: Both, log: RecordingTaskLog
) -> None:
    simulator, vsphere = platform
    first, inner = found(vsphere, "A/Shanghai", "front"), found(vsphere, "A/Shanghai", "inner")
    vapp = machine(simulator, first).pool.vapp
    assert isinstance(vapp, VirtualApp)
    (entry,) = vapp.order()
    wanted = changed(entry, startOrder=7, startDelay=5, waitingForGuest=True, stopAction="guestShutdown")
    with OtherClient(simulator) as other:
        other.order_vms(vapp.moid, [wanted])
    saved = vsphere.save_configuration(first.id, log=log)
    created = vsphere.create_vm(saved, VmPlacement(name="front-2", vapp_id=first.vapp_id), log=log)
    assert vsphere.take_over_order(created.id, first.id)
    assert {moments(entry) for entry in vapp.order()} == {moments(wanted)}
    assert in_order(vapp) == [first.id, created.id]
    vsphere.destroy_vm(first.id)
    assert in_order(vapp) == [created.id]
    assert not vsphere.take_over_order(created.id, inner.id)  # of another vApp
    assert not vsphere.take_over_order(created.id, found(vsphere, "A/Shanghai", "deep").id)


def in_order(vapp: VirtualApp) -> list[str]:
    return [entry.key._moId for entry in vapp.order() if entry.key is not None]


def moments(entry: vim.vApp.EntityConfigInfo) -> tuple[object, ...]:
    return (
        *(entry.startOrder, entry.startDelay, entry.waitingForGuest, entry.startAction),
        *(entry.stopDelay, entry.stopAction, entry.destroyWithParent),
    )


def test_creation_that_fails_leaves_nothing_in_the_vapp(platform: Both, log: RecordingTaskLog) -> None:
    simulator, vsphere = platform
    saved = vsphere.save_configuration(found(vsphere, "A/Shanghai", "front").id, log=log)
    before = {vm.id for vm in vsphere.list_vms()}
    simulator.faults.lose_answer("CreateChildVM_Task")
    with pytest.raises(OperationalError):
        vsphere.create_vm(saved, VmPlacement(name="lost"), log=log)
    assert {vm.id for vm in vsphere.list_vms()} == before


def test_missing_privilege_for_the_vapp_is_named(tmp_path: Path, log: RecordingTaskLog) -> None:
    with VSphereSimulator(SPEC, tmp_path / "vc") as simulator:
        known = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(known, simulator.password) as session:
            saved = session.save_configuration(found(session, "A/Shanghai", "front").id, log=log)
        with VSphereFactory(SystemClock()).connect(replace(known, user="poor"), "p") as session:
            with pytest.raises(PrivilegeMissing, match=r"VApp\.AssignVM"):
                session.create_vm(saved, VmPlacement(name="front-2"), log=log)
            assert len(session.list_vms()) == len(ALL)


def test_vm_of_a_vapp_cannot_be_made_through_a_folder_nor_one_of_a_pool_through_the_pool(platform: Both) -> None:
    simulator, vsphere = platform
    west = machine(simulator, found(vsphere, "A/Shanghai", "west"))
    spec = vim.vm.ConfigSpec(name="x", files=vim.vm.FileInfo(vmPathName=f"[{LOCAL}]"))

    def through_folder(connection: Connection) -> object:
        folder = connection.object(vim.Folder, simulator.world.inventory.first.vm_folder.moid)
        return folder.CreateVM_Task(config=spec, pool=connection.object(vim.ResourcePool, west.pool.moid))

    with pytest.raises(vmodl.fault.InvalidArgument):
        vsphere.session.run(through_folder)
    with pytest.raises(vmodl.fault.NotSupported):
        vsphere.session.run(
            lambda connection: connection.object(
                vim.ResourcePool, simulator.world.inventory.first.pool.moid
            ).CreateChildVM_Task(config=spec)
        )


def test_only_the_highest_of_nested_vapps_is_in_a_folder(platform: Both) -> None:
    simulator, _ = platform
    vapps = {vapp.moid: vapp for vapp in simulator.world.all(VirtualApp)}
    inner = [vapp for vapp in vapps.values() if vapp.folder is None]
    assert [vapp.name for vapp in inner] == ["Shop"]
    assert inner[0].properties["parentVApp"]._moId in vapps
    for vapp in vapps.values():
        if vapp.folder is not None:
            assert vapp.ref in vapp.folder.properties["childEntity"]
            assert vapp.properties["parentFolder"] == vapp.folder.ref


@pytest.mark.govmomi
def test_the_go_simulator_creates_a_vm_in_its_vapp_too(tmp_path: Path, log: RecordingTaskLog) -> None:
    with (
        govmomi(tmp_path, apps=1) as target,
        VSphereFactory(SystemClock()).connect(target.platform, target.password) as vsphere,
    ):
        pools = {vm.id: pool_of(vsphere, vm.id) for vm in vsphere.list_vms()}
        vm = next(vm for vm, pool in pools.items() if isinstance(pool, vim.VirtualApp))
        saved = vsphere.save_configuration(vm, log=log)
        created = vsphere.create_vm(saved, VmPlacement(name="again"), log=log)
        assert pool_of(vsphere, created.id) == pools[vm]
        assert vsphere.plan_vm(saved, VmPlacement(name="again")).name_taken


def pool_of(vsphere: VSphereHypervisor, vm: VmId) -> object:
    row = vsphere.session.run(lambda connection: read(connection.query(), connection.vm(vm), "resourcePool"))
    return row.get("resourcePool")
