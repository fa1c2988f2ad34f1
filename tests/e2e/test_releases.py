"""Every release over every way to its disks: read whole, read again in part, and written.

The table of what works where (mode × release × read, incremental, write) is this module's list of tests.
"""

from pathlib import Path

import pytest

from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm, UpdatePlatform
from app.contract.restore import NewVm, StartRestore
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
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

MODES = (TransportMode.NFC_SSL, TransportMode.NFC, TransportMode.HTTPS)
WRITING = {TransportMode.HTTPS: TransportMode.NFC_SSL}
"""HTTPS only reads: what was read over it is written over NFC."""


def backed_up(stage: Stage, kind: BackupKind, mode: TransportMode) -> Made:
    report = finished(stage.engine, start_backup(stage, vm_named(stage, "web-01"), kind, transports=(mode,)))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return Made(report.task.id, known_point(stage, report))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("version", list(RELEASES))
def test_a_vm_is_read_read_again_and_written(
    open_fresh_stage: OpenStage, tmp_path: Path, version: Version, mode: TransportMode
) -> None:
    disks = (DiskSpec(capacity_bytes=16 * MIB),)
    stage = open_fresh_stage(SimulatorSpec(version=version, vms=(VmSpec(name="web-01", disks=disks),)))
    stage.engine.execute(
        UpdatePlatform(
            platform=stage.platform,
            name=version,
            user=stage.simulator.user,
            thumbprint_sha256=stage.simulator.thumbprint_sha256,
            allows_plain_transport=True,
        )
    )
    vm = vm_named(stage, "web-01")
    whole = backed_up(stage, BackupKind.FULL, mode)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    part = backed_up(stage, BackupKind.INCREMENTAL, mode)
    assert [disk.transport for made in (whole, part) for disk in made.point.disks] == [mode, mode]
    assert part.point.parent == whole.point.id
    assert 0 < part.point.read_bytes < whole.point.read_bytes
    assert_points_are_exact(stage, vm.id, [whole, part])
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=part.point.id,
            platform=stage.platform,
            target=NewVm(placement=VmPlacement(name="again")),
            transports=(WRITING.get(mode, mode),),
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    restored = vm_named(stage, "again")
    [disk] = stage.engine.ask(DescribeVm(platform=stage.platform, vm=restored.id)).disks
    copy = stage.export_live_disk(disk.path, tmp_path / "again.raw")
    assert compare_files(stage.frozen_copy(vm.id, part.task, part.point.disks[0].key), copy) is None
    assert not our_snapshots(stage)
