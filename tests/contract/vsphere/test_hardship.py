"""When things go wrong on the platform or on the way: what is left there, and what is reported to the operator."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.errors import (
    OperationalError,
    PlatformUnreachable,
    PowerOperationFailed,
    PrivilegeMissing,
    SnapshotFailed,
    TaskCancelled,
    VmCreationFailed,
)
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, PowerState, VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.vsphere import messages
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.answer_thief import AnswerThief
from tests.contract.vsphere.conftest import QUICK
from tests.contract.vsphere.hardship import shared, simulator, snapshot, vm, vsphere
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of
from tests.support.waiting import wait_until

__all__ = ["shared", "simulator", "vm", "vsphere"]


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
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.OFF)
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


_READS: dict[str, Callable[[VSphereHypervisor, VmSummary], object]] = {
    "details": lambda vsphere, vm: vsphere.vm_details(vm.id),
    "inventory": lambda vsphere, _: vsphere.list_vms(),
    "places": lambda vsphere, _: vsphere.list_places(),
    "privileges": lambda vsphere, vm: vsphere.check_privileges(vm.id),
    "licence": lambda vsphere, _: vsphere.license_name(),
    "snapshots": lambda vsphere, _: vsphere.find_snapshots(""),
    "reverts": lambda vsphere, vm: vsphere.reverted_since(vm.id, SystemClock().now()),
    "power on": lambda vsphere, vm: vsphere.power_on(vm.id),
}


@pytest.mark.parametrize("read", _READS.values(), ids=_READS)
@pytest.mark.allows_log("session at .* expired")
def test_an_expired_session_reads_what_a_live_one_reads(
    vsphere: VSphereHypervisor,
    simulator: VSphereSimulator,
    vm: VmSummary,
    read: Callable[[VSphereHypervisor, VmSummary], object],
) -> None:
    expected = read(vsphere, vm)
    simulator.faults.expire_sessions()
    assert read(vsphere, vm) == expected


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


def test_removal_that_cannot_be_finished_in_time_is_reported(
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
    created = next(vm for vm in vsphere.list_vms() if vm.name == "broken")
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
        details = [vsphere.vm_details(machine.id).summary for machine in (created, third)]
        vsphere.destroy_vm(third.id)
        assert [detail.datastores for detail in details] == [("ds2",), ("ds2",)]
        assert b"Production" in again.files["config.json"]
    finally:
        vsphere.destroy_vm(created.id)


# ---- power ----------------------------------------------------------------------------------------------------


def test_power_on_that_hangs_or_fails_is_reported(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.OFF)
    simulator.faults.fail_call(
        "PowerOnVM_Task",
        fault=vim.fault.InsufficientHostMemoryCapacityFault(msg="not enough memory", unreserved=0),
    )
    with pytest.raises(PowerOperationFailed, match="not enough memory"):
        vsphere.power_on(vm.id)
    assert vsphere.vm_details(vm.id).summary.power_state is PowerState.OFF
