"""Restores over the wire: as a new VM and over the original, compared with the frozen disks."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim

from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm, ListVms
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.tasks import CancelTask
from app.domain.ids import VmId
from app.domain.messages import LogLevel
from app.domain.states import BackupKind, TaskState
from app.domain.vms import PowerState, VmPlacement
from app.simulator.spec import DiskSpec, VmSpec
from tests.e2e.conftest import OpenStage
from tests.support.stage import MIB, Made, back_up, explain, finished, restore, small_spec, vm_named
from tests.support.waiting import wait_until


def assert_restored(stage: Stage, source: VmId, made: Made, restored: VmId, folder: Path) -> None:
    disks = stage.engine.ask(DescribeVm(platform=stage.platform, vm=restored)).disks
    assert len(disks) == len(made.point.disks)
    for old, new in zip(made.point.disks, disks, strict=True):
        copy = stage.export_live_disk(new.path, folder / f"{restored}-{new.key}.raw")
        assert compare_files(stage.frozen_copy(source, made.task, old.key), copy) is None, new.label


def known_by(stage: Stage, vm: VmId) -> tuple[str, str, list[str | None]]:
    """Return what a VM is known by on the platform and in its networks."""
    config = stage.simulator.world.get(vim.VirtualMachine(vm)).read("config")
    cards = [device for device in config.hardware.device if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    assert cards
    return config.uuid, config.instanceUuid, [card.macAddress for card in cards]


def test_a_new_vm_holds_every_byte_of_an_older_point(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "web-01")
    first = back_up(stage, vm, BackupKind.FULL)
    stage.simulator.world.guests.write_now(vm.id, 2 * MIB)
    second = back_up(stage, vm, BackupKind.INCREMENTAL)
    for made, name in ((first, "web-01-old"), (second, "web-01-new")):
        restore(stage, made, NewVm(placement=VmPlacement(name=name)))
        restored = vm_named(stage, name)
        assert restored.power_state is PowerState.OFF
        assert restored.instance_uuid != vm.instance_uuid
        assert_restored(stage, vm.id, made, restored.id, tmp_path)
    assert vm_named(stage, "web-01").id == vm.id


def test_the_original_is_replaced_and_keeps_its_identity(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    before = known_by(stage, vm.id)
    stage.simulator.world.guests.write_now(vm.id, 2 * MIB)
    report = restore(stage, made, OverOriginal(), power_on=False)
    present = stage.engine.ask(ListVms(platform=stage.platform))
    assert [listed.name for listed in present] == ["web-01"]
    assert present[0].id != vm.id
    codes = [line.code for line in report.log]
    assert "restore.identity_kept" in codes, explain(report)
    assert not [
        line.text
        for line in report.log
        if ("UUID" in line.text or "MAC" in line.text) and line.level is not LogLevel.NORMAL
    ], "what the platform gave it at first is not how it is in the end"
    assert known_by(stage, present[0].id) == before
    assert_restored(stage, vm.id, made, present[0].id, tmp_path)


def test_a_restored_vm_starts_when_it_is_told_to(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    restore(stage, made, NewVm(placement=VmPlacement(name="web-01-copy")), power_on=True)
    assert vm_named(stage, "web-01-copy").power_state is PowerState.ON


def test_a_cancelled_restore_takes_its_vm_away_again(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(VmSpec(name="big-01", disks=(DiskSpec(capacity_bytes=256 * MIB),))))
    vm = vm_named(stage, "big-01")
    made = back_up(stage, vm, BackupKind.FULL)
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=NewVm(placement=VmPlacement(name="copy-01")),
        )
    )
    wait_until(
        lambda: len(stage.engine.ask(ListVms(platform=stage.platform))) == 2, what="the new VM", deadline_s=30
    )
    stage.engine.execute(CancelTask(task=task))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.STOPPED, explain(report)
    assert [listed.name for listed in stage.engine.ask(ListVms(platform=stage.platform))] == ["big-01"]


@pytest.mark.parametrize("kind", ["new", "over"])
def test_a_failing_restore_leaves_the_platform_as_it_was(stage: Stage, kind: str) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    stage.simulator.faults.fail_call("CreateVM_Task", times=5)
    target = OverOriginal() if kind == "over" else NewVm(placement=VmPlacement(name="copy-01"))
    task = stage.engine.execute(
        StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.FAILED
    present = stage.engine.ask(ListVms(platform=stage.platform))
    assert [(listed.name, listed.id) for listed in present] == [("web-01", vm.id)]


@pytest.mark.allows_log("is tried again later")
def test_a_vm_that_a_failed_creation_leaves_behind_is_removed_later(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    stage.simulator.faults.lose_answer("CreateVM_Task")
    refused = vim.fault.FileLocked(msg="Another process holds the file.", file="[ds1] copy-01/copy-01.vmdk")
    stage.simulator.faults.fail_task("Destroy_Task", fault=refused, times=2)
    target = NewVm(placement=VmPlacement(name="copy-01"))
    task = stage.engine.execute(
        StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
    )
    report = finished(stage.engine, task)
    assert report.task.error is not None
    assert report.task.error.code == "vm.left_behind", explain(report)
    assert "restore.left_vm_not_removed" in [line.code for line in report.log], explain(report)
    assert {listed.name for listed in stage.engine.ask(ListVms(platform=stage.platform))} == {"web-01", "copy-01"}
    back_up(stage, vm, BackupKind.INCREMENTAL)
    assert [listed.name for listed in stage.engine.ask(ListVms(platform=stage.platform))] == ["web-01"]


@pytest.mark.parametrize("kind", ["independent", "multi-writer"])
def test_an_original_is_not_deleted_with_a_disk_that_no_point_holds(
    open_fresh_stage: OpenStage, tmp_path: Path, kind: str
) -> None:
    system, data = DiskSpec(capacity_bytes=32 * MIB), DiskSpec(capacity_bytes=16 * MIB)
    if kind == "independent":
        data = replace(data, mode="independent_persistent", filesystem=False)
    else:
        data = replace(data, multi_writer=True, filesystem=False)
    stage = open_fresh_stage(small_spec(VmSpec(name="web-01", disks=(system, data), powered_on=False)))
    vm = vm_named(stage, "web-01")
    point = back_up(stage, vm, BackupKind.FULL).point
    before = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm.id)).disks
    task = stage.engine.execute(
        StartRestore(standby=stage.standby, point=point.id, platform=stage.platform, target=OverOriginal())
    )
    report = finished(stage.engine, task)
    assert report.task.error is not None, explain(report)
    assert report.task.error.code == "restore.disks_not_held", explain(report)
    assert before[-1].path in report.task.error.message
    assert [(listed.id, listed.name) for listed in stage.engine.ask(ListVms(platform=stage.platform))] == [
        (vm.id, "web-01")
    ]
    assert stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm.id)).disks == before
    stage.export_live_disk(before[-1].path, tmp_path / "data.raw")
