"""Tasks as clients see them: progress, results, errors, cancelling, history."""

from typing import Any

import pytest
from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl

from app.simulator.progress import TaskProgress
from app.simulator.vmomi import message_of
from tests.support.logguard import LogGuard
from tests.unit.simulator.soap.lab import Lab, Vm, reference


def snapshot_task(instance: Any, *, quiesce: bool = False) -> Any:
    return reference(vim.VirtualMachine, "vm-1", instance).CreateSnapshot_Task("s", None, False, quiesce)


@pytest.fixture
def vm(lab: Lab) -> Vm:
    return lab.add_vm("web-01")


def test_a_task_ends_with_its_result(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        task = snapshot_task(instance)
        assert WaitForTask(task) == "success"
        info = task.info
        assert info.result == vim.vm.Snapshot("snapshot-1")
        assert info.entity == vm.ref
        assert info.entityName == "web-01"
        assert info.descriptionId == "VirtualMachine.createSnapshot"
        assert info.name.info.wsdlName == "CreateSnapshot_Task"
        assert info.reason.userName == lab.spec.users[0].name
        assert info.queueTime <= info.startTime <= info.completeTime


def test_a_task_that_fails_has_the_fault_with_its_cause(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        task = snapshot_task(instance, quiesce=True)
        with pytest.raises(vim.fault.ApplicationQuiesceFault) as caught:
            WaitForTask(task)
        assert message_of(caught.value) == "VSS says no"
        assert isinstance(caught.value.faultCause, vim.fault.FileLocked)
        assert caught.value.faultCause.file == "[ds1] a.vmdk"
        assert message_of(caught.value.faultCause) == "locked"


def test_a_bug_in_a_task_is_an_error_of_the_task(lab: Lab, vm: Vm, log_guard: LogGuard) -> None:
    log_guard.expect("of ReconfigVM_Task failed")

    def run(progress: TaskProgress) -> None:
        raise ZeroDivisionError("oops")

    ref = lab.world.tasks.start(vm, "ReconfigVM_Task", run)
    with lab.client() as instance, pytest.raises(vmodl.fault.SystemError, match="oops"):
        WaitForTask(reference(vim.Task, ref._moId, instance))


def test_a_hung_task_runs_until_it_is_released(lab: Lab, vm: Vm) -> None:
    lab.world.faults.hang_task("CreateSnapshot_Task")
    with lab.client() as instance:
        task = snapshot_task(instance)
        assert task.info.state in ("queued", "running")
        assert instance.content.taskManager.recentTask == [task]
        lab.world.faults.release("CreateSnapshot_Task")
        assert WaitForTask(task) == "success"


def test_a_hung_task_can_be_cancelled(lab: Lab, vm: Vm) -> None:
    lab.world.faults.hang_task("CreateSnapshot_Task")
    with lab.client() as instance:
        task = snapshot_task(instance)
        task.CancelTask()
        with pytest.raises(vmodl.fault.RequestCanceled):
            WaitForTask(task)
        with pytest.raises(vim.fault.InvalidState):
            task.CancelTask()


def test_a_task_that_cannot_be_cancelled_says_so(lab: Lab, vm: Vm) -> None:
    lab.world.faults.hang_task("PowerOnVM_Task")
    ref = lab.world.tasks.start(vm, "PowerOnVM_Task", lambda _: None)
    with lab.client() as instance, pytest.raises(vmodl.fault.NotSupported):
        reference(vim.Task, ref._moId, instance).CancelTask()


def test_stopping_ends_hung_tasks(lab: Lab, vm: Vm) -> None:
    lab.world.faults.hang_task("PowerOnVM_Task")
    ref = lab.world.tasks.start(vm, "PowerOnVM_Task", lambda _: None)
    lab.world.tasks.stop()
    assert lab.world.get(ref).get("info.state") == "error"


def test_progress_is_seen_while_the_task_runs(lab: Lab, vm: Vm) -> None:
    seen: list[Any] = []

    def run(progress: TaskProgress) -> None:
        progress.report(40)
        seen.append(lab.world.get(progress.task).get("info.progress"))

    ref = lab.world.tasks.start(vm, "ReconfigVM_Task", run)
    with lab.client() as instance:
        assert WaitForTask(reference(vim.Task, ref._moId, instance)) == "success"
    assert seen == [40]


def test_old_tasks_are_forgotten_and_recent_ones_listed(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        WaitForTask(snapshot_task(instance))
        manager = instance.content.taskManager
        assert len(manager.recentTask) == 1
        lab.clock.turned_s += 700
        assert manager.recentTask == []


def test_finished_tasks_can_be_read_page_by_page(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        for quiesce in (False, True, False):
            WaitForTask(snapshot_task(instance, quiesce=quiesce), raiseOnError=False, log=lambda _: None)
        manager = instance.content.taskManager
        failed = vim.TaskFilterSpec(state=[vim.TaskInfo.State.error])
        everything = manager.CreateCollectorForTasks(vim.TaskFilterSpec())
        assert [task.state for task in everything.ReadNextTasks(2)] == ["success", "error"]
        assert [task.state for task in everything.ReadNextTasks(2)] == ["success"]
        assert everything.ReadNextTasks(2) == []
        assert len(manager.CreateCollectorForTasks(failed).ReadNextTasks(10)) == 1
        assert len(everything.latestPage) == 3
        everything.DestroyCollector()
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            everything.ReadNextTasks(1)
