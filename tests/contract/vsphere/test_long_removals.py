"""A removal of a snapshot that takes hours: waited for while anything moves, never cancelled, told as it is."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from pyVmomi import vim

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import SnapshotFailed, SnapshotRemovalRuns
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.slowness import RemovalPace
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.vsphere.errors import PlatformTaskStandsStill
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.support.fakes import RecordingTaskLog
from tests.support.fast_clock import FastClock
from tests.support.simulated import platform_of
from tests.support.waiting import wait_until

HOUR = 3600.0
DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
SPEC = SimulatorSpec(vms=(VmSpec(name="web-01", disks=(DISK, DISK, DISK)),), session_idle_s=1e9)

pytestmark = pytest.mark.allows_log("removing a snapshot")


@dataclass
class Watched:
    """Follows a removal, and leaves it when a test says so."""

    leaves: Callable[[], bool] = lambda: False
    percents: list[int | None] = field(default_factory=list)

    def moved(self, percent: int | None) -> None:
        self.percents.append(percent)

    def is_left(self) -> bool:
        return self.leaves()


@pytest.fixture(scope="module")
def clock() -> FastClock:
    """Three hours are a second."""
    return FastClock(3 * HOUR)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, clock: FastClock) -> Iterator[VSphereSimulator]:
    with VSphereSimulator(SPEC, tmp_path_factory.mktemp("long") / "vc", clock=clock) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: VSphereSimulator) -> Iterator[VSphereSimulator]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def vsphere(simulator: VSphereSimulator, clock: FastClock) -> Iterator[VSphereHypervisor]:
    factory = VSphereFactory(clock, timings=QUICK)
    with factory.connect(platform_of(simulator), simulator.password) as session:
        yield session


@pytest.fixture
def vm(vsphere: VSphereHypervisor) -> VmSummary:
    return vsphere.list_vms()[0]


@pytest.fixture
def frozen(simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog) -> FrozenVm:
    """Its snapshot is made by the machine's clock: the fast one leaves a busy machine no time for it."""
    factory = VSphereFactory(SystemClock(), timings=QUICK)
    with factory.connect(platform_of(simulator), simulator.password) as patient:
        return patient.create_snapshot(vm.id, TaskId("t"), quiesce=False, log=log, cancel=CancelToken())


def assert_all_is_merged(vsphere: VSphereHypervisor, vm: VmSummary) -> None:
    assert vsphere.find_snapshots("") == []
    assert not any(disk.is_delta for disk in vsphere.vm_details(vm.id).disks)


@pytest.mark.parametrize("pace", [RemovalPace.BY_PROGRESS, RemovalPace.DISK_BY_DISK])
def test_a_removal_is_waited_for_beyond_its_deadline_while_anything_moves(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, frozen: FrozenVm, pace: RemovalPace
) -> None:
    simulator.faults.slow_removals(vm.name, 15 * HOUR, pace)
    watch = Watched()
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=9 * HOUR, watch=watch)
    assert_all_is_merged(vsphere, vm)
    assert simulator.faults.calls("CancelTask") == 0
    told = [percent for percent in watch.percents if percent is not None]
    assert told == sorted(told)
    assert len(set(told)) > 10 or pace is RemovalPace.DISK_BY_DISK


def test_only_standing_still_ends_the_wait_and_the_removal_goes_on(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, frozen: FrozenVm
) -> None:
    simulator.faults.slow_removals(vm.name, 24 * HOUR, RemovalPace.NOT_AT_ALL)
    with pytest.raises(SnapshotFailed, match="nothing has moved for 7200 seconds") as caught:
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=2 * HOUR, watch=Watched())
    assert isinstance(caught.value.__cause__, PlatformTaskStandsStill)
    assert simulator.faults.calls("CancelTask") == 0
    simulator.faults.clear()
    vsphere.finish_removals(vm.id, deadline_s=9 * HOUR, watch=Watched())
    assert_all_is_merged(vsphere, vm)


def test_a_removal_that_is_left_goes_on_and_is_finished_later(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, frozen: FrozenVm
) -> None:
    simulator.faults.slow_removals(vm.name, 15 * HOUR)
    watch = Watched()
    watch.leaves = lambda: any(watch.percents)
    with pytest.raises(SnapshotRemovalRuns, match="still runs"):
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=9 * HOUR, watch=watch)
    assert vsphere.find_snapshots("") == [], "it leaves the tree at once, long before its disks are merged"
    assert any(disk.is_delta for disk in vsphere.vm_details(vm.id).disks)
    vsphere.finish_removals(vm.id, deadline_s=9 * HOUR, watch=Watched())
    assert_all_is_merged(vsphere, vm)
    assert simulator.faults.calls("CancelTask") == 0


def test_a_second_removal_waits_for_the_first_and_does_not_take_it_for_done(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, frozen: FrozenVm
) -> None:
    simulator.faults.slow_removals(vm.name, 9 * HOUR)
    first = threading.Thread(
        target=lambda: vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=9 * HOUR, watch=Watched())
    )
    first.start()
    wait_until(lambda: not vsphere.find_snapshots(""), what="the snapshot to leave the tree")
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=9 * HOUR, watch=Watched())
    assert not any(disk.is_delta for disk in vsphere.vm_details(vm.id).disks)
    first.join(30)


def test_attempts_that_fail_at_once_end_though_each_begins_anew(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, frozen: FrozenVm
) -> None:
    locked = lambda: vim.fault.FileLocked(msg="a file is locked", file="[ds1] web-01/web-01.vmdk")  # noqa: E731
    simulator.faults.fail_task("RemoveSnapshot_Task", fault=locked, times=10_000)
    # The deadline passes between two attempts, or within one.
    with pytest.raises(SnapshotFailed, match=r"locked|nothing has moved"):
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=2 * HOUR, watch=Watched())
    simulator.faults.clear()
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=9 * HOUR, watch=Watched())
    assert_all_is_merged(vsphere, vm)
