"""Disks and VMs as real inventories have them, backed up and restored."""

import pytest

from app.cli.demo.stage import Stage
from app.contract.doctor import ExaminePlatform
from app.contract.restore import NewVm, StartRestore
from app.contract.tasks import TaskReport
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.spec import DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from app.simulator.storage import SimDisk
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.e2e.conftest import OpenStage
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
DISKS = (DiskSpec(capacity_bytes=16 * MIB),)


def machine(stage: Stage, name: str) -> VirtualMachine:
    with stage.simulator.world.lock:
        [found] = [vm for vm in stage.simulator.world.all(VirtualMachine) if vm.name == name]
    return found


def leaf(stage: Stage, name: str, key: int = 2000) -> SimDisk:
    found = machine(stage, name).trees[key].leaf
    assert found is not None
    return found


def made_of(stage: Stage, report: TaskReport) -> Made:
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return Made(report.task.id, known_point(stage, report))


def test_a_linked_clone_is_backed_up_whole_and_never_as_its_file(open_fresh_stage: OpenStage) -> None:
    gold = VmSpec(name="gold", disks=DISKS, template=True)
    stage = open_fresh_stage(small_spec(gold, VmSpec(name="clone", disks=DISKS, linked_to="gold")))
    clone = vm_named(stage, "clone")
    leaf(stage, "clone").write(5 * MIB, b"the clone's own")
    modes = (TransportMode.HTTPS, TransportMode.NFC_SSL)
    report = finished(stage.engine, start_backup(stage, clone, FULL, transports=modes))
    made = [made_of(stage, report)]
    assert [disk.transport for disk in made[0].point.disks] == [TransportMode.NFC_SSL]
    assert "delta" in explain(report)
    leaf(stage, "clone").write(9 * MIB, b"later")
    made.append(back_up(stage, clone, INCREMENTAL))
    assert made[1].point.kind is INCREMENTAL
    assert_points_are_exact(stage, clone.id, made)
    alone = finished(stage.engine, start_backup(stage, clone, FULL, transports=(TransportMode.HTTPS,)))
    assert alone.task.state is TaskState.FAILED


def test_quiesced_windows_guests_are_backed_up_with_what_their_applications_wrote(
    open_fresh_stage: OpenStage,
) -> None:
    spec = VmSpec(name="win-01", disks=(*DISKS, *DISKS), guest_id="windows2019srv_64Guest", hostname="win-01")
    stage = open_fresh_stage(small_spec(spec))
    vm, made = vm_named(stage, "win-01"), []
    for number, kind in enumerate((FULL, INCREMENTAL, INCREMENTAL)):
        leaf(stage, "win-01").write((number + 2) * MIB, b"written")
        report = finished(stage.engine, start_backup(stage, vm, kind, quiesce=True))
        made.append(made_of(stage, report))
        assert made[-1].point.kind is kind, explain(report)
        assert made[-1].point.consistent
        assert [disk.transport for disk in made[-1].point.disks] == [TransportMode.NFC_SSL] * 2
    assert b"VSS" in stage.frozen_copy(vm.id, made[-1].task, 2000).read_bytes()[:512]
    assert_points_are_exact(stage, vm.id, made)
    assert not our_snapshots(stage)
    assert [leaf(stage, "win-01", key).parent for key in (2000, 2001)] == [None, None]
    assert not machine(stage, "win-01").consolidation_needed


def test_the_primary_of_a_pair_is_backed_up_and_the_secondary_named_as_what_it_is(
    open_fresh_stage: OpenStage,
) -> None:
    pair = (VmSpec(name="first", disks=DISKS), VmSpec(name="second", disks=DISKS, secondary_of="first"))
    stage = open_fresh_stage(small_spec(*pair))
    first = vm_named(stage, "first")
    assert_points_are_exact(stage, first.id, [back_up(stage, first, FULL), back_up(stage, first, INCREMENTAL)])
    report = finished(stage.engine, start_backup(stage, vm_named(stage, "second"), FULL))
    assert report.task.error is not None
    assert report.task.error.code == "backup.vm_not_backed_up"
    assert "its primary is backed up instead" in report.task.error.message


@pytest.mark.parametrize("powered_on", [True, False])
def test_a_vm_on_a_shared_bus_says_before_its_run_what_becomes_of_it(
    open_fresh_stage: OpenStage, *, powered_on: bool
) -> None:
    shared = DiskSpec(capacity_bytes=16 * MIB, bus_sharing="physicalSharing")
    stage = open_fresh_stage(small_spec(VmSpec(name="node", disks=(*DISKS, shared), powered_on=powered_on)))
    vm = vm_named(stage, "node")
    assert [left.label for left in vm.disks_left_out] == ["Hard disk 2"]
    assert (vm.snapshot_doubt is not None) is powered_on
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert (report.task.state is TaskState.FAILED) is powered_on, explain(report)
    assert ("backup.snapshot_doubtful" in [line.code for line in report.log]) is powered_on


def test_disks_that_need_consolidation_are_merged_when_that_is_asked_for(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(VmSpec(name="left", disks=DISKS, needs_consolidation=True)))
    base = leaf(stage, "left").base
    leaf(stage, "left").write(MIB, b"in the delta")
    [offer] = [
        finding.remedy
        for finding in stage.engine.ask(ExaminePlatform(platform=stage.platform))
        if finding.remedy is not None
    ]
    report = finished(stage.engine, stage.engine.execute(offer))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert report.task.progress.fraction == 1
    assert not vm_named(stage, "left").needs_consolidation
    assert leaf(stage, "left") is base
    assert base.read(MIB, 12) == b"in the delta"


def test_a_locked_disk_fails_the_consolidation_with_the_platforms_reason(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(VmSpec(name="left", disks=DISKS, needs_consolidation=True)))
    stage.simulator.faults.refuse_consolidation("left")
    [offer] = [
        finding.remedy
        for finding in stage.engine.ask(ExaminePlatform(platform=stage.platform))
        if finding.remedy is not None
    ]
    report = finished(stage.engine, stage.engine.execute(offer))
    assert report.task.state is TaskState.FAILED
    assert "locked" in explain(report)
    assert vm_named(stage, "left").needs_consolidation


def test_a_vm_with_a_storage_policy_is_restored_without_it_and_that_is_said(open_fresh_stage: OpenStage) -> None:
    disk = DiskSpec(capacity_bytes=16 * MIB, io_filters=("VMW_vmwarecache_1.0.0",))
    spec = SimulatorSpec(
        datastores=(DatastoreSpec(name="ds1", kind="vsan"), DatastoreSpec(name="ds2")),
        vms=(VmSpec(name="web-01", disks=(disk,)),),
    )
    stage = open_fresh_stage(spec)
    point = back_up(stage, vm_named(stage, "web-01"), FULL).point
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=point.id,
            platform=stage.platform,
            target=NewVm(placement=VmPlacement(name="web-02", datastore="ds2")),
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "assign the right one to the VM" in explain(report)
    assert "VMW_vmwarecache_1.0.0" in explain(report)
