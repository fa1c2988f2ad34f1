"""Backups over the wire: what is read, what is stored, and that every point is exactly what the snapshot froze."""

from dataclasses import replace

import pytest

from app.bootstrap import host
from app.bootstrap.host import engine_settings
from app.cli.demo.stage import Stage
from app.contract.platforms import UpdatePlatform
from app.contract.tasks import CancelTask, TaskDetails
from app.domain.extents import Extent
from app.domain.states import BackupKind, TaskState, TransportMode
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, UserSpec, VmSpec
from app.vsphere.snapshots import SnapshotTimings
from tests.e2e.conftest import OpenStage
from tests.support.logguard import LogGuard
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    assert_qemu_agrees,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)
from tests.support.waiting import wait_until

FULL, INCREMENTAL, DIFFERENTIAL = BackupKind.FULL, BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL


@pytest.mark.qemu
def test_every_point_of_a_changing_vm_is_exact_and_reads_only_what_changed(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    made = [back_up(stage, vm, FULL)]
    for kind in (INCREMENTAL, DIFFERENTIAL, INCREMENTAL):
        stage.simulator.world.guests.write_now(vm.id, 2 * MIB)
        made.append(back_up(stage, vm, kind))
    assert [backup.point.kind for backup in made] == [FULL, INCREMENTAL, DIFFERENTIAL, INCREMENTAL]
    assert [backup.point.parent for backup in made] == [None, made[0].point.id, made[0].point.id, made[2].point.id]
    for backup in made[1:]:
        assert 0 < backup.point.read_bytes < backup.point.capacity_bytes / 2
    assert made[2].point.read_bytes > made[1].point.read_bytes
    assert_points_are_exact(stage, vm.id, made)
    for backup in made:
        assert_qemu_agrees(stage, vm.id, backup)
    assert not our_snapshots(stage)


def test_an_unchanged_vm_costs_nothing_but_the_audit(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    back_up(stage, vm, FULL)
    again = back_up(stage, vm, INCREMENTAL)
    assert again.point.stored_bytes < 64 * 1024
    assert_points_are_exact(stage, vm.id, [again])


@pytest.mark.parametrize("mode", [TransportMode.NFC_SSL, TransportMode.NFC, TransportMode.HTTPS])
@pytest.mark.parametrize("flavour", [Flavour.VCENTER, Flavour.ESXI])
@pytest.mark.parametrize("version", ["6.5.0", "8.0.3"])
def test_every_way_to_the_disks_gives_the_same_point(
    open_fresh_stage: OpenStage, mode: TransportMode, flavour: Flavour, version: str
) -> None:
    user = UserSpec(
        name="administrator@vsphere.local" if flavour is Flavour.VCENTER else "root", password="secret-1"
    )
    hosts = ("esx01.lab", "esx02.lab") if flavour is Flavour.VCENTER else ("esx01.lab",)
    vms = (VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=16 * MIB),)),)
    stage = open_fresh_stage(
        SimulatorSpec(flavour=flavour, version=version, hosts=hosts, users=(user,), vms=vms)  # type: ignore[arg-type]
    )
    stage.engine.execute(
        UpdatePlatform(
            platform=stage.platform,
            name="Demo vCenter",
            user=stage.simulator.user,
            thumbprint_sha256=stage.simulator.thumbprint_sha256,
            allows_plain_transport=mode is TransportMode.NFC,
        )
    )
    vm = vm_named(stage, "web-01")
    task = start_backup(stage, vm, FULL, transports=(mode,))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert any(f"over {mode.value}" in line.text for line in report.log), explain(report)
    point = known_point(stage, report)
    assert_points_are_exact(stage, vm.id, [Made(task, point)])
    assert [disk.transport for disk in point.disks] == [mode]
    assert point.travelled_plain == (mode is TransportMode.NFC)


