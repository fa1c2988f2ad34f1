"""When things go wrong on the platform or on the way: what is left there, and what the operator is told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from pyVmomi import vim, vmodl

from app.core.access import AccessMode
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.errors import (
    CertificateChanged,
    LicenseRefused,
    OperationalError,
    PlatformUnreachable,
    PowerOperationFailed,
    PrivilegeMissing,
    SnapshotFailed,
    TaskCancelled,
    VmCreationFailed,
)
from app.domain.ids import TaskId
from app.domain.platforms import PlatformKind
from app.domain.vms import FrozenVm, PowerState, VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, Flavour, Licence, SimulatorSpec, UserSpec, VmSpec
from app.vsphere import messages
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.snapshots import SnapshotTimings
from tests.contract.vsphere.answer_thief import AnswerThief
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.support.waiting import wait_until

T = TypeVar("T")
READER = UserSpec(name="reader", password="r", privileges=frozenset())
DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
QUICK = SnapshotTimings(quiesce_pause_s=0.01, first_pause_s=0.05, longest_pause_s=0.2)
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


@pytest.fixture
def log() -> RecordingTaskLog:
    return RecordingTaskLog()


def snapshot(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog, *, quiesce: bool = False
) -> FrozenVm:
    return vsphere.create_snapshot(vm.id, TaskId("t"), quiesce=quiesce, log=log, cancel=CancelToken())


class Background:
    """Runs something on another thread and hands over its result or error."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._outcome: list[object] = []
        self._thread = threading.Thread(target=self._run, args=(action,))
        self._thread.start()

    def _run(self, action: Callable[[], object]) -> None:
        try:
            self._outcome.append(action())
        except (OperationalError, TaskCancelled) as error:
            self._outcome.append(error)

    def outcome(self) -> object:
        self._thread.join(30)
        return self._outcome[0]


# ---- quiescing ------------------------------------------------------------------------------------------------


def test_quiesced_snapshot_is_consistent(vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog) -> None:
    frozen = snapshot(vsphere, vm, log, quiesce=True)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert not frozen.crash_consistent


