"""A VM goes to another platform while it runs."""

import os

import pytest

from app.contract.tasks import TaskDetails
from app.domain.extents import Extent
from app.domain.migration import MigrationAction, MigrationCheck, MigrationState
from app.simulator.spec import Flavour
from tests.support.migration_lab import (
    KIB,
    MIB,
    MigrationLab,
    machine_of,
    names_of,
    snapshots_of,
)
from tests.unit.engine.migration.conftest import OpenLab


@pytest.mark.parametrize("target", list(Flavour))
def test_a_vm_that_writes_all_the_time_runs_on_the_other_platform_with_all_that_it_wrote(
    open_lab: OpenLab, target: Flavour
) -> None:
    lab = open_lab(target=target, disks=2, workload_bytes_per_s=256 * KIB, change_tracking=False)
    uuid = machine_of(lab.source, "web").config.uuid
    row = lab.reached(lab.start(), MigrationState.COMPLETED)
    assert row.passes >= 2
    assert row.actions == (MigrationAction.DISCARD,)
    source, target_vm = machine_of(lab.source, row.source_kept_as), machine_of(lab.target, "web")
    assert (source.power_state, target_vm.power_state) == ("poweredOff", "poweredOn")
    for key in (2000, 2001):
        assert lab.target_content(key=key) == lab.source_content(row.source_kept_as, key)
    assert target_vm.config.uuid == uuid, "it is the same machine to its guest"
    assert row.target_vm == target_vm.moid
    assert snapshots_of(lab.source) == snapshots_of(lab.target) == []
    assert names_of(lab.target) == {"web"}
    assert "migration.guest_asked" in lab.codes()


def test_it_stops_when_it_is_ready_and_cuts_over_when_the_operator_says_so(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    row = lab.reached(migration, MigrationState.READY)
    assert row.actions == (MigrationAction.CUT_OVER, MigrationAction.STOP, MigrationAction.DISCARD)
    assert row.rest_bytes is not None
    assert row.cut_over_s is not None
    assert row.change_bytes_per_s is not None
    lab.assert_source_unharmed()
    assert machine_of(lab.target, names_of(lab.target).pop()).power_state == "poweredOff"
    lab.write(5 * MIB, os.urandom(MIB))
    report = lab.cut_over(migration)
    assert report.task.state.value == "completed"
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_later_passes_read_only_what_has_changed(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    lab.write(3 * MIB, os.urandom(MIB))
    lab.follow(migration)
    row = lab.reached(migration, MigrationState.READY)
    assert MIB <= row.last_pass_bytes <= MIB + 128 * KIB
    assert row.held_bytes > row.last_pass_bytes


def test_a_sample_is_enough_where_the_operator_says_so(lab: MigrationLab) -> None:
    row = lab.reached(lab.start(check=MigrationCheck.SAMPLE), MigrationState.COMPLETED)
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_without_change_tracking_all_is_compared(open_lab: OpenLab) -> None:
    lab = open_lab(change_tracking=False)
    migration = lab.start(quick=False, automatic=False)
    row = lab.reached(migration, MigrationState.READY)
    assert row.passes == 1
    assert row.rest_bytes == row.held_bytes
    lab.write(3 * MIB, os.urandom(MIB))
    lab.write(0, bytes(MIB))
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert not machine_of(lab.source, row.source_kept_as).config.changeTrackingEnabled
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_source_that_is_off_is_migrated_and_stays_off(open_lab: OpenLab) -> None:
    lab = open_lab(powered_on=False)
    row = lab.reached(lab.start(power_on=False), MigrationState.COMPLETED)
    assert machine_of(lab.target, "web").power_state == "poweredOff"
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_source_that_is_to_be_left_alone_runs_on_and_the_copy_stays_off(lab: MigrationLab) -> None:
    row = lab.reached(lab.start(shut_down_source=False), MigrationState.COMPLETED)
    lab.assert_source_unharmed()
    assert machine_of(lab.target, "web").power_state == "poweredOff"
    assert lab.target_content() == lab.source_content()
    assert row.source_kept_as == ""
    assert "migration.copy_stays_off" in lab.codes()


def test_a_start_is_proven_where_that_is_wanted(lab: MigrationLab) -> None:
    migration = lab.start(prove_start=True, automatic=False)
    lab.reached(migration, MigrationState.READY)
    (name,) = names_of(lab.target)
    machine_of(lab.target, name).hostname = "web"  # its tools are on the disk that was copied
    lab.cut_over(migration)
    lab.reached(migration, MigrationState.COMPLETED)
    assert "migration.start_proven" in lab.codes()


def test_what_change_tracking_left_out_is_found_before_the_target_takes_the_place(lab: MigrationLab) -> None:
    migration = lab.start(automatic=False)
    lab.reached(migration, MigrationState.READY)
    lab.source.faults.lie_in_cbt("web", 2000, Extent(6 * MIB, MIB))
    lab.write(6 * MIB, os.urandom(MIB))
    lab.cut_over(migration)
    row = lab.reached(migration, MigrationState.COMPLETED)
    assert "migration.tracking_left_out" in lab.codes()
    assert lab.target_content() == lab.source_content(row.source_kept_as)


def test_a_vm_that_was_migrated_comes_back(lab: MigrationLab) -> None:
    first = lab.reached(lab.start(), MigrationState.COMPLETED)
    assert first.target_vm is not None
    leaf = machine_of(lab.target, "web").trees[2000].leaf
    assert leaf is not None
    leaf.write(2 * MIB, b"written on the other side")
    lab.here, lab.there = lab.there, lab.here
    lab.source, lab.target = lab.target, lab.source
    back = lab.reached(lab.start(), MigrationState.COMPLETED)
    assert lab.target_content("web") == lab.source_content(back.source_kept_as)
    assert names_of(lab.target) == {"web", first.source_kept_as}
    assert machine_of(lab.target, "web").power_state == "poweredOn"
    assert lab.engine.ask(TaskDetails(task=lab.reports()[-1].task.id)).task.vm_name == "web"


def test_a_vm_goes_to_another_datastore_of_its_platform(lab: MigrationLab) -> None:
    lab.there, lab.target = lab.here, lab.source
    row = lab.reached(lab.start(lab.member(datastore="ds2")), MigrationState.COMPLETED)
    machine = machine_of(lab.source, "web")
    assert machine.moid == row.target_vm
    assert set(machine.datastore_names) == {"ds2"}
    assert lab.target_content() == lab.source_content(row.source_kept_as)