def test_without_permission_no_disk_travels_unencrypted(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    task = start_backup(stage, vm, FULL, transports=(TransportMode.NFC,))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert "unencrypted" in str(dict(report.task.error.params)["reasons"])


def test_the_documented_states_come_in_their_order(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert [stage_time.state for stage_time in report.task.stages] == [
        TaskState.PENDING,
        TaskState.PREPARING,
        TaskState.SAVING_CONFIGURATION,
        TaskState.QUERYING_CHANGES,
        TaskState.CHECKING_DATA,
        TaskState.RUNNING,
        TaskState.REMOVING_SNAPSHOT,
        TaskState.COMPLETED,
    ]


@pytest.fixture
def wholly_audited(monkeypatch: pytest.MonkeyPatch, open_fresh_stage: OpenStage) -> Stage:
    """A stage whose audit draws every block: of a sample, nobody knows what it meets."""
    monkeypatch.setattr(
        host, "engine_settings", lambda settings: replace(engine_settings(settings), audit_blocks=1000)
    )
    return open_fresh_stage()


def test_a_lie_of_change_tracking_is_caught_and_the_point_is_exact_all_the_same(wholly_audited: Stage) -> None:
    stage = wholly_audited
    vm = vm_named(stage, "web-01")
    first = back_up(stage, vm, FULL)
    disk = first.point.disks[0]
    stage.simulator.world.guests.write_now(vm.id, 4 * MIB)
    stage.simulator.faults.lie_in_cbt(vm.name, disk.key, Extent(0, disk.capacity_bytes))
    second = back_up(stage, vm, INCREMENTAL)
    lines = [line.code for line in stage.engine.ask(TaskDetails(task=second.task)).log]
    assert "audit.found_lie" in lines
    assert_points_are_exact(stage, vm.id, [first, second])


def test_lost_tracking_leads_to_a_whole_read_with_the_reason(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    back_up(stage, vm, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    stage.simulator.faults.fail_call("QueryChangedDiskAreas", times=2)
    second = back_up(stage, vm, INCREMENTAL)
    codes = [line.code for line in stage.engine.ask(TaskDetails(task=second.task)).log]
    assert "plan.whole_changes_lost" in codes
    assert_points_are_exact(stage, vm.id, [second])


def test_a_dropped_connection_is_picked_up_where_it_was(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.drop_nfc(after_bytes=3 * MIB)
    made = back_up(stage, vm, FULL)
    codes = [line.code for line in stage.engine.ask(TaskDetails(task=made.task)).log]
    assert "transport.connection_restored" in codes, codes
    assert_points_are_exact(stage, vm.id, [made])


def test_an_expired_session_is_logged_in_again(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    task = start_backup(stage, vm, FULL)
    wait_until(lambda: our_snapshots(stage), what="the snapshot", deadline_s=30)
    stage.simulator.faults.expire_sessions()
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert not our_snapshots(stage)


def test_a_guest_that_cannot_be_quiesced_gives_a_crash_consistent_point_with_a_warning(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = SnapshotTimings.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "quiesce_pause_s", 0.05)
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.fail_quiesce(vm.name, times=10)
    task = start_backup(stage, vm, FULL, quiesce=True)
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "backup.quiesce_given_up" in [line.code for line in report.log]


def test_a_cancelled_backup_leaves_nothing_on_the_host_and_no_point(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(VmSpec(name="big-01", disks=(DiskSpec(capacity_bytes=256 * MIB),))))
    vm = vm_named(stage, "big-01")
    task = start_backup(stage, vm, FULL)
    wait_until(lambda: our_snapshots(stage), what="the snapshot", deadline_s=30)
    stage.engine.execute(CancelTask(task=task))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.STOPPED, explain(report)
    assert report.task.point is None
    assert not our_snapshots(stage)
    again = back_up(stage, vm, INCREMENTAL)
    assert again.point.kind is FULL
    assert_points_are_exact(stage, vm.id, [again])


def test_a_snapshot_that_cannot_be_consolidated_at_first_is_removed_in_the_end(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.refuse_consolidation(vm.name, times=1)
    made = back_up(stage, vm, FULL)
    assert not our_snapshots(stage)
    assert_points_are_exact(stage, vm.id, [made])


def test_a_changed_certificate_stops_the_work_before_anything_is_said(stage: Stage, log_guard: LogGuard) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.change_certificate()
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "platform.certificate_changed"


def test_disks_that_take_no_part_in_snapshots_are_named_and_left_out(open_fresh_stage: OpenStage) -> None:
    disks = (
        DiskSpec(capacity_bytes=16 * MIB),
        DiskSpec(capacity_bytes=16 * MIB, mode="independent_persistent"),
        DiskSpec(capacity_bytes=16 * MIB, kind="rdm_physical"),
    )
    stage = open_fresh_stage(small_spec(VmSpec(name="odd-01", disks=disks)))
    vm = vm_named(stage, "odd-01")
    made = back_up(stage, vm, FULL)
    assert len(made.point.disks) == 1
    codes = [line.code for line in stage.engine.ask(TaskDetails(task=made.task)).log]
    assert codes.count("backup.disk_left_out") == 2
    assert_points_are_exact(stage, vm.id, [made])
