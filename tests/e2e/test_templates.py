"""Templates over the wire: read without a snapshot, restored as templates."""

import uuid
from pathlib import Path

import pytest
from pyVmomi import vim

from app.cli.demo.comparison import compare_files, compare_with_file
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm, ListVms, RemoveOrphanedSnapshots
from app.contract.points import ListPoints
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.tasks import TaskReport
from app.core.clock import SystemClock
from app.domain.ids import VmId
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import RestorePhase, RestoreTrace
from app.domain.vms import PowerState, VmPlacement, VmSummary
from app.repository import Repository
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.vm import lifecycle
from app.simulator.vm.config import with_devices
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed
from tests.e2e.conftest import OpenStage
from tests.support.stage import (
    MIB,
    Made,
    at_state,
    back_up,
    examined,
    explain,
    finished,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)

GOLDEN = VmSpec(
    name="golden",
    disks=(DiskSpec(capacity_bytes=16 * MIB), DiskSpec(capacity_bytes=8 * MIB, filesystem=False)),
    folder=("Templates",),
    template=True,
)


@pytest.fixture
def stage(open_fresh_stage: OpenStage) -> Stage:
    return open_fresh_stage(small_spec(GOLDEN))


def machine(stage: Stage, vm: VmId) -> Machine:
    found = stage.simulator.world.inventory.vms[vm]
    assert isinstance(found, Machine)
    return found


def live_copy(stage: Stage, path: str, folder: Path) -> Path:
    return stage.export_live_disk(path, folder / f"{uuid.uuid4()}.raw")


def assert_is_in_point(stage: Stage, made: Made, vm: VmId, folder: Path) -> None:
    live = {disk.key: disk.path for disk in stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm)).disks}
    with (
        Repository.open(stage.root / "standby", local_dir=stage.root / "look", clock=SystemClock()) as repository,
        repository.open_point(made.point.id) as reader,
    ):
        assert len(reader.point.disks) == len(live)
        for disk in reader.point.disks:
            opened = reader.open_disk(disk.key)
            try:
                assert compare_with_file(opened, live_copy(stage, live[disk.key], folder)) is None
            finally:
                opened.close()


def restore(stage: Stage, made: Made, target: NewVm | OverOriginal) -> TaskReport:
    wish = StartRestore(
        standby=stage.standby, point=made.point.id, platform=stage.platform, target=target, power_on=True
    )
    report = finished(stage.engine, stage.engine.execute(wish))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return report


def assert_same_disks(stage: Stage, old: VmSummary, new: VmSummary, folder: Path) -> None:
    both = [stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm.id)).disks for vm in (old, new)]
    for one, other in zip(*both, strict=True):
        copies = live_copy(stage, one.path, folder), live_copy(stage, other.path, folder)
        assert compare_files(*copies) is None


def test_a_template_is_read_without_a_snapshot_and_what_is_stored_is_not_stored_again(
    stage: Stage, tmp_path: Path
) -> None:
    vm = vm_named(stage, "golden")
    assert vm.is_template
    first = back_up(stage, vm, BackupKind.FULL)
    assert_is_in_point(stage, first, vm.id, tmp_path)
    assert {"config.json", "vm.vmx", "vm.nvram"} <= set(first.point.configuration_files)
    second = back_up(stage, vm, BackupKind.INCREMENTAL)
    assert second.point.kind is BackupKind.FULL
    assert second.point.consistent
    assert second.point.read_bytes == first.point.read_bytes
    assert second.point.stored_bytes == 0
    assert_is_in_point(stage, second, vm.id, tmp_path)
    report = finished(stage.engine, second.task)
    codes = [line.code for line in report.log]
    assert "backup.template_read" in codes
    assert not {"snapshot.created", "plan.whole_not_tracked", "backup.tracking_switched_on"} & set(codes)
    assert not machine(stage, vm.id).config.changeTrackingEnabled
    assert our_snapshots(stage) == []
    assert machine(stage, vm.id).last_snapshot_number == 0


def test_a_template_becomes_a_new_template(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "golden")
    made = back_up(stage, vm, BackupKind.FULL)
    report = restore(stage, made, NewVm(placement=VmPlacement(name="golden-copy")))
    copy = vm_named(stage, "golden-copy")
    assert copy.is_template
    assert copy.power_state is PowerState.OFF
    assert copy.folder == ("Templates",)
    assert_same_disks(stage, vm, copy, tmp_path)
    codes = {line.code for line in report.log}
    assert {"restore.marked_as_template", "restore.template_stays_off"} <= codes


