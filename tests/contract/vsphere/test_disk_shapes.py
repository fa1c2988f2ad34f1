"""Disks and VMs as real inventories have them: what the inventory and the details say of each."""

import random
from collections.abc import Iterator

import pytest

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, VirtualDisk, VmSummary
from app.simulator.releases import RELEASES
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.transport.https import HttpsReader
from app.transport.nfc.reader import NfcReader
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.unit.transport.opening import channel, options, requests, whole

CAPACITY = 2 << 20
STEP = 256 << 10
CONTENT = random.Random(7).randbytes(CAPACITY)
DISK = DiskSpec(capacity_bytes=CAPACITY, filesystem=False)
SHARED = DiskSpec(capacity_bytes=CAPACITY, filesystem=False, bus_sharing="virtualSharing")
VMS = (
    VmSpec(name="gold", disks=(DISK,), template=True),
    VmSpec(name="clone", disks=(DISK,), linked_to="gold"),
    VmSpec(name="first", disks=(DISK,)),
    VmSpec(name="second", disks=(DISK,), secondary_of="first"),
    VmSpec(name="node", disks=(DISK, SHARED)),
    VmSpec(name="node-off", disks=(DISK, SHARED), powered_on=False),
    VmSpec(
        name="odd",
        disks=(
            DISK,
            DiskSpec(capacity_bytes=CAPACITY, filesystem=False, kind="rdm_physical"),
            DiskSpec(capacity_bytes=CAPACITY, filesystem=False, kind="rdm_virtual"),
            DiskSpec(capacity_bytes=CAPACITY, filesystem=False, kind="pmem"),
            DiskSpec(capacity_bytes=CAPACITY, filesystem=False, mode="independent_nonpersistent"),
            DiskSpec(capacity_bytes=CAPACITY, filesystem=False, multi_writer=True, mode="independent_persistent"),
        ),
    ),
    VmSpec(name="left", disks=(DISK,), needs_consolidation=True),
    VmSpec(name="merged", disks=(DISK, DISK), needs_consolidation=True),
    VmSpec(name="win", disks=(DISK,), guest_id="windows2022srvNext_64Guest", hostname="win.lab"),
)


@pytest.fixture(scope="module", params=RELEASES)
def simulator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VSphereSimulator]:
    spec = SimulatorSpec(vms=VMS, version=request.param)
    with VSphereSimulator(spec, tmp_path_factory.mktemp("shapes")) as simulator:
        yield simulator


@pytest.fixture
def odd_site(simulator: VSphereSimulator) -> Iterator[VSphereHypervisor]:
    with VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as session:
        yield session


def named(session: VSphereHypervisor, name: str) -> VmSummary:
    return next(vm for vm in session.list_vms() if vm.name == name)


def frozen(session: VSphereHypervisor, vm: VmSummary, *, quiesce: bool = False) -> FrozenVm:
    return session.create_snapshot(
        vm.id, TaskId("t"), quiesce=quiesce, log=RecordingTaskLog(), cancel=CancelToken()
    )


def address(vm: VmSummary, disk: VirtualDisk) -> DiskAddress:
    return DiskAddress(
        vm=vm.id,
        vm_name=vm.name,
        disk_key=disk.key,
        path=disk.path,
        capacity_bytes=disk.capacity_bytes,
        is_delta=disk.is_delta,
    )


def read_over_nfc(session: VSphereHypervisor, vm: VmSummary, disk: VirtualDisk) -> bytes:
    tickets = session.disk_access.nfc
    assert tickets is not None
    reader = NfcReader(channel(tickets, address(vm, disk)))
    try:
        return b"".join(bytes(request.buffer) for request in reader.read_many(requests(whole(CAPACITY, STEP))))
    finally:
        reader.close()


def refuse_over_https(session: VSphereHypervisor, vm: VmSummary, disk: VirtualDisk) -> None:
    files = session.disk_access.https
    assert files is not None
    with pytest.raises(DiskAccessFailed, match="delta"):
        HttpsReader(files, address(vm, disk), options=options(), log=RecordingTaskLog(), cancel=CancelToken())


def test_ordinary_vms_have_nothing_left_out(vsphere: VSphereHypervisor, target: Target) -> None:
    for vm in vsphere.list_vms():
        assert vm.disk_count == len(vsphere.vm_details(vm.id).disks)
        assert vm.unsupported_reason is None
        assert not vm.needs_consolidation
        assert len(vm.disks_left_out) == (2 if vm.name == "odd-01" and target.kind == "ours" else 0)


