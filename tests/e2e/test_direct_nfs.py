"""VMs on an NFS datastore, read past the hosts from a real NFS server, through whatever snapshots there are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage
from app.contract.platforms import UpdatePlatform
from app.contract.tasks import TaskReport
from app.domain.states import BackupKind, TaskState, TransportMode
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import DatastoreSpec, DiskSpec, SimulatorSpec, VmSpec
from tests.e2e.conftest import OpenStage
from tests.support.ganesha import TOOLS, Ganesha, ganesha
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

pytestmark = pytest.mark.outside_tools(*TOOLS)
NFS = TransportMode.NFS
FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Where the simulator keeps the datastore, which the NFS server exports."""
    return tmp_path / "vsphere" / "datastores" / "nas"


@pytest.fixture
def server(export: Path, tmp_path: Path) -> Iterator[Ganesha]:
    with ganesha(export, tmp_path / "nfs", starts=False) as prepared:
        yield prepared


def spec_of(server: Ganesha, version: Version = "8.0.3", **more: object) -> SimulatorSpec:
    store = DatastoreSpec(name="nas", kind="NFS", remote=(server.host, str(server.export)))
    disks = (DiskSpec(capacity_bytes=24 * MIB), DiskSpec(capacity_bytes=8 * MIB))
    spec = SimulatorSpec(
        version=version, datastores=(store,), vms=(VmSpec(name="web-01", disks=disks, datastore="nas"),)
    )
    return replace(spec, **more)  # type: ignore[arg-type]


def allowing_plain(stage: Stage, server: Ganesha) -> Stage:
    server.start()
    stage.engine.execute(
        UpdatePlatform(
            platform=stage.platform,
            name="plain",
            user=stage.simulator.user,
            thumbprint_sha256=stage.simulator.thumbprint_sha256,
            allows_plain_transport=True,
        )
    )
    return stage


def reported(stage: Stage, kind: BackupKind, *modes: TransportMode) -> TaskReport:
    return finished(stage.engine, start_backup(stage, vm_named(stage, "web-01"), kind, transports=modes or (NFS,)))


def backed_up(stage: Stage, kind: BackupKind) -> Made:
    report = reported(stage, kind)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(report.task.id, known_point(stage, report))
    assert {disk.transport for disk in made.point.disks} == {NFS}
    return made


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_vm_is_read_whole_and_in_part(open_fresh_stage: OpenStage, server: Ganesha, version: Version) -> None:
    stage = allowing_plain(open_fresh_stage(spec_of(server, version)), server)
    vm = vm_named(stage, "web-01")
    whole = backed_up(stage, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    part = backed_up(stage, INCREMENTAL)
    assert part.point.parent == whole.point.id
    assert 0 < part.point.read_bytes < whole.point.read_bytes
    assert_points_are_exact(stage, vm.id, [whole, part])
    assert not our_snapshots(stage)


def test_disks_with_snapshots_of_others_are_read_through_all_of_them(
    open_fresh_stage: OpenStage, server: Ganesha
) -> None:
    stage = allowing_plain(open_fresh_stage(spec_of(server)), server)
    vm = vm_named(stage, "web-01")
    made = []
    with OtherClient(stage.simulator) as other:
        for number in range(3):
            stage.simulator.world.guests.write_now(vm.id, MIB)
            other.take_snapshot(vm.id, f"of-somebody-{number}")
            stage.simulator.world.guests.write_now(vm.id, MIB)
            made.append(backed_up(stage, FULL))
    assert_points_are_exact(stage, vm.id, made)


def test_a_server_that_dies_in_the_middle_is_waited_for(open_fresh_stage: OpenStage, server: Ganesha) -> None:
    stage = allowing_plain(open_fresh_stage(spec_of(server)), server)
    vm = vm_named(stage, "web-01")
    whole = backed_up(stage, FULL)

    def restart() -> None:
        server.kill()
        server.start()

    stage.simulator.world.guests.write_now(vm.id, MIB)
    restart()
    part = backed_up(stage, INCREMENTAL)
    assert_points_are_exact(stage, vm.id, [whole, part])


def test_a_server_that_is_away_leads_to_the_network_with_its_reason(
    open_fresh_stage: OpenStage, server: Ganesha
) -> None:
    stage = allowing_plain(open_fresh_stage(spec_of(server)), server)
    server.kill()
    report = reported(stage, FULL, NFS, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert f"{server.host} does not answer on port 111" in explain(report)


def test_an_export_that_squashes_root_is_refused_with_the_remedy(
    open_fresh_stage: OpenStage, export: Path, tmp_path: Path
) -> None:
    with ganesha(export, tmp_path / "nfs", squashes_root=True, starts=False) as server:
        stage = allowing_plain(open_fresh_stage(spec_of(server)), server)
        for file in export.rglob("*.vmdk"):
            file.chmod(0o600)
        report = reported(stage, FULL)
    assert report.task.state is TaskState.FAILED
    assert "does not give out" in explain(report)
    assert str(export) in explain(report)


def test_data_goes_unencrypted_only_where_that_is_allowed(open_fresh_stage: OpenStage, server: Ganesha) -> None:
    stage = open_fresh_stage(spec_of(server))
    report = reported(stage, FULL, NFS, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "NFS is not used: it sends data unencrypted" in explain(report)


def test_a_datastore_that_is_not_on_nfs_is_said_to_be_that(open_fresh_stage: OpenStage, server: Ganesha) -> None:
    local = (VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=8 * MIB),), datastore="ds1"),)
    stage = open_fresh_stage(spec_of(server, datastores=(DatastoreSpec(name="ds1"),), vms=local))
    server.export.mkdir(parents=True, exist_ok=True)
    allowing_plain(stage, server)
    report = reported(stage, FULL, NFS, TransportMode.NFC_SSL)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "the datastore ds1 is not on an NFS server" in explain(report)
