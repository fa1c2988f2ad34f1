"""A host keeps the disks of a session that was cut off locked for half an hour."""

from pathlib import Path

from app.cli.demo.stage import open_host, open_simulator, register
from app.domain.states import BackupKind, TaskState
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from tests.support.fast_clock import FastClock
from tests.support.stage import MIB, explain, finished, our_snapshots, start_backup, vm_named

TIMES = 300.0
KEPT_S = 1800.0


def test_a_snapshot_is_removed_once_the_host_lets_go_of_a_lost_session(tmp_path: Path) -> None:
    clock = FastClock(TIMES)
    spec = SimulatorSpec(
        vms=(VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=16 * MIB),)),), abandoned_session_s=KEPT_S
    )
    with (
        open_simulator(tmp_path, spec, clock) as simulator,
        open_host(tmp_path / "home", "a passphrase", clock) as host,
    ):
        stage = register(tmp_path, simulator, host.engine)
        simulator.faults.drop_nfc(after_bytes=MIB)
        began_s = clock.monotonic()
        report = finished(host.engine, start_backup(stage, vm_named(stage, "web-01"), BackupKind.FULL))
        assert report.task.state is TaskState.COMPLETED, explain(report)
        assert clock.monotonic() - began_s > KEPT_S, "the host had not kept the disk"
        assert "snapshot" in explain(report)
        assert not our_snapshots(stage)
