"""Disks that are attached to the VM that the engine runs in, read or written there, detached whatever happens."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pyVmomi import vim

from app.cli.demo.stage import Stage
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.tasks import CancelTask, TaskReport
from app.contract.transports import ProbeTransports
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.machine import Machine
from app.transport.hotadd import machine, output
from tests.e2e.conftest import OpenStage
from tests.support.attaching import CONSOLE, attach_as_another, disk_path, guest_of, machine_named, places_of
from tests.support.other_client import OtherClient
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
from tests.support.waiting import wait_until

HOTADD = TransportMode.HOTADD
FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
WEB = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=24 * MIB), DiskSpec(capacity_bytes=8 * MIB)))


def spec(version: Version = "8.0.3", *vms: VmSpec, **more: object) -> SimulatorSpec:
    return replace(SimulatorSpec(version=version, vms=vms or (WEB, CONSOLE)), **more)  # type: ignore[arg-type]


def console(stage: Stage) -> Machine:
    return machine_named(stage.simulator, "console")


def hide_serials(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the guest show no serial numbers although it should."""
    guest = guest_of(stage.simulator)
    monkeypatch.setattr(guest, "show", partial(_show_without_serial, guest.show))


def _show_without_serial(show: Callable[..., None], *place: object, has_serial: bool, is_writable: bool) -> None:
    show(*place, has_serial=False, is_writable=is_writable)


def reported(stage: Stage, kind: BackupKind, *modes: TransportMode) -> TaskReport:
    vm = vm_named(stage, "web-01")
    return finished(stage.engine, start_backup(stage, vm, kind, transports=modes or (HOTADD,)))


def backed_up(stage: Stage, kind: BackupKind) -> Made:
    report = reported(stage, kind)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(report.task.id, known_point(stage, report))
    assert {disk.transport for disk in made.point.disks} == {HOTADD}
    return made