def test_the_list_and_the_details_give_the_same_reasons(
    odd_site: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    for vm in odd_site.list_vms():
        details = odd_site.vm_details(vm.id)
        assert details.summary == vm
        assert [(left.label, left.reason) for left in vm.disks_left_out] == [
            (disk.label, disk.unsupported_reason) for disk in details.disks if disk.unsupported_reason is not None
        ]
    reasons = [str(left.reason) for left in named(odd_site, "odd").disks_left_out]
    assert [reason.partition(",")[0] for reason in reasons] == [
        "it is a raw device in physical compatibility mode",
        *(["it is in persistent memory"] if simulator.world.spec.version != "6.5.0" else []),  # not known there
        "its mode is independent_nonpersistent",
        "its mode is independent_persistent",
    ]


def test_a_running_vm_on_a_shared_bus_is_said_to_get_no_snapshot(odd_site: VSphereHypervisor) -> None:
    doubts = {vm.name: vm.snapshot_doubt for vm in odd_site.list_vms()}
    assert [name for name, doubt in doubts.items() if doubt is not None] == ["node"]


def test_only_the_secondary_of_a_pair_is_not_backed_up(odd_site: VSphereHypervisor) -> None:
    reasons = {vm.name: vm.unsupported_reason for vm in odd_site.list_vms()}
    assert [name for name, reason in reasons.items() if reason is not None] == ["second"]


def test_a_primary_is_frozen_as_any_vm(odd_site: VSphereHypervisor) -> None:
    vm = named(odd_site, "first")
    held = frozen(odd_site, vm)
    assert [disk.path for disk in held.disks] == ["[ds1] first/first.vmdk"]
    odd_site.remove_snapshot(vm.id, held.snapshot, deadline_s=60)


def test_disks_that_need_consolidation_are_said_so(odd_site: VSphereHypervisor) -> None:
    assert named(odd_site, "left").needs_consolidation
    assert not named(odd_site, "odd").needs_consolidation
    [disk] = odd_site.vm_details(named(odd_site, "left").id).disks
    assert disk.is_delta
    assert not disk.is_linked


def test_disks_are_consolidated_with_progress_and_a_consolidation_can_be_stopped(
    odd_site: VSphereHypervisor,
) -> None:
    vm, reached, stopped = named(odd_site, "merged"), list[int](), CancelToken()
    stopped.cancel()
    with pytest.raises(TaskCancelled):
        odd_site.consolidate_disks(vm.id, on_progress=reached.append, cancel=stopped)
    assert reached == []
    assert named(odd_site, "merged").needs_consolidation
    odd_site.consolidate_disks(vm.id, on_progress=reached.append, cancel=CancelToken())
    assert reached == sorted(reached)
    details = odd_site.vm_details(vm.id)
    assert not details.summary.needs_consolidation
    assert [disk.path for disk in details.disks] == ["[ds1] merged/merged.vmdk", "[ds1] merged/merged_1.vmdk"]


def test_a_linked_clone_is_read_whole_over_nfc_and_not_over_https(
    odd_site: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    vm = named(odd_site, "clone")
    machine = simulator.world.inventory.vms[vm.id]
    leaf = machine.trees[2000].leaf
    leaf.write(0, CONTENT[: 512 << 10])
    expected = leaf.read(0, CAPACITY)
    [disk] = odd_site.vm_details(vm.id).disks
    assert disk.is_linked
    held = frozen(odd_site, vm)
    try:
        [disk] = held.disks
        assert (disk.path, disk.is_delta, disk.is_linked) == ("[ds1] clone/clone.vmdk", True, True)
        assert read_over_nfc(odd_site, vm, disk) == expected
        refuse_over_https(odd_site, vm, disk)
    finally:
        odd_site.remove_snapshot(vm.id, held.snapshot, deadline_s=60)


def test_a_quiesced_windows_guest_is_read_with_what_its_applications_wrote(
    odd_site: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    vm = named(odd_site, "win")
    machine = simulator.world.inventory.vms[vm.id]
    machine.trees[2000].leaf.write(0, CONTENT)
    odd_site.enable_change_tracking(vm.id, log=RecordingTaskLog(), cancel=CancelToken())
    first = frozen(odd_site, vm, quiesce=True)
    [before] = first.disks
    odd_site.remove_snapshot(vm.id, first.snapshot, deadline_s=60)
    machine.trees[2000].leaf.write(1 << 20, b"later")
    held = frozen(odd_site, vm, quiesce=True)
    try:
        [disk] = held.disks
        assert not held.crash_consistent
        assert (disk.path, disk.is_delta, disk.is_linked) == ("[ds1] win/win-000001.vmdk", True, False)
        content = machine.trees[2000].frozen[held.snapshot].read(0, CAPACITY)
        assert content[400:403] == b"VSS"
        assert read_over_nfc(odd_site, vm, disk) == content
        refuse_over_https(odd_site, vm, disk)
        changed = odd_site.changed_extents(vm.id, held.snapshot, disk.key, CAPACITY, before.change_id)
        assert changed == [Extent(0, 64 << 10), Extent(1 << 20, 64 << 10)]
    finally:
        odd_site.remove_snapshot(vm.id, held.snapshot, deadline_s=60)
    [disk] = odd_site.vm_details(vm.id).disks
    assert (disk.path, disk.is_delta) == ("[ds1] win/win.vmdk", False)
