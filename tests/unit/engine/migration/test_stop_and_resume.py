"""Migrations that the operator stops, and those that go on."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.contract.migration import CutOver, PlanMigration, ResumeMigration, StopMigration
from app.contract.tasks import StartConsolidation
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.migration import MigrationState
from app.simulator.server import VSphereSimulator
from tests.support.migration_lab import MIB, MigrationLab, machine_of, names_of
from tests.support.waiting import wait_until
from tests.unit.engine.migration.conftest import OpenLab

STAGES: dict[str, tuple[Callable[[MigrationLab], VSphereSimulator], str]] = {
    "tracking is switched on": (lambda lab: lab.source, "ReconfigVM_Task"),
    "the target is created": (lambda lab: lab.target, "CreateVM_Task"),
    "the source is frozen": (lambda lab: lab.source, "CreateSnapshotEx_Task"),
    "the snapshot is removed": (lambda lab: lab.source, "RemoveSnapshot_Task"),
    "the source is powered off": (lambda lab: lab.source, "PowerOffVM_Task"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_at_any_stage_leaves_the_source_running_and_it_can_be_resumed(
    open_lab: OpenLab, stage: str
) -> None:
    lab = open_lab(hostname=None, change_tracking=stage != "tracking is switched on")
    where, method = STAGES[stage]
    faults = where(lab).faults
    before = faults.calls(method)
    faults.hang_task(method)
    migration = lab.start()
    wait_until(lambda: faults.calls(method) > before, what=f"{method} to be called")
    lab.engine.execute(StopMigration(migration=migration))
    faults.release(method)
    row = lab.reached(migration, MigrationState.STOPPED)
    assert row.error is None
    lab.assert_source_unharmed()
    lab.assert_nothing_unlisted()
    lab.resume(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


@pytest.mark.parametrize("method", ["Rename_Task", "PowerOnVM_Task"])
def test_a_stop_while_the_target_takes_the_place_comes_too_late(lab: MigrationLab, method: str) -> None:
    lab.target.faults.hang_task(method)
    migration = lab.start()
    wait_until(lambda: lab.target.faults.calls(method) > 0, what=f"{method} to be called")
    assert lab.row(migration).state is MigrationState.CUTTING_OVER
    lab.engine.execute(StopMigration(migration=migration))
    lab.target.faults.release(method)
    lab.reached(migration, MigrationState.COMPLETED)
    assert machine_of(lab.target, "web").power_state == "poweredOn"


def test_a_resumed_migration_copies_only_what_has_changed(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    lab.engine.execute(StopMigration(migration=migration))
    lab.reached(migration, MigrationState.STOPPED)
    lab.write(4 * MIB, os.urandom(MIB))
    lab.resume(migration)
    lab.reached(migration, MigrationState.READY)
    resumed = lab.reports()[-1]
    assert MIB <= resumed.task.progress.written_bytes <= 2 * MIB


def test_a_first_pass_that_was_broken_off_is_not_begun_again(open_lab: OpenLab) -> None:
    lab = open_lab(disks=2)
    lab.write(0, os.urandom(16 * MIB), key=2000)
    lab.write(0, os.urandom(16 * MIB), key=2001)
    lab.source.faults.halt_reads(24 * MIB, lambda: lab.engine.execute(StopMigration(migration=lab.rows()[0].id)))
    migration = lab.start(automatic=False)
    row = lab.reached(migration, MigrationState.STOPPED)
    assert row.passes == 0
    lab.resume(migration)
    lab.reached(migration, MigrationState.READY)
    resumed = lab.reports()[-1]
    assert resumed.task.progress.written_bytes <= 17 * MIB, "the disk that was done is not written again"
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    for key in (2000, 2001):
        assert lab.target_content(key=key) == lab.source_content(row.source_kept_as, key)


def test_a_stop_that_keeps_nothing_deletes_the_target(lab: MigrationLab) -> None:
    lab.source.faults.hang_task("CreateSnapshotEx_Task")
    migration = lab.start()
    wait_until(lambda: lab.source.faults.calls("CreateSnapshotEx_Task") > 0, what="the first snapshot")
    assert names_of(lab.target) != set()
    lab.engine.execute(StopMigration(migration=migration, keep=False))
    lab.source.faults.release("CreateSnapshotEx_Task")
    assert lab.engine.wait_until_idle(60)
    assert lab.rows() == ()
    assert names_of(lab.target) == set()
    lab.assert_source_unharmed()


def test_what_cannot_be_done_now_is_refused(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    assert refusal(lambda: lab.start()) == "migration.exists"
    assert refusal(lambda: lab.engine.execute(ResumeMigration(migration=migration))) == "migration.not_stopped"
    lab.engine.execute(StopMigration(migration=migration))
    assert refusal(lambda: lab.engine.execute(CutOver(migration=migration))) == "migration.not_ready"
    assert refusal(lambda: lab.start(lab.member(name=""))) == "engine.request_refused"


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(OperationalError) as refused:
        action()
    return refused.value.code


def test_changes_of_one_that_is_ready_are_followed_now_and_then(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    lab.engine.tick()
    assert lab.ended(migration).passes == 2, "it is not old yet"
    age(lab)
    lab.engine.tick()
    row = lab.reached(migration, MigrationState.READY)
    assert row.passes == 3


def age(lab: MigrationLab) -> None:
    (known,) = lab.catalog.migrations.all()
    assert known.progress.frozen_at is not None
    earlier = known.progress.frozen_at - timedelta(seconds=lab.settings.migration_follow_s + 1)
    lab.catalog.migrations.put(replace(known, progress=replace(known.progress, frozen_at=earlier)))


def test_nothing_else_works_at_the_source_meanwhile(lab: MigrationLab) -> None:
    lab.source.faults.hang_task("CreateSnapshotEx_Task")
    migration = lab.start(automatic=False)
    wait_until(lambda: lab.source.faults.calls("CreateSnapshotEx_Task") > 0, what="the first snapshot")
    vm = VmId(machine_of(lab.source, "web").moid)
    lab.engine.execute(StartConsolidation(platform=lab.here, vm=vm, vm_name="web"))
    assert (lab.engine.manager.live_count(), lab.engine.manager.pending_count()) == (1, 1)
    lab.source.faults.release("CreateSnapshotEx_Task")
    lab.reached(migration, MigrationState.READY)


def test_a_source_whose_disks_were_changed_is_not_migrated_on(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    (known,) = lab.catalog.migrations.all()
    smaller = tuple(replace(disk, capacity_bytes=disk.capacity_bytes // 2) for disk in known.disks)
    lab.catalog.migrations.put(replace(known, disks=smaller))
    report = lab.cut_over(migration)
    assert report.task.error is not None
    assert report.task.error.code == "migration.disks_changed"
    lab.assert_source_unharmed()


def test_a_plan_says_what_a_migration_would_do(lab: MigrationLab) -> None:
    plan = lab.engine.ask(PlanMigration(platform=lab.here, target=lab.there, member=lab.member()))
    assert plan.is_tracked
    assert plan.disk_bytes == 24 * MIB
    assert plan.planned is not None
    assert not plan.planned.name_taken
    assert names_of(lab.target) == set()


def test_a_vm_whose_disk_takes_no_part_in_snapshots_is_refused(open_lab: OpenLab) -> None:
    lab = open_lab(disk_mode="independent_persistent")
    row = lab.reached(lab.start(), MigrationState.FAILED)
    assert row.error is not None
    assert row.error.code == "migration.not_migrated"
    assert names_of(lab.target) == set()
    lab.assert_source_unharmed()
