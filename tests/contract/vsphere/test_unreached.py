"""VMs that a platform does not reach, and those that it makes for itself."""

from collections.abc import Iterator

import pytest
from pyVmomi import vim

from app.core.access import AccessMode
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import OperationalError
from app.domain.ids import TaskId
from app.domain.reach import (
    HostConnection,
    SystemRole,
    VmConnection,
    VmDisconnected,
    VmHostSilent,
    VmInaccessible,
    VmInvalid,
    VmOrphaned,
)
from app.domain.vms import VmSummary
from app.simulator.inventory.maintenance import HostConnection as SimulatedHostConnection
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec, cluster_agent
from app.simulator.vm.machine import Machine
from app.simulator.vm.machine import VmConnection as SimulatedConnection
from app.vsphere import tasks
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
NAMESAKE = "vCLS-0f3a1c9e-8a52-4a56-9d0e-5f3d2c1b0a99"


@pytest.fixture(scope="module", params=RELEASES)
def simulator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VSphereSimulator]:
    version: Version = request.param
    spec = SimulatorSpec(
        version=version,
        vms=(
            VmSpec(name="web", disks=(DISK,), host="esx01.lab"),
            VmSpec(name="db", disks=(DISK,), host="esx02.lab"),
            VmSpec(name=NAMESAKE, disks=(DISK,), host="esx02.lab"),
            VmSpec(name="solution", disks=(DISK,), managed_by=("com.vmware.vim.eam", "other-agent")),
            cluster_agent(1),
            cluster_agent(2, embedded=True),
        ),
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("unreached") / "vc") as simulator:
        yield simulator


@pytest.fixture
def vsphere(simulator: VSphereSimulator) -> Iterator[VSphereHypervisor]:
    with VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as session:
        yield session


def named(vsphere: VSphereHypervisor, name: str) -> VmSummary:
    (found,) = [vm for vm in vsphere.list_vms() if vm.name == name]
    return found


def machine(simulator: VSphereSimulator, name: str) -> Machine:
    (found,) = [vm for vm in simulator.world.inventory.vms.values() if vm.name == name]
    assert isinstance(found, Machine)
    return found


def test_vms_of_the_go_simulator_and_ours_are_reached_and_nobodys(target: Target) -> None:
    with VSphereFactory(SystemClock()).connect(target.platform, target.password) as vsphere:
        for vm in vsphere.list_vms():
            assert vm.unreached is None
            assert vm.system_role is None


def test_cluster_agents_are_told_by_their_manager_and_not_by_their_name(vsphere: VSphereHypervisor) -> None:
    roles = [vm.system_role for vm in vsphere.list_vms() if vm.folder == ("vCLS",)]
    assert roles == [SystemRole.CLUSTER_SERVICES] * 2
    for name in (NAMESAKE, "solution", "web"):
        vm = named(vsphere, name)
        assert vm.system_role is None
        assert vsphere.vm_details(vm.id).summary.system_role is None


@pytest.mark.parametrize(
    ("state", "expected", "error", "may_pass"),
    [
        ("disconnected", VmConnection.DISCONNECTED, VmDisconnected, True),
        ("inaccessible", VmConnection.INACCESSIBLE, VmInaccessible, True),
        ("invalid", VmConnection.INVALID, VmInvalid, False),
        ("orphaned", VmConnection.ORPHANED, VmOrphaned, False),
    ],
)
def test_each_state_of_a_vm_is_listed_and_has_its_own_error(
    simulator: VSphereSimulator,
    vsphere: VSphereHypervisor,
    state: SimulatedConnection,
    expected: VmConnection,
    error: type[OperationalError],
    may_pass: bool,
) -> None:
    web = machine(simulator, "web")
    web.set_connection(state)
    try:
        vm = named(vsphere, "web")
        assert vm.connection is expected
        assert type(vm.unreached) is error
        assert error.retryable is may_pass
        if state in {"inaccessible", "invalid"}:
            assert vm.instance_uuid is None
            with pytest.raises(error, match="web"):
                vsphere.vm_details(vm.id)
            with pytest.raises(error, match="web"):
                vsphere.save_configuration(vm.id, log=RecordingTaskLog())
        else:
            assert vsphere.vm_details(vm.id).summary == vm
        with pytest.raises(OperationalError):
            vsphere.create_snapshot(
                vm.id, TaskId("t"), quiesce=False, log=RecordingTaskLog(), cancel=CancelToken()
            )
        assert vsphere.disk_access.nfc is not None
        with pytest.raises(OperationalError):
            vsphere.disk_access.nfc.nfc_ticket(vm.id, 2000, AccessMode.READ)
    finally:
        web.set_connection("connected")
    assert named(vsphere, "web").unreached is None
    assert vsphere.find_snapshots("") == []


@pytest.mark.parametrize(
    ("state", "expected", "error"),
    [
        ("disconnected", HostConnection.DISCONNECTED, VmDisconnected),
        ("notResponding", HostConnection.NOT_RESPONDING, VmHostSilent),
    ],
)
def test_host_that_is_away_is_named_for_each_of_its_vms_and_takes_no_new_ones(
    simulator: VSphereSimulator,
    vsphere: VSphereHypervisor,
    state: SimulatedHostConnection,
    expected: HostConnection,
    error: type[OperationalError],
) -> None:
    host = machine(simulator, "web").host
    host.set_connection(state)
    try:
        vm = named(vsphere, "web")
        assert (vm.connection, vm.host_connection) == (VmConnection.DISCONNECTED, expected)
        assert type(vm.unreached) is error
        assert "esx01.lab" in str(vm.unreached)
        assert named(vsphere, "db").unreached is None
        assert [place.name for place in vsphere.list_places().hosts] == ["esx02.lab"]
    finally:
        host.set_connection("connected")


def test_host_goes_and_comes_back_by_the_platforms_own_tasks(
    simulator: VSphereSimulator, vsphere: VSphereHypervisor
) -> None:
    host = machine(simulator, "web").host
    session = vsphere.session

    def call(method: str) -> None:
        waiting = Waiting(operation=Operation.ANSWER, deadline=Deadline.after(session.clock, 20))
        tasks.run_task(
            session, lambda connection: getattr(connection.object(vim.HostSystem, host.moid), method)(), waiting
        )

    call("DisconnectHost_Task")
    assert named(vsphere, "web").host_connection is HostConnection.DISCONNECTED
    call("ReconnectHost_Task")
    assert named(vsphere, "web").unreached is None
