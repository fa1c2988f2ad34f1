"""A VM that somebody brings back to a snapshot between two backups.

Where a revert begins a new generation of changed block tracking, that tells. Where the change ids count on, the
changes they name are those after the revert, not the difference to the parent point: only the platform's history
tells then.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyVmomi import vmodl

from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.tasks import TaskDetails
from app.core.clock import SystemClock
from app.domain.states import BackupKind
from app.domain.vms import VmSummary
from app.engine.backup.run import BackupRun
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, UserSpec, VmSpec
from tests.e2e.conftest import OpenStage
from tests.support.other_client import OtherClient
from tests.support.stage import MIB, Made, assert_points_are_exact, back_up, vm_named

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


def stage_of(open_fresh_stage: OpenStage, flavour: Flavour) -> Stage:
    user = "administrator@vsphere.local" if flavour is Flavour.VCENTER else "root"
    return open_fresh_stage(
        SimulatorSpec(
            flavour=flavour,
            hosts=("esx01.lab",),
            users=(UserSpec(name=user, password="secret-1"),),
            vms=(
                VmSpec(
                    name="web-01", disks=(DiskSpec(capacity_bytes=32 * MIB), DiskSpec(capacity_bytes=16 * MIB))
                ),
            ),
        )
    )


def codes_of(stage: Stage, made: Made) -> list[str]:
    return [line.code for line in stage.engine.ask(TaskDetails(task=made.task)).log]


def points_before_a_revert(stage: Stage, vm: VmSummary) -> tuple[Made, Made]:
    """Back a VM up twice and bring it back to a snapshot between the two; its change ids count on."""
    guests = stage.simulator.world.guests
    stage.simulator.faults.keep_cbt_over_revert(vm.name)
    with OtherClient(stage.simulator) as other:
        before = other.take_snapshot(vm.id, "before the update")
        other.done(lambda: before.RemoveSnapshot_Task(removeChildren=False))
        first = back_up(stage, vm, FULL)
        checkpoint = other.take_snapshot(vm.id, "before the update")
        guests.write_now(vm.id, 2 * MIB)
        second = back_up(stage, vm, INCREMENTAL)
        assert second.point.parent == first.point.id
        assert "plan.whole_went_back" not in codes_of(stage, second)
        guests.write_now(vm.id, MIB)
        other.done(lambda: checkpoint.RevertToSnapshot_Task())
        other.done(lambda: other.vm(vm.id).PowerOnVM_Task())
        other.take_snapshot(vm.id, "another product's")
        guests.write_now(vm.id, MIB)
    return first, second


@pytest.mark.parametrize("flavour", [Flavour.VCENTER, Flavour.ESXI], ids=lambda flavour: flavour.value)
def test_a_reverted_vm_is_read_whole_and_its_point_is_exact(open_fresh_stage: OpenStage, flavour: Flavour) -> None:
    stage = stage_of(open_fresh_stage, flavour)
    vm = vm_named(stage, "web-01")
    first, second = points_before_a_revert(stage, vm)
    third = back_up(stage, vm, INCREMENTAL)
    assert codes_of(stage, third).count("plan.whole_went_back") == len(third.point.disks)
    assert all(disk.read_whole for disk in third.point.disks)
    assert third.point.parent is None
    assert_points_are_exact(stage, vm.id, [first, second, third])


def test_a_history_that_cannot_be_read_is_told_and_tracking_is_believed(open_fresh_stage: OpenStage) -> None:
    stage = stage_of(open_fresh_stage, Flavour.VCENTER)
    vm = vm_named(stage, "web-01")
    first = back_up(stage, vm, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    stage.simulator.faults.fail_call("QueryEvents", fault=vmodl.fault.NotSupported(msg="No events here."), times=9)
    second = back_up(stage, vm, INCREMENTAL)
    assert "plan.reverts_unknown" in codes_of(stage, second)
    assert second.point.parent == first.point.id
    assert_points_are_exact(stage, vm.id, [first, second])


class ShiftedClock(SystemClock):
    """The machine's clock, wrong by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def consoles(tmp_path: Path) -> Iterator[tuple[Stage, ShiftedClock]]:
    """A stage whose console has a clock of its own."""
    clock = ShiftedClock()
    spec = SimulatorSpec(vms=(VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=32 * MIB),)),))
    with open_simulator(tmp_path, spec) as simulator, open_host(tmp_path / "standfast", "x" * 32, clock) as host:
        yield register(tmp_path, simulator, host.engine), clock


@pytest.mark.parametrize(
    "then", [timedelta(hours=2), timedelta(minutes=20), timedelta(hours=-5), timedelta(days=400)]
)
@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=-3)])
def test_a_revert_is_seen_whatever_the_clock_showed_then_and_shows_now(
    consoles: tuple[Stage, ShiftedClock], then: timedelta, later: timedelta
) -> None:
    stage, clock = consoles
    vm = vm_named(stage, "web-01")
    clock.ahead = then
    first, second = points_before_a_revert(stage, vm)
    clock.ahead = later
    third = back_up(stage, vm, INCREMENTAL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    fourth = back_up(stage, vm, INCREMENTAL)
    assert "plan.whole_went_back" in codes_of(stage, third)
    assert fourth.point.parent == third.point.id, "the newest in sequence, not the one from the future"
    assert [backup.point.sequence for backup in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert_points_are_exact(stage, vm.id, [first, second, third, fourth])


def test_a_point_of_an_earlier_version_is_no_parent_because_nobody_knows_its_time(
    open_fresh_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of(open_fresh_stage, Flavour.VCENTER)
    vm = vm_named(stage, "web-01")
    with monkeypatch.context() as patched:
        patched.setattr(BackupRun, "_history_mark", lambda _self, _hypervisor: None)
        first = back_up(stage, vm, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    second = back_up(stage, vm, INCREMENTAL)
    assert (second.point.kind, second.point.parent) == (FULL, None)
    assert codes_of(stage, second).count("plan.whole_time_unknown") == len(second.point.disks)
    third = back_up(stage, vm, INCREMENTAL)
    assert third.point.parent == second.point.id
    assert_points_are_exact(stage, vm.id, [first, second, third])
