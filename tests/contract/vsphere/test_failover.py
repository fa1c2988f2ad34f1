"""Another node stands in for the vCenter: sessions, collectors and tasks are gone, and the hosts go on working.

What a forgotten task was for is looked at on the VM itself.
"""

import threading
from collections.abc import Callable

import pytest
from pyVmomi import vim

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.patience import Patience
from app.domain.errors import OperationalError, PlatformUnreachable, SnapshotFailed
from app.domain.vms import CreatedVm, FrozenVm, PowerState, VmPlacement, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.slowness import RemovalPace
from app.vsphere import messages
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.hardship import shared, simulator, snapshot, vm, vsphere
from tests.support.fakes import RecordingTaskLog
from tests.support.waiting import wait_until

__all__ = ["shared", "simulator", "vm", "vsphere"]

pytestmark = pytest.mark.allows_log("session at .* expired|removing a snapshot|has forgotten task")


@pytest.fixture
def patient(vsphere: VSphereHypervisor) -> VSphereHypervisor:
    vsphere.be_patient(Patience(SystemClock(), CancelToken(), 60.0))
    return vsphere


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no call of the simulator be held for half a minute while it goes away."""
    monkeypatch.setattr("app.vsphere.tasks._LONG_WAIT_S", 1)


class Meanwhile:
    """Does something on another thread, whose end is waited for with its result."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._found: list[object] = []
        self._thread = threading.Thread(target=self._run, args=(action,))
        self._thread.start()

    def _run(self, action: Callable[[], object]) -> None:
        try:
            self._found.append(action())
        except OperationalError as error:
            self._found.append(error)

    def result(self) -> object:
        self._thread.join(60)
        return self._found[0]


def fail_over_while_waiting(simulator: VSphereSimulator, action: Callable[[], object]) -> Meanwhile:
    """Let another node stand in while an action waits for its task."""
    before = simulator.faults.calls("WaitForUpdatesEx")
    doing = Meanwhile(action)
    wait_until(lambda: simulator.faults.calls("WaitForUpdatesEx") > before, what="the wait for the task")
    simulator.go_away(keep_tasks=False)
    simulator.come_back()
    return doing


