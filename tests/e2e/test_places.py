"""Where a restored VM comes to, over the wire: its folder, its name there, and hosts that are too old for it."""

from app.cli.demo.stage import Stage
from app.contract.platforms import ListVms
from app.contract.restore import NewVm, OverOriginal, PlanRestore, StartRestore
from app.contract.tasks import TaskReport
from app.domain.states import BackupKind, TaskState
from app.domain.vms import PowerState, VmPlacement
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.vm.lifecycle import delete_files, forget
from tests.e2e.conftest import OpenStage
from tests.support.stage import MIB, Made, back_up, explain, finished, small_spec, vm_named

DISK = DiskSpec(capacity_bytes=8 * MIB)
SPEC = small_spec(
    VmSpec(name="web", disks=(DISK,), folder=("Production", "Web"), cpus=192),
    VmSpec(name="copy", disks=(DISK,), folder=("Test",), powered_on=False),
)


def restored(stage: Stage, made: Made, target: NewVm | OverOriginal) -> TaskReport:
    task = stage.engine.execute(
        StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
    )
    return finished(stage.engine, task)


def folders(stage: Stage, name: str) -> list[tuple[str, ...]]:
    return sorted(vm.folder for vm in stage.engine.ask(ListVms(platform=stage.platform)) if vm.name == name)


def test_a_copy_lies_in_the_folder_of_its_original_though_another_folder_has_its_name(
    open_fresh_stage: OpenStage,
) -> None:
    stage = open_fresh_stage(SPEC)
    made = back_up(stage, vm_named(stage, "web"), BackupKind.FULL)
    report = restored(stage, made, NewVm(placement=VmPlacement(name="copy")))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert folders(stage, "copy") == [("Production", "Web"), ("Test",)]
    again = restored(stage, made, NewVm(placement=VmPlacement(name="copy")))
    assert again.task.error is not None
    assert again.task.error.code == "restore.name_taken"


def test_a_vm_that_is_gone_comes_back_to_its_folder_though_another_has_its_name(
    open_fresh_stage: OpenStage,
) -> None:
    stage = open_fresh_stage(SPEC)
    vm = vm_named(stage, "web")
    made = back_up(stage, vm, BackupKind.FULL)
    inventory = stage.simulator.world.inventory
    stage.simulator.world.guests.stopped(inventory.vms[vm.id])
    delete_files(inventory.vms[vm.id])
    forget(inventory.vms[vm.id])
    inventory.vms[vm_named(stage, "copy").id].rename("web")
    report = restored(stage, made, OverOriginal())
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert folders(stage, "web") == [("Production", "Web"), ("Test",)]


def test_a_host_that_is_too_old_is_refused_before_anything_of_the_original_is_changed(
    open_fresh_stage: OpenStage,
) -> None:
    stage = open_fresh_stage(SPEC)
    vm = vm_named(stage, "web")
    made = back_up(stage, vm, BackupKind.FULL)
    for host in stage.simulator.world.inventory.hosts:
        host.esxi_version = "6.5.0"
    report = restored(stage, made, OverOriginal())
    assert report.task.error is not None
    assert report.task.error.code == "vm.creation_failed"
    assert "192 CPUs" in report.task.error.message
    assert "ESXi 6.7 U2 or newer" in report.task.error.message
    assert vm_named(stage, "web").power_state is PowerState.ON
    assert vm_named(stage, "web").id == vm.id


def test_an_older_host_gets_an_older_version_and_the_plan_says_so(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(SPEC)
    made = back_up(stage, vm_named(stage, "copy"), BackupKind.FULL)
    for host in stage.simulator.world.inventory.hosts:
        host.esxi_version = "7.0.3"
    target = NewVm(placement=VmPlacement(name="lowered"))
    planned = stage.engine.ask(
        PlanRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
    )
    assert planned is not None
    assert any("vmx-21" in warning and "vmx-19" in warning for warning in map(str, planned.warnings))
    report = restored(stage, made, target)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert any("vmx-19" in line.text for line in report.log)
