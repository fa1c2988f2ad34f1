"""A vCenter of ours that tests let go wrong, shared by the tests of a module, and a session on it."""

from collections.abc import Iterator

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, UserSpec, VmSpec
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

READER = UserSpec(name="reader", password="r", privileges=frozenset())
DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
SPEC = SimulatorSpec(
    vms=(
        VmSpec(name="web-01", disks=(DISK,), hostname="web-01"),
        VmSpec(name="web-02", disks=(DISK,), powered_on=False),
    ),
    users=(*SimulatorSpec().users, READER),
    distributed_networks=("Production",),
    retrieve_limit=2,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    with VSphereSimulator(SPEC, tmp_path_factory.mktemp("hardship") / "vc") as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: VSphereSimulator) -> Iterator[VSphereSimulator]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def vsphere(simulator: VSphereSimulator) -> Iterator[VSphereHypervisor]:
    with VSphereFactory(SystemClock(), timings=QUICK).connect(
        platform_of(simulator), simulator.password
    ) as session:
        yield session


@pytest.fixture
def vm(vsphere: VSphereHypervisor) -> Iterator[VmSummary]:
    yield vsphere.list_vms()[0]
    assert vsphere.find_snapshots("") == []


def snapshot(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog, *, quiesce: bool = False
) -> FrozenVm:
    return vsphere.create_snapshot(vm.id, TaskId("t"), quiesce=quiesce, log=log, cancel=CancelToken())