def test_a_snapshot_that_is_made_after_its_task_was_forgotten_is_found_by_its_name(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    creating = fail_over_while_waiting(simulator, lambda: snapshot(patient, vm, log))
    threading.Timer(0.5, simulator.faults.release).start()
    frozen = creating.result()
    assert isinstance(frozen, FrozenVm), frozen
    patient.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_a_snapshot_that_never_comes_after_its_task_was_forgotten_is_reported(
    patient: VSphereHypervisor,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.vsphere.tasks._FORGOTTEN_S", 1.0)
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    simulator.faults.fail_task("CreateSnapshotEx_Task", fault=lambda: vim.fault.NoDiskSpace(msg="full"))
    creating = fail_over_while_waiting(simulator, lambda: snapshot(patient, vm, log))
    simulator.faults.release()
    assert isinstance(creating.result(), SnapshotFailed)
    assert patient.find_snapshots("") == []


def test_a_snapshot_whose_answer_was_lost_with_its_task_is_found_when_the_vm_is_no_longer_busy(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    before = simulator.faults.calls("CreateSnapshotEx_Task")
    simulator.faults.hang_task("CreateSnapshotEx_Task")
    simulator.faults.lose_answer("CreateSnapshotEx_Task")
    creating = Meanwhile(lambda: snapshot(patient, vm, log))
    wait_until(lambda: simulator.faults.calls("CreateSnapshotEx_Task") > before, what="the creation")
    simulator.go_away(keep_tasks=False)
    simulator.come_back()
    assert isinstance(creating.result(), PlatformUnreachable)
    threading.Timer(0.5, simulator.faults.release).start()
    frozen = snapshot(patient, vm, log)
    assert [found.id for found in patient.find_snapshots("")] == [frozen.snapshot]
    patient.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)


def test_a_busy_vm_is_waited_for_and_not_for_ever(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    def busy() -> vim.fault.TaskInProgress:
        return vim.fault.TaskInProgress(msg="busy")

    simulator.faults.fail_call("CreateSnapshotEx_Task", fault=busy, times=2)
    simulator.faults.fail_task("CreateSnapshotEx_Task", fault=busy, times=1)
    frozen = snapshot(patient, vm, log)
    assert log.kinds().count(messages.VM_BUSY) == 1
    patient.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    simulator.faults.fail_call("CreateSnapshotEx_Task", fault=busy, times=1000)
    with pytest.raises(SnapshotFailed, match="another task"):
        snapshot(patient, vm, log)
    simulator.faults.clear()
    assert patient.find_snapshots("") == []


@pytest.mark.parametrize("pace", list(RemovalPace))
def test_a_removal_whose_task_was_forgotten_is_over_when_the_disks_are_merged(
    patient: VSphereHypervisor,
    simulator: VSphereSimulator,
    vm: VmSummary,
    log: RecordingTaskLog,
    pace: RemovalPace,
) -> None:
    frozen = snapshot(patient, vm, log)
    simulator.faults.slow_removals(vm.name, 3.0, pace)
    removing = fail_over_while_waiting(
        simulator, lambda: patient.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    )
    assert removing.result() is None
    assert not any(disk.is_delta for disk in patient.vm_details(vm.id).disks), "it was still being merged"
    assert simulator.faults.calls("CancelTask") == 0


def test_a_removal_that_had_not_begun_when_its_task_was_forgotten_is_done_in_the_end(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    frozen = snapshot(patient, vm, log)
    simulator.faults.hang_task("RemoveSnapshot_Task")
    removing = fail_over_while_waiting(
        simulator, lambda: patient.remove_snapshot(vm.id, frozen.snapshot, deadline_s=30)
    )
    threading.Timer(0.5, simulator.faults.release).start()
    assert removing.result() is None
    assert patient.find_snapshots("") == []


def test_power_and_names_are_looked_at_when_their_tasks_are_forgotten(
    patient: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    off = next(found for found in patient.list_vms() if found.power_state is PowerState.OFF)

    def is_done(method: str, action: Callable[[], None]) -> None:
        simulator.faults.hang_task(method)
        doing = fail_over_while_waiting(simulator, action)
        threading.Timer(0.3, simulator.faults.release).start()
        assert doing.result() is None
        known = simulator.world.tasks.all()
        wait_until(lambda: all(task.finished_at is not None for task in known), what="the host to be done")

    is_done("PowerOnVM_Task", lambda: patient.power_on(off.id))
    assert patient.vm_details(off.id).summary.power_state is PowerState.ON
    is_done("PowerOffVM_Task", lambda: patient.power_off(off.id))
    assert patient.vm_details(off.id).summary.power_state is PowerState.OFF
    is_done("Rename_Task", lambda: patient.rename_vm(off.id, "50% off / new"))
    assert patient.vm_details(off.id).summary.name == "50% off / new"
    patient.rename_vm(off.id, off.name)


def test_a_vm_is_deleted_only_when_it_is_gone_not_when_the_task_is_forgotten(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    saved = patient.save_configuration(vm.id, log=log)
    made = patient.create_vm(saved, VmPlacement(name="to be deleted"), log=log)
    simulator.faults.hang_task("Destroy_Task")
    destroying = fail_over_while_waiting(simulator, lambda: patient.destroy_vm(made.id))
    assert [found.name for found in patient.list_vms()].count("to be deleted") == 1
    threading.Timer(0.5, simulator.faults.release).start()
    assert destroying.result() is None
    assert [found.name for found in patient.list_vms()].count("to be deleted") == 0


def test_a_vm_whose_creation_was_forgotten_is_found_by_its_mark(
    patient: VSphereHypervisor, simulator: VSphereSimulator, vm: VmSummary, log: RecordingTaskLog
) -> None:
    saved = patient.save_configuration(vm.id, log=log)
    simulator.faults.hang_task("CreateVM_Task")
    creating = fail_over_while_waiting(
        simulator, lambda: patient.create_vm(saved, VmPlacement(name="made in the end"), log=log)
    )
    threading.Timer(0.5, simulator.faults.release).start()
    made = creating.result()
    assert isinstance(made, CreatedVm), made
    assert len(made.disks) == 1
    patient.destroy_vm(made.id)


def test_change_tracking_is_on_when_the_task_that_switched_it_is_forgotten(
    patient: VSphereHypervisor, simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    machine = next(found for found in patient.list_vms() if not found.change_tracking_enabled)
    simulator.faults.hang_task("ReconfigVM_Task")
    switching = fail_over_while_waiting(
        simulator, lambda: patient.enable_change_tracking(machine.id, log=log, cancel=CancelToken())
    )
    threading.Timer(0.5, simulator.faults.release).start()
    assert switching.result() is True
    assert log.lines == []