def test_a_template_takes_the_place_of_the_original_and_keeps_its_identity(stage: Stage) -> None:
    vm = vm_named(stage, "golden")
    made = back_up(stage, vm, BackupKind.FULL)
    before = machine(stage, vm.id).config
    restore(stage, made, OverOriginal())
    (after,) = stage.engine.ask(ListVms(platform=stage.platform))
    assert after.id != vm.id
    assert (after.name, after.is_template, after.folder) == ("golden", True, ("Templates",))
    now = machine(stage, after.id).config
    assert (now.uuid, now.instanceUuid) == (before.uuid, before.instanceUuid)


def test_another_template_with_the_id_of_the_original_is_left_alone(stage: Stage) -> None:
    vm = vm_named(stage, "golden")
    made = back_up(stage, vm, BackupKind.FULL)
    golden = machine(stage, vm.id)
    golden.set_config(changed(golden.config, instanceUuid=str(uuid.uuid4())))
    wish = StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=OverOriginal())
    report = finished(stage.engine, stage.engine.execute(wish))
    assert report.task.state is TaskState.FAILED, explain(report)
    assert [known.id for known in stage.engine.ask(ListVms(platform=stage.platform))] == [vm.id]


@pytest.mark.parametrize("change", ["became a vm", "ran in between", "lost a disk", "gone"])
def test_a_template_that_changes_while_it_is_read_gives_no_point(stage: Stage, change: str) -> None:
    vm = vm_named(stage, "golden")
    golden = machine(stage, vm.id)
    pool = golden.pool.ref

    def act() -> None:
        if change == "gone":
            lifecycle.forget(golden)
            return
        if change == "lost a disk":
            devices = golden.config.hardware.device
            gone = next(device for device in reversed(devices) if isinstance(device, vim.vm.device.VirtualDisk))
            golden.set_config(with_devices(golden.config, [device for device in devices if device is not gone]))
            return
        lifecycle.mark_as_vm(golden, pool, None)
        if change == "ran in between":
            lifecycle.mark_as_template(golden)

    at_state(stage, TaskState.RUNNING, act)
    report = finished(stage.engine, start_backup(stage, vm, BackupKind.FULL))
    assert report.task.state is TaskState.FAILED, explain(report)
    assert report.task.error is not None
    assert report.task.error.code in {"backup.template_changed", "vm.not_found"}, explain(report)
    assert stage.engine.ask(ListPoints(standby=stage.standby)) == ()


def test_a_template_that_cannot_be_marked_stays_a_whole_vm_and_is_named(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "golden")
    made = back_up(stage, vm, BackupKind.FULL)
    stage.simulator.faults.fail_call("MarkAsTemplate", times=5)
    report = restore(stage, made, NewVm(placement=VmPlacement(name="golden-copy")))
    assert "restore.not_marked_as_template" in {line.code for line in report.log}
    copy = vm_named(stage, "golden-copy")
    assert not copy.is_template
    assert_same_disks(stage, vm, copy, tmp_path)


def test_a_crash_before_the_last_step_leaves_a_vm_that_becomes_a_template_later(stage: Stage) -> None:
    made = back_up(stage, vm_named(stage, "golden"), BackupKind.FULL)
    stage.simulator.faults.fail_call("MarkAsTemplate", times=1)
    report = restore(stage, made, NewVm(placement=VmPlacement(name="golden-copy")))
    copy = vm_named(stage, "golden-copy")
    assert not copy.is_template
    journal = stage.engine.services.catalog.restore_journal
    journal.note(
        RestoreTrace(
            task=report.task.id,
            platform=stage.platform,
            phase=RestorePhase.SWAPPING_TEMPLATE,
            name="golden-2",
            created_as="golden-copy",
            created=copy.id,
        )
    )
    stage.engine.execute(RemoveOrphanedSnapshots(platform=stage.platform))
    assert vm_named(stage, "golden-2").is_template
    assert list(journal.open_traces()) == []


def test_the_doctor_says_how_a_template_is_read(stage: Stage) -> None:
    vm = vm_named(stage, "golden")
    found = examined(stage, vm)
    assert "doctor.template" in {finding.code for finding in found}
    assert not {finding.code for finding in found if finding.code.startswith("doctor.tracking")}
