"""Disks that are attached to the VM that the engine runs in, read there and detached, whatever happens."""

from dataclasses import replace

import pytest

from app.cli.demo.stage import Stage
from app.contract.tasks import TaskReport
from app.domain.states import BackupKind, TaskState, TransportMode
from app.simulator.guests import GuestDevices
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.machine import Machine
from tests.e2e.conftest import OpenStage
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    explain,
    finished,
    known_point,
    our_snapshots,
    start_backup,
    vm_named,
)

HOTADD = TransportMode.HOTADD
FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
CONSOLE = VmSpec(name="console", disks=(DiskSpec(capacity_bytes=8 * MIB, filesystem=False),), this_machine=True)
WEB = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=24 * MIB), DiskSpec(capacity_bytes=8 * MIB)))


def spec(version: Version = "8.0.3", *vms: VmSpec, **more: object) -> SimulatorSpec:
    return replace(SimulatorSpec(version=version, vms=vms or (WEB, CONSOLE)), **more)  # type: ignore[arg-type]


def console(stage: Stage) -> Machine:
    machines: list[Machine] = list(stage.simulator.world.inventory.vms.values())
    return next(machine for machine in machines if machine.name == "console")


def guest(stage: Stage) -> GuestDevices:
    return stage.simulator.world.guest_devices[console(stage).moid]


def reported(stage: Stage, kind: BackupKind, *modes: TransportMode) -> TaskReport:
    vm = vm_named(stage, "web-01")
    return finished(stage.engine, start_backup(stage, vm, kind, transports=modes or (HOTADD,)))


def backed_up(stage: Stage, kind: BackupKind) -> Made:
    report = reported(stage, kind)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(report.task.id, known_point(stage, report))
    assert {disk.transport for disk in made.point.disks} == {HOTADD}
    return made


def assert_nothing_is_left(stage: Stage, devices_before: int) -> None:
    assert not console(stage).lent
    assert len(console(stage).config.hardware.device) == devices_before
    assert not our_snapshots(stage)
    assert not guest(stage).torn_out


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_vm_is_read_whole_and_in_part(open_fresh_stage: OpenStage, version: Version) -> None:
    stage = open_fresh_stage(spec(version))
    before = len(console(stage).config.hardware.device)
    vm = vm_named(stage, "web-01")
    whole = backed_up(stage, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    part = backed_up(stage, INCREMENTAL)
    assert part.point.parent == whole.point.id
    assert 0 < part.point.read_bytes < whole.point.read_bytes
    assert_points_are_exact(stage, vm.id, [whole, part])
    assert len(guest(stage).shown) >= 4
    assert_nothing_is_left(stage, before)