def assert_nothing_is_left(stage: Stage, before: list[tuple[str, Any, Any]]) -> None:
    assert not console(stage).lent
    assert places_of(console(stage)) == before
    assert not our_snapshots(stage)
    assert not guest_of(stage.simulator).torn_out


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_vm_is_read_whole_and_in_part(open_fresh_stage: OpenStage, version: Version) -> None:
    stage = open_fresh_stage(spec(version))
    before = places_of(console(stage))
    vm = vm_named(stage, "web-01")
    whole = backed_up(stage, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    part = backed_up(stage, INCREMENTAL)
    assert part.point.parent == whole.point.id
    assert 0 < part.point.read_bytes < whole.point.read_bytes
    assert_points_are_exact(stage, vm.id, [whole, part])
    assert len(guest_of(stage.simulator).shown) >= 4
    assert_nothing_is_left(stage, before)


def test_disks_with_snapshots_of_others_are_read_through_all_of_them(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(spec())
    before = places_of(console(stage))
    vm = vm_named(stage, "web-01")
    made = []
    with OtherClient(stage.simulator) as other:
        for number in range(2):
            stage.simulator.world.guests.write_now(vm.id, MIB)
            other.take_snapshot(vm.id, f"of-somebody-{number}")
            made.append(backed_up(stage, FULL))
    assert_points_are_exact(stage, vm.id, made)
    assert_nothing_is_left(stage, before)


def restored(
    stage: Stage, made: Made, *modes: TransportMode, onto: NewVm | OverOriginal | None = None
) -> TaskReport:
    request = StartRestore(
        standby=stage.standby,
        point=made.point.id,
        platform=stage.platform,
        target=onto or NewVm(placement=VmPlacement(name="web-01-again")),
        transports=modes or (HOTADD,),
    )
    return finished(stage.engine, stage.engine.execute(request))


def contents(vm: Machine) -> dict[int, bytes]:
    leaves = {key: tree.leaf for key, tree in vm.trees.items()}
    return {key: leaf.read(0, leaf.capacity_bytes) for key, leaf in leaves.items() if leaf is not None}


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_restore_writes_and_proves_by_hotadd(open_fresh_stage: OpenStage, version: Version) -> None:
    stage = open_fresh_stage(spec(version))
    before, held = places_of(console(stage)), contents(machine_named(stage.simulator, "web-01"))
    report = restored(stage, backed_up(stage, FULL))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    said = explain(report)
    assert said.count("is written over HOTADD") == said.count("is read over HOTADD") == len(held)
    assert contents(machine_named(stage.simulator, "web-01-again")) == held
    assert_nothing_is_left(stage, before)


def test_an_original_is_replaced_by_what_hotadd_wrote_and_starts(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(spec())
    before, held = places_of(console(stage)), contents(machine_named(stage.simulator, "web-01"))
    made = backed_up(stage, FULL)
    stage.simulator.world.guests.write_now(vm_named(stage, "web-01").id, MIB)
    report = restored(stage, made, onto=OverOriginal())
    assert report.task.state is TaskState.COMPLETED, explain(report)
    replaced = machine_named(stage.simulator, "web-01")
    assert contents(replaced) == held
    assert_nothing_is_left(stage, before)
    with OtherClient(stage.simulator) as other:
        other.done(lambda: other.vm(replaced.moid).PowerOnVM_Task())


def test_a_thin_disk_that_could_fill_its_datastore_goes_over_the_network(open_fresh_stage: OpenStage) -> None:
    thin = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=64 * MIB, filesystem=False, thin=True),))
    narrow = DatastoreSpec(name="ds1", capacity_bytes=56 * MIB)
    stage = open_fresh_stage(spec("8.0.3", thin, CONSOLE, datastores=(narrow,)))
    made = backed_up(stage, FULL)
    report = restored(stage, made, HOTADD, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "free for a thin disk" in explain(report)
    assert "is written over NFC_SSL" in explain(report)


def test_a_restore_that_cannot_write_leaves_neither_disk_nor_vm(
    open_fresh_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = open_fresh_stage(spec())
    before, made = places_of(console(stage)), backed_up(stage, FULL)

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(output, "write_whole", broken)
    report = restored(stage, made)
    assert report.task.state is TaskState.FAILED
    assert "could not be written over HOTADD" in explain(report)
    assert_nothing_is_left(stage, before)
    assert [vm.name for vm in stage.simulator.world.inventory.vms.values()] == ["web-01", "console"]


def test_a_probe_attaches_a_still_disk_for_a_moment(open_fresh_stage: OpenStage) -> None:
    off = VmSpec(name="off-01", disks=(DiskSpec(capacity_bytes=8 * MIB),), powered_on=False)
    stage = open_fresh_stage(spec("8.0.3", WEB, off, CONSOLE))
    before = places_of(console(stage))
    probed = stage.engine.ask(ProbeTransports(platform=stage.platform))
    (hotadd,) = [mode for mode in probed.modes if mode.mode is HOTADD]
    assert hotadd.error is None, hotadd.error
    assert hotadd.bytes_per_s
    assert_nothing_is_left(stage, before)
    assert not stage.engine.services.catalog.attachment_journal.open_entries()


def test_a_template_is_read_without_a_snapshot(open_fresh_stage: OpenStage) -> None:
    golden = replace(WEB, template=True, powered_on=False)
    stage = open_fresh_stage(spec("8.0.3", golden, CONSOLE))
    before = places_of(console(stage))
    backed_up(stage, FULL)
    assert_nothing_is_left(stage, before)


def test_disks_of_others_on_the_machine_are_never_touched(open_fresh_stage: OpenStage) -> None:
    off = VmSpec(name="off-01", disks=(DiskSpec(capacity_bytes=8 * MIB),), powered_on=False)
    stage = open_fresh_stage(spec("8.0.3", WEB, off, CONSOLE))
    foreign = disk_path(machine_named(stage.simulator, "off-01"))
    attach_as_another(stage.simulator, foreign)
    before = places_of(console(stage))
    backed_up(stage, FULL)
    report = reported(stage, INCREMENTAL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert [str(lent.disk.path) for lent in console(stage).lent.values()] == [foreign]
    assert places_of(console(stage)) == before


def test_where_the_engine_is_in_no_vm_of_the_platform_the_network_follows(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(spec("8.0.3", WEB))
    report = reported(stage, FULL, HOTADD, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "HOTADD is not used: the engine does not run in a VM on vSphere" in explain(report)


def test_a_guest_that_does_not_show_the_disk_leads_to_the_network(
    open_fresh_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "APPEARS_WITHIN_S", 0.3)
    stage = open_fresh_stage(spec())
    before = places_of(console(stage))
    hide_serials(stage, monkeypatch)
    report = reported(stage, FULL, HOTADD, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "this system showed none with the serial number" in explain(report)
    assert not console(stage).lent
    assert places_of(console(stage)) == before


def test_no_platform_can_point_at_a_disk_that_the_machine_has_already(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(spec())
    before = places_of(console(stage))
    tree = machine_named(stage.simulator, "web-01").trees[2000]
    assert tree.leaf is not None
    link = stage.simulator.guest_root / "dev/disk/by-id" / f"wwn-0x{tree.leaf.uuid.replace('-', '')}"
    link.symlink_to("../../sda")
    report = reported(stage, FULL, HOTADD, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "this system has a disk with the serial number" in explain(report)
    assert str(tree.leaf.path) not in guest_of(stage.simulator).shown
    assert link.is_symlink()
    assert_nothing_is_left(stage, before)


def test_a_backup_that_is_stopped_while_a_disk_is_attached_leaves_nothing(
    open_fresh_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = open_fresh_stage(spec())
    before = places_of(console(stage))
    hide_serials(stage, monkeypatch)  # so that the engine waits for the disk
    task = start_backup(stage, vm_named(stage, "web-01"), FULL, transports=(HOTADD,))
    wait_until(lambda: console(stage).lent, what="an attached disk")
    stage.engine.execute(CancelTask(task=task))
    assert finished(stage.engine, task).task.state is TaskState.STOPPED
    assert not console(stage).lent
    assert places_of(console(stage)) == before
    assert not our_snapshots(stage)


def test_a_disk_that_cannot_be_detached_yet_is_detached_later(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(spec())
    before = places_of(console(stage))
    # the first change of a VM switches its tracking on, the second attaches
    stage.simulator.faults.fail_task("ReconfigVM_Task", fault=vim.fault.TaskInProgress(), nth=3)
    report = reported(stage, FULL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "could not be detached yet" in explain(report)
    assert_nothing_is_left(stage, before)
