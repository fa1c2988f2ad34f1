"""What fails before the target has taken the source's place leaves the source as it was."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from app.contract.migration import CutOver, DiscardMigration, StopMigration
from app.contract.platforms import RemovePlatform
from app.domain.errors import OperationalError
from app.domain.migration import MigrationPhase, MigrationState
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.migration_lab import MIB, MigrationLab, client_of, machine_of, names_of, snapshots_of
from tests.support.waiting import wait_until
from tests.unit.engine.migration.conftest import OpenLab

BEFORE_THE_CUT_OVER: dict[str, Callable[[MigrationLab], None]] = {
    "the target cannot be created": lambda lab: lab.target.faults.fail_task("CreateVM_Task"),
    "the snapshot is refused": lambda lab: lab.source.faults.fail_task("CreateSnapshotEx_Task", times=9),
    "the target's datastore is full": lambda lab: lab.target.faults.fill_datastore("ds1"),
    "a later snapshot is refused": lambda lab: lab.source.faults.fail_task("CreateSnapshotEx_Task", 2, times=9),
}
IN_THE_CUT_OVER: dict[str, Callable[[MigrationLab], None]] = {
    "the last snapshot is refused": lambda lab: lab.source.faults.fail_task("CreateSnapshotEx_Task", 2, times=9),
    "the source cannot be powered off": lambda lab: lab.source.faults.fail_task("PowerOffVM_Task", times=9),
    "the source cannot be renamed": lambda lab: lab.source.faults.fail_task("Rename_Task", times=9),
    "the target cannot be renamed": lambda lab: lab.target.faults.fail_task("Rename_Task"),
    "the target does not start": lambda lab: lab.target.faults.fail_task("PowerOnVM_Task", times=9),
    "no host has the memory for it": lambda lab: lab.target.faults.fail_task(
        "PowerOnVM_Task", fault=vim.fault.InsufficientHostCapacityFault(msg="no memory"), times=9
    ),
}


@pytest.mark.parametrize("what", BEFORE_THE_CUT_OVER)
def test_a_failure_while_it_copies_leaves_the_source_alone_and_it_can_go_on(lab: MigrationLab, what: str) -> None:
    BEFORE_THE_CUT_OVER[what](lab)
    migration = lab.start()
    row = lab.reached(migration, MigrationState.FAILED)
    assert row.error is not None
    lab.assert_source_unharmed()
    lab.assert_nothing_unlisted()
    lab.target.faults.relieve_datastore("ds1")
    lab.target.faults.clear()
    lab.source.faults.clear()
    lab.resume(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


@pytest.mark.parametrize("what", IN_THE_CUT_OVER)
def test_a_failed_cut_over_is_undone_and_can_be_tried_again(open_lab: OpenLab, what: str) -> None:
    lab = open_lab(hostname=None)  # no tools: the VM is powered off
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    (temporary,) = names_of(lab.target)
    IN_THE_CUT_OVER[what](lab)
    report = lab.cut_over(migration)
    assert report.task.state.value == "failed"
    lab.reached(migration, MigrationState.FAILED)
    lab.assert_source_unharmed()
    lab.assert_nothing_unlisted()
    assert names_of(lab.target) == {temporary}
    assert machine_of(lab.target, temporary).power_state == "poweredOff"
    lab.source.faults.clear()
    lab.target.faults.clear()
    lab.write(4 * MIB, b"what the source wrote afterwards")
    lab.resume(migration)
    lab.reached(migration, MigrationState.READY)
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_target_that_was_started_in_vain_is_compared_as_a_whole_afterwards(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False, prove_start=True)
    lab.reached(migration, MigrationState.READY)
    (temporary,) = names_of(lab.target)
    machine = machine_of(lab.target, temporary)
    on_write(machine, b"by the guest that did not report")
    report = lab.cut_over(migration)
    assert report.task.error is not None
    assert report.task.error.code == "migration.start_not_proven"
    lab.assert_source_unharmed()
    machine.hostname = "web"
    lab.resume(migration)
    lab.reached(migration, MigrationState.READY)
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def on_write(machine: VirtualMachine, data: bytes) -> None:
    leaf = machine.trees[2000].leaf
    assert leaf is not None
    leaf.write(9 * MIB, data)


def test_lost_logins_and_broken_connections_are_overcome(lab: MigrationLab) -> None:
    for simulator in (lab.source, lab.target):
        simulator.faults.drop_nfc(MIB)
        simulator.faults.halt_reads(2 * MIB, simulator.faults.expire_sessions)
    row = lab.reached(lab.start(), MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_target_that_somebody_started_is_never_written(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    (temporary,) = names_of(lab.target)
    target = lab.row(migration).target_vm
    assert target is not None
    with lab.engine.services.sessions.connect(lab.there) as session:
        session.power_on(target)
    before = lab.target_content(temporary)
    lab.write(4 * MIB, b"news")
    report = lab.cut_over(migration)
    assert report.task.error is not None
    assert report.task.error.code == "migration.target_touched"
    assert lab.target_content(temporary) == before
    lab.assert_source_unharmed()
    lab.engine.execute(DiscardMigration(migration=migration))
    row = lab.ended(migration)
    assert row.error is not None
    assert names_of(lab.target) == {temporary}, "it is not deleted while somebody uses it"


def test_a_platform_that_a_migration_needs_stays_registered(lab: MigrationLab) -> None:
    lab.reached(lab.start(automatic=False), MigrationState.READY)
    for platform in (lab.here, lab.there):
        with pytest.raises(OperationalError) as refused:
            lab.engine.execute(RemovePlatform(platform=platform))
        assert refused.value.code == "migration.needed"


def test_nothing_is_left_of_a_migration_that_was_discarded(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    lab.engine.execute(DiscardMigration(migration=migration))
    assert lab.engine.wait_until_idle(60)
    assert lab.rows() == ()
    assert names_of(lab.target) == set()
    assert snapshots_of(lab.source) == []
    lab.assert_source_unharmed()


def test_a_vm_that_went_back_to_a_snapshot_is_compared_as_a_whole(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    with client_of(lab.source) as stub:
        vm = vim.VirtualMachine(machine_of(lab.source, "web").moid, stub)
        wait(vm.CreateSnapshot_Task(name="before", description="", memory=False, quiesce=False))
        lab.write(7 * MIB, b"will be gone" * 1000)
        lab.follow(migration)
        lab.ended(migration)
        wait(vm.RevertToCurrentSnapshot_Task())
        if machine_of(lab.source, "web").power_state == "poweredOff":
            wait(vm.PowerOnVM_Task())
    lab.follow(migration)
    row = lab.reached(migration, MigrationState.READY)
    assert {"migration.whole_went_back", "migration.whole_reset"} & set(lab.codes())
    assert row.last_pass_bytes >= row.held_bytes
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_source_that_is_still_shutting_down_after_a_crash_is_started_again(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    (known,) = lab.catalog.migrations.all()
    machine = machine_of(lab.source, "web")
    lab.catalog.migrations.put(
        replace(known, phase=MigrationPhase.CUTTING_OVER, source_was_on=True, is_shutting_down=True)
    )
    lab.engine.tick()
    with client_of(lab.source) as stub:
        wait(vim.VirtualMachine(machine.moid, stub).PowerOffVM_Task())  # its guest has come so far
    lab.reached(migration, MigrationState.STOPPED)
    lab.assert_source_unharmed()


def test_a_stop_while_the_source_shuts_down_waits_for_that_and_starts_it_again(
    lab: MigrationLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    machine = machine_of(lab.source, "web")
    asked = threading.Event()
    monkeypatch.setattr(type(machine), "ShutdownGuest", lambda _self, call: asked.set())
    lab.engine.execute(CutOver(migration=migration))
    assert asked.wait(30)
    lab.engine.execute(StopMigration(migration=migration))
    lab.reached(migration, MigrationState.STOPPED)
    assert "migration.guest_too_slow" in lab.codes()
    assert "migration.source_started_again" in lab.codes()
    lab.assert_source_unharmed()


def wait(task: Any) -> None:
    wait_until(lambda: task.info.state in ("success", "error"), what="a task")
    assert task.info.state == "success", task.info.error