def test_quiescing_is_tried_again(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.fail_quiesce(vm.name, times=2)
    frozen = snapshot(vsphere, vm, log, quiesce=True)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert not frozen.crash_consistent
    assert log.kinds().count(messages.QUIESCE_RETRY) == 2


def test_guest_that_cannot_be_quiesced_gets_a_crash_consistent_snapshot_and_a_warning(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.fail_quiesce(vm.name, times=3)
    frozen = snapshot(vsphere, vm, log, quiesce=True)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert frozen.crash_consistent
    assert frozen.quiesce_failure
    assert log.kinds() == [messages.QUIESCE_RETRY] * 2


def test_powered_off_vm_is_consistent_without_quiescing(vsphere: VSphereHypervisor, log: RecordingTaskLog) -> None:
    vm = next(one for one in vsphere.list_vms() if one.power_state is PowerState.OFF)
    frozen = snapshot(vsphere, vm, log, quiesce=True)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert not frozen.crash_consistent


# ---- nothing is left ------------------------------------------------------------------------------------------


def test_creation_that_is_cancelled_while_it_runs_leaves_nothing(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    simulator.faults.hang_task("CreateSnapshot_Task")
    cancel = CancelToken()
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(
        lambda: vsphere.create_snapshot(vm.id, TaskId("t"), quiesce=False, log=log, cancel=cancel)
    )
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the task")
    cancel.cancel()
    wait_until(lambda: simulator.faults.calls("CancelTask") > 0, what="the attempt to cancel the task")
    simulator.faults.release()
    assert isinstance(creating.outcome(), TaskCancelled)
    assert vsphere.find_snapshots(SNAPSHOT_PREFIX) == []


def test_creation_beyond_its_deadline_leaves_nothing(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    timings = replace(QUICK, create_s=0.3)
    with VSphereFactory(SystemClock(), timings=timings).connect(
        platform_of(simulator), simulator.password
    ) as hasty:
        before = simulator.faults.calls("CancelTask")
        simulator.faults.hang_task("CreateSnapshotEx_Task")
        creating = Background(lambda: snapshot(hasty, vm, log))
        wait_until(lambda: simulator.faults.calls("CancelTask") > before, what="the deadline")
        simulator.faults.release()
        assert isinstance(creating.outcome(), SnapshotFailed)


def test_connection_that_breaks_while_the_platform_works_is_survived(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(lambda: snapshot(vsphere, vm, log))
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the task")
    simulator.cut_connections()
    simulator.faults.release()
    frozen = creating.outcome()
    assert isinstance(frozen, FrozenVm)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_session_that_expires_while_the_platform_works_is_replaced(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(lambda: snapshot(vsphere, vm, log))
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the task")
    simulator.faults.expire_sessions()
    simulator.faults.release()
    frozen = creating.outcome()
    assert isinstance(frozen, FrozenVm)
    simulator.faults.expire_sessions()
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_creation_leaves_nothing_whichever_read_fails(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    failures = 0
    for nth in range(1, 10):
        simulator.faults.fail_call("RetrievePropertiesEx", nth=nth)
        try:
            frozen = snapshot(vsphere, vm, log)
        except SnapshotFailed:
            failures += 1
        else:
            simulator.faults.clear()
            vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
        simulator.faults.clear()
        assert vsphere.find_snapshots("") == []
    assert (
        1 <= failures < 9
    )  # the first read always; where the last one is depends on how often the task is polled


def test_older_platform_gets_the_older_call(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.fail_call("CreateSnapshotEx_Task", fault=vmodl.fault.MethodNotFound(msg="not here"))
    before = simulator.faults.calls("CreateSnapshot_Task")
    frozen = snapshot(vsphere, vm, log)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert simulator.faults.calls("CreateSnapshot_Task") == before + 1


@pytest.fixture
def thief(simulator: VSphereSimulator) -> Iterator[AnswerThief]:
    with AnswerThief(simulator) as thief:
        yield thief


@pytest.fixture
def robbed(simulator: VSphereSimulator, thief: AnswerThief) -> Iterator[VSphereHypervisor]:
    """A session whose answers pass the thief."""
    platform = replace(platform_of(simulator), port=thief.port)
    with VSphereFactory(SystemClock(), timings=QUICK).connect(platform, simulator.password) as session:
        yield session


def test_snapshot_whose_answer_was_lost_is_found_and_removed(
    robbed: VSphereHypervisor,
    thief: AnswerThief,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
) -> None:
    thief.steal_next("CreateSnapshotEx_Task")
    made = simulator.faults.calls("CreateSnapshotEx_Task")
    with pytest.raises(PlatformUnreachable):
        snapshot(robbed, vm, log)
    assert simulator.faults.calls("CreateSnapshotEx_Task") == made + 1
    assert robbed.find_snapshots("") == []


def test_snapshot_that_is_still_being_made_when_its_answer_was_lost_is_waited_for(
    robbed: VSphereHypervisor,
    thief: AnswerThief,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
) -> None:
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    thief.steal_next("CreateSnapshotEx_Task")
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(lambda: snapshot(robbed, vm, log))
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the unknown task")
    simulator.faults.release()
    assert isinstance(creating.outcome(), PlatformUnreachable)
    assert robbed.find_snapshots("") == []


def test_vm_whose_answer_was_lost_is_found_by_its_mark_and_removed(
    robbed: VSphereHypervisor,
    thief: AnswerThief,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
) -> None:
    saved = robbed.save_configuration(vm.id, log=log)
    inventory = robbed.list_vms()
    simulator.faults.hang_task("CreateVM_Task")
    thief.steal_next("CreateVM_Task")
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(lambda: robbed.create_vm(saved, VmPlacement(name="unheard of"), log=log))
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the unknown task")
    simulator.faults.release()
    assert isinstance(creating.outcome(), PlatformUnreachable)
    assert robbed.list_vms() == inventory


def test_connection_that_was_cut_while_idle_is_replaced(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    vsphere.list_vms()
    simulator.cut_connections()
    vsphere.list_vms()
    simulator.cut_connections()
    frozen = snapshot(vsphere, vm, log)
    simulator.cut_connections()
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


# ---- removal --------------------------------------------------------------------------------------------------


def test_disks_that_need_consolidation_are_consolidated(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    frozen = snapshot(vsphere, vm, log)
    before = simulator.faults.calls("ConsolidateVMDisks_Task")
    simulator.faults.refuse_consolidation(vm.name, times=2)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    assert simulator.faults.calls("ConsolidateVMDisks_Task") > before
    assert not any(disk.is_delta for disk in vsphere.vm_details(vm.id).disks)


def test_removal_that_cannot_be_finished_in_time_is_told(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    frozen = snapshot(vsphere, vm, log)
    simulator.faults.hang_task("RemoveSnapshot_Task")
    with pytest.raises(SnapshotFailed, match="removed"):
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=0.3)
    simulator.faults.release()
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_removal_goes_on_after_a_fault_that_passes(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    frozen = snapshot(vsphere, vm, log)
    simulator.faults.fail_call("RemoveSnapshot_Task", fault=lambda: vim.fault.TaskInProgress(msg="busy"), times=2)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_removal_without_the_privilege_is_not_tried_for_long(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    frozen = snapshot(vsphere, vm, log)
    refusal = vim.fault.NoPermission(privilegeId="VirtualMachine.State.RemoveSnapshot")
    simulator.faults.fail_call("RemoveSnapshot_Task", fault=refusal)
    with pytest.raises(PrivilegeMissing, match="RemoveSnapshot"):
        vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    vsphere.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


# ---- creation of VMs ------------------------------------------------------------------------------------------


def test_vm_is_removed_again_whichever_read_of_its_creation_fails(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vm.id, log=log)
    inventory = vsphere.list_vms()
    failures = 0
    for nth in range(1, 16):
        simulator.faults.fail_call("RetrievePropertiesEx", nth=nth)
        try:
            made = vsphere.create_vm(saved, VmPlacement(name="half"), log=log)
        except VmCreationFailed:
            failures += 1
        else:
            simulator.faults.clear()
            vsphere.destroy_vm(made.id)
        simulator.faults.clear()
        assert vsphere.list_vms() == inventory
    assert 3 <= failures < 15


def test_vm_whose_connection_broke_at_its_creation_is_removed(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vm.id, log=log)
    inventory = vsphere.list_vms()
    simulator.faults.hang_task("CreateVM_Task")
    before = simulator.faults.calls("WaitForUpdatesEx")
    creating = Background(lambda: vsphere.create_vm(saved, VmPlacement(name="broken"), log=log))
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the task")
    simulator.cut_connections()
    simulator.faults.release()
    made = creating.outcome()
    assert not isinstance(made, BaseException), made
    created = next(one for one in vsphere.list_vms() if one.name == "broken")
    vsphere.destroy_vm(created.id)
    assert vsphere.list_vms() == inventory


def test_distributed_network_is_connected_by_its_port_group(
    vsphere: VSphereHypervisor, vm: VmSummary, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vm.id, log=log)
    placement = VmPlacement(name="moved", networks=(("VM Network", "Production"),), datastore="ds2")
    created = vsphere.create_vm(saved, placement, log=log)
    try:
        again = vsphere.save_configuration(created.id, log=log)
        third = vsphere.create_vm(again, VmPlacement(name="third"), log=log)
        assert third.warnings == ()
        details = [vsphere.vm_details(one.id).summary for one in (created, third)]
        vsphere.destroy_vm(third.id)
        assert [one.datastores for one in details] == [("ds2",), ("ds2",)]
        assert b"Production" in again.files["config.json"]
    finally:
        vsphere.destroy_vm(created.id)


# ---- power ----------------------------------------------------------------------------------------------------


def test_power_on_that_hangs_or_fails_is_told(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    vm = next(one for one in vsphere.list_vms() if one.power_state is PowerState.OFF)
    simulator.faults.fail_call(
        "PowerOnVM_Task",
        fault=vim.fault.InsufficientHostMemoryCapacityFault(msg="not enough memory", unreserved=0),
    )
    with pytest.raises(PowerOperationFailed, match="not enough memory"):
        vsphere.power_on(vm.id)
    assert vsphere.vm_details(vm.id).summary.power_state is PowerState.OFF


# ---- rights, licences, certificates ---------------------------------------------------------------------------


def test_account_without_rights_is_told_which_one_is_missing(
    simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    platform = replace(platform_of(simulator), user=READER.name)
    with VSphereFactory(SystemClock(), timings=QUICK).connect(platform, READER.password) as reader:
        vm = reader.list_vms()[0]
        with pytest.raises(PrivilegeMissing, match=r"VirtualMachine\.State\.CreateSnapshot") as missing:
            snapshot(reader, vm, log)
        assert missing.value.params["target"] == vm.name
        assert reader.disk_access.nfc is not None
        with pytest.raises(PrivilegeMissing, match="DiskRandomAccess"):
            reader.disk_access.nfc.nfc_ticket(vm.id, 2000, AccessMode.WRITE)


def test_changed_certificate_stops_the_work(tmp_path: Path) -> None:
    with VSphereSimulator(SPEC, tmp_path / "vc") as simulator:
        platform = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(platform, simulator.password) as vsphere:
            vsphere.list_vms()
            simulator.faults.change_certificate()
            simulator.cut_connections()
            with pytest.raises(CertificateChanged):
                vsphere.list_vms()


# ---- a bare ESXi ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def esxi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    spec = SimulatorSpec(
        flavour=Flavour.ESXI,
        version="7.0.3",
        hosts=("esx01.lab",),
        users=(UserSpec(name="root", password="root-password"),),
        licence=Licence.FREE,
        vms=(VmSpec(name="lonely", disks=(DISK,)),),
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("esxi") / "host") as simulator:
        yield simulator


def test_bare_host_is_read_like_a_vcenter(esxi: VSphereSimulator) -> None:
    with VSphereFactory(SystemClock()).connect(platform_of(esxi), esxi.password) as vsphere:
        assert vsphere.facts.kind is PlatformKind.ESXI
        assert vsphere.facts.version == "7.0.3"
        (vm,) = vsphere.list_vms()
        assert (vm.name, vm.datacenter, vm.folder, vm.host) == ("lonely", "ha-datacenter", (), "esx01.lab")
        assert vsphere.vm_details(vm.id).summary == vm


def test_free_licence_is_told_at_registration_and_when_it_refuses(
    esxi: VSphereSimulator, log: RecordingTaskLog
) -> None:
    with VSphereFactory(SystemClock(), timings=QUICK).connect(platform_of(esxi), esxi.password) as vsphere:
        with pytest.raises(LicenseRefused):
            vsphere.check_licence()
        with pytest.raises(LicenseRefused):
            snapshot(vsphere, vsphere.list_vms()[0], log)


def test_vcenter_needs_no_licence_check(vsphere: VSphereHypervisor) -> None:
    vsphere.check_licence()


# ---- access to disks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", list(AccessMode))
def test_nfc_ticket_names_the_host_and_hides_its_session(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, access: AccessMode
) -> None:
    vm = next(one for one in vsphere.list_vms() if one.power_state is PowerState.OFF)
    disk = vsphere.vm_details(vm.id).disks[0]
    assert vsphere.disk_access.nfc is not None
    first, second = (vsphere.disk_access.nfc.nfc_ticket(vm.id, disk.key, access) for _ in range(2))
    assert first.port == simulator.nfc_port
    assert first.service == "vpxa-nfc"
    assert first.thumbprint_sha1
    assert first.session_id != second.session_id
    assert first.session_id not in repr(first)


def test_nfc_ticket_of_a_bare_host_dials_the_host_itself(esxi: VSphereSimulator) -> None:
    with VSphereFactory(SystemClock()).connect(platform_of(esxi), esxi.password) as vsphere:
        (vm,) = vsphere.list_vms()
        assert vsphere.disk_access.nfc is not None
        disk = vsphere.vm_details(vm.id).disks[0]
        ticket = vsphere.disk_access.nfc.nfc_ticket(vm.id, disk.key, AccessMode.READ)
        assert (ticket.host, ticket.service) == (esxi.host, "nfc")


def test_datastore_file_is_addressed_with_a_live_cookie(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    assert vsphere.disk_access.https is not None
    vm = vsphere.list_vms()[0]
    path = vsphere.vm_details(vm.id).disks[0].path
    before = vsphere.disk_access.https.https_file(path)
    simulator.faults.expire_sessions()
    after = vsphere.disk_access.https.https_file(path)
    assert before.target == after.target
    assert "dcPath=Shanghai&dsName=ds1" in after.target
    assert before.cookie != after.cookie
    assert after.cookie not in repr(after)
    assert after.thumbprint_sha256 == simulator.thumbprint_sha256


@pytest.mark.parametrize("path", ["[no such datastore] a/a.vmdk", "not a datastore path"])
def test_datastore_that_is_not_there_is_told(vsphere: VSphereHypervisor, path: str) -> None:
    assert vsphere.disk_access.https is not None
    with pytest.raises(OperationalError, match="datastore"):
        vsphere.disk_access.https.https_file(path)


def test_inventory_larger_than_one_answer_is_read_in_pages(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    before = simulator.faults.calls("ContinueRetrievePropertiesEx")
    assert [vm.name for vm in vsphere.list_vms()] == ["web-01", "web-02"]
    assert simulator.faults.calls("ContinueRetrievePropertiesEx") > before + 1
