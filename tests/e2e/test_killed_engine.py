"""The engine is killed with SIGKILL in the middle of backups; nothing is lost and nothing is left behind."""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.points import ListPoints
from app.contract.tasks import StartBackup
from app.core.hypervisor import TRACKING_SNAPSHOT_PREFIX
from app.core.passphrases import PASSPHRASE_VARIABLE
from app.domain.states import BackupKind
from app.engine.engine import Engine
from tests.support.forked import Forked, ForkingPython, forking_python
from tests.support.stage import (
    DEADLINE_S,
    RULE,
    Made,
    assert_points_are_exact,
    back_up,
    our_snapshots,
    small_spec,
    vm_named,
)
from tests.support.waiting import wait_until

MIB = 1024 * 1024
KILLS = 30 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 15
PASSPHRASE = "only for tests"


class KilledEngine:
    """One installation whose engine is killed and started again."""

    def __init__(self, stage: Stage, home: Path, engines: ForkingPython) -> None:
        self.stage = stage
        self._engines = engines
        self.home = home
        self.vm = vm_named(stage, "web-01")

    def start_backup(self, kind: BackupKind) -> Forked:
        """Start an engine in a process of its own; return once it queues the backup."""
        request = StartBackup(
            platform=self.stage.platform,
            vm=self.vm.id,
            vm_name=self.vm.name,
            standby=self.stage.standby,
            rule_name=RULE,
            kind=kind,
        )
        arguments = (str(self.home), msgspec.json.encode(request).decode())
        process = self._engines.start(*arguments, environment={PASSPHRASE_VARIABLE: PASSPHRASE})
        assert process.stdout.readline() == "started\n"
        return process

    def measure(self) -> float:
        """Return how long an undisturbed backup takes from its start to its end, in seconds."""
        process = self.start_backup(BackupKind.FULL)
        begun = time.monotonic()
        assert process.stdout.readline() == "ended completed\n"
        duration_s = time.monotonic() - begun
        assert process.wait(30) == 0
        return duration_s

    def kill_after(self, delay_s: float, kind: BackupKind) -> None:
        """Kill an engine so long after it began a backup."""
        process = self.start_backup(kind)
        time.sleep(delay_s)  # the instant of the kill is what this test varies
        process.kill()
        process.wait(30)
        process.close()


@pytest.fixture(scope="module")
def engines() -> Iterator[ForkingPython]:
    with forking_python("tests.support.engine_process") as forking:
        yield forking


@pytest.fixture
def killed(tmp_path: Path, engines: ForkingPython) -> Iterator[KilledEngine]:
    with open_simulator(tmp_path, small_spec()) as simulator:
        home = tmp_path / "standfast"
        with open_host(home, PASSPHRASE) as host:
            engine = KilledEngine(register(tmp_path, simulator, host.engine), home, engines)
        yield engine


def is_listed_whole(stage: Stage, engine: Engine) -> bool:
    """Tell whether the catalog lists just the points that lie at the standby."""
    listed = {known.point.id for known in engine.ask(ListPoints(standby=stage.standby))}
    found = (stage.root / "standby" / "points").glob("*/*/point.json")
    return listed == {f"{path.parent.parent.name}/{path.parent.name}" for path in found}


def test_kills_at_any_moment_leave_no_snapshot_and_lose_no_point(killed: KilledEngine) -> None:
    chance = random.Random(20261122)
    duration_s = killed.measure()
    points: list[Made] = []
    seen_snapshots = 0
    for number in range(KILLS):
        killed.stage.simulator.world.guests.write_now(killed.vm.id, MIB)
        kind = chance.choice(list(BackupKind))
        killed.kill_after(chance.uniform(0, duration_s), kind)
        seen_snapshots += len(our_snapshots(killed.stage))
        with open_host(killed.home, PASSPHRASE) as host:
            assert host.engine.wait_until_idle(DEADLINE_S)
            wait_until(lambda: not our_snapshots(killed.stage), what=f"kill {number}: our snapshot's removal")
            wait_until(
                lambda: is_listed_whole(killed.stage, host.engine), what=f"kill {number}: all points listed"
            )
            stage = replace(killed.stage, engine=host.engine)
            if number % 3 == 2:
                points.append(back_up(stage, killed.vm, BackupKind.INCREMENTAL))
    assert seen_snapshots > 0, "no kill hit a backup while its snapshot was there: the test proves nothing"
    with open_host(killed.home, PASSPHRASE) as host:
        stage = replace(killed.stage, engine=host.engine)
        points.append(back_up(stage, killed.vm, BackupKind.INCREMENTAL))
        assert_points_are_exact(stage, killed.vm.id, points)
    assert not our_snapshots(killed.stage)


def test_a_kill_while_tracking_is_switched_on_leaves_no_snapshot(killed: KilledEngine) -> None:
    simulator = killed.stage.simulator
    simulator.faults.hang_task("RemoveSnapshot_Task")
    process = killed.start_backup(BackupKind.FULL)
    wait_until(lambda: our_snapshots(killed.stage), what="the snapshot that lets tracking take effect")
    (left,) = our_snapshots(killed.stage)
    assert left.startswith(TRACKING_SNAPSHOT_PREFIX)
    process.kill()
    process.wait(30)
    process.close()
    with simulator.world.lock:  # the removal that the killed engine had begun never happens
        for task in simulator.world.tasks.all():
            task.cancel_wanted = task.cancel_wanted or task.finished_at is None
    wait_until(
        lambda: all(task.finished_at is not None for task in simulator.world.tasks.all()),
        what="the removal to end",
    )
    simulator.faults.release()
    assert our_snapshots(killed.stage) == [left]
    with open_host(killed.home, PASSPHRASE) as host:
        wait_until(lambda: not our_snapshots(killed.stage), what="the removal at the next start")
        made = back_up(replace(killed.stage, engine=host.engine), killed.vm, BackupKind.FULL)
        assert_points_are_exact(killed.stage, killed.vm.id, [made])
