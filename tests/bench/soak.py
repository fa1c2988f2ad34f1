"""Sixty days of thirty VMs on a turned clock, with faults: ``./dev bench soak``.

The simulated vSphere runs here; the engine runs in a process of its own (``tests.bench.soaking.engine``), with its
standby on a small file system of its own so that it can be full. Before most runs something is broken: the
network, sessions, quiescing, change tracking, the standby, or the engine itself, which is killed at a random
instant. At the end: every kept point is read back and compared with what the simulator froze, no snapshot of ours
is left, the points are exactly those that the retention keeps, the statistics equal what happened, and memory and
open files are flat.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time as stopwatch
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from app.bootstrap.host import EngineHost
from app.cli.demo.stage import FROZEN, Stage, open_host, open_simulator, register
from app.contract.platforms import ListVms
from app.contract.points import ListPoints
from app.contract.rules import CreateRule, Periodic, RuleDraft, VmChoice
from app.contract.statistics import ReadStatistics
from app.core.clock import SystemClock
from app.core.passphrases import PASSPHRASE_VARIABLE
from app.domain.ids import PointId
from app.domain.periods import StatisticsPeriod
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit, Retention, Weekday
from app.domain.restore_point import RestorePoint
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind
from app.repository import Repository
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from tests.bench.page import circumstances, write_section
from tests.bench.soaking.faults import Fault, Mischief
from tests.bench.soaking.oracle import Oracle, digest_of_disk
from tests.support.fakes import TurnableClock
from tests.support.stage import our_snapshots

MIB = 1024 * 1024
PASSPHRASE = "only for the soak"
ROOT = Path(__file__).parents[2]
POLICY = PeriodicPolicy(
    plans=(
        Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(time(1),)),
        Plan(
            unit=PolicyUnit.WEEKLY,
            kind=BackupKind.DIFFERENTIAL,
            times=(time(13),),
            weekdays=frozenset({Weekday.WEDNESDAY}),
        ),
        Plan(
            unit=PolicyUnit.WEEKLY,
            kind=BackupKind.FULL,
            times=(time(1),),
            weekdays=frozenset({Weekday.SUNDAY}),
        ),
    ),
    retention=Retention(period=1, unit=PolicyUnit.WEEKLY),
    run_missed_on_start=True,
)


@dataclass(frozen=True)
class Beat:
    """Memory and open files of the engine after a day."""

    day: int
    start: int
    """Which start of the engine it belongs to."""
    private_mib: float
    """Resident memory without the pages of mapped files, which the system takes back when it likes."""
    open_files: int


class EngineProcess:
    """The engine's process: told the time, killed, started again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[str] | None = None
        self.starts = 0

    def start(self, now: datetime) -> None:
        """Start the engine with its clock at a moment."""
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.soaking.engine", str(self._home), now.isoformat()],
            cwd=ROOT,
            env={**os.environ, PASSPHRASE_VARIABLE: PASSPHRASE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def turn_to(self, moment: datetime) -> list[dict[str, str | None]]:
        """Let the engine live until a moment; return the tasks that have ended."""
        self._report(moment)
        answer = self._read()
        assert answer["rested"], f"the engine did not come to rest at {moment}"
        tasks: list[dict[str, str | None]] = answer["tasks"]
        return tasks

    def turn_to_and_die(self, moment: datetime, delay_s: float) -> None:
        """Let the engine begin what is due at a moment, and kill it so long after."""
        self._report(moment)
        stopwatch.sleep(delay_s)
        self.kill()

    def kill(self) -> None:
        """End the process without a word."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def close(self) -> None:
        """Let the engine end in order."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(120)

    def beat(self, day: int) -> Beat:
        """Measure the process."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        memory = process.memory_info()
        return Beat(day, self.starts, (memory.rss - memory.shared) / MIB, process.num_fds())

    def _report(self, moment: datetime) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"turn_to": moment.isoformat()}) + "\n")
        self._process.stdin.flush()

    def _read(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Soak:
    """One run of the soak."""

    def __init__(self, work: Path, simulator: VSphereSimulator, vms: int, days: int, seed: int) -> None:
        self.work = work
        self.simulator = simulator
        self.days = days
        self.chance = random.Random(seed)
        self.home = work / "standfast"
        self.standby = work / "disk" / "standby"
        self.start = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.oracle = Oracle(work / FROZEN, POLICY, UTC)
        self.names = [f"vm-{number:02}" for number in range(vms)]
        self.mischief = Mischief(simulator, self.standby, self.names, self.chance)
        self.engine = EngineProcess(self.home)
        self.faults: Counter[str] = Counter()
        self.beats: list[Beat] = []
        self.stage: Stage | None = None

    # --- life -------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Register everything and create three rules."""
        with open_host(self.home, PASSPHRASE) as host:
            stage = register(self.work, self.simulator, host.engine, standby_root=self.standby)
            vms = host.engine.ask(ListVms(platform=stage.platform))
            found = sorted(vms, key=lambda vm: vm.name)
            for number in range(3):
                chosen = tuple(VmChoice(vm=vm.id, name=vm.name) for vm in found[number::3])
                draft = RuleDraft(
                    name=f"rule-{number}",
                    platform=stage.platform,
                    standby=stage.standby,
                    target_path="vms",
                    vms=chosen,
                    advanced=AdvancedSettings(quiesce=number == 0),
                    policy=Periodic(policy=POLICY),
                )
                host.engine.execute(CreateRule(draft=draft))
            self.stage = stage

    def live(self) -> None:
        """Live through all days."""
        self.engine.start(self.start)
        for day in range(self.days):
            for hours in (13, 25):  # 01:00 and 13:00, in the day that begins at noon
                moment = self.start + timedelta(days=day, hours=hours, seconds=5)
                self._run(moment, quiet=day >= self.days - 2)
            self.beats.append(self.engine.beat(day))
            print(f"{self.beats[-1]} {dict(self.faults)}", file=sys.stderr, flush=True)
        self.engine.close()

    def _run(self, moment: datetime, *, quiet: bool) -> None:
        for name in self.chance.sample(self.names, len(self.names) // 2):
            self.simulator.world.guests.write_now(name, self.chance.randrange(64 * 1024, MIB))
        fault = Fault("none", lambda: None, lambda: None) if quiet else self.mischief.choose(may_kill=True)
        self.faults[fault.name] += 1
        fault.begin()
        try:
            if fault.kills:
                self.engine.turn_to_and_die(moment, self.chance.uniform(0, 4))
            else:
                self.oracle.take_tasks(self.engine.turn_to(moment))
        finally:
            fault.end()
        if fault.kills:
            self.engine.start(moment)
        self.oracle.take_tasks(self.engine.turn_to(moment + timedelta(minutes=11)))
        self.oracle.take_frozen()

    # --- judgement --------------------------------------------------------------------------------------------

    def judge(self) -> list[tuple[str, str, bool]]:
        """Return what was looked at, what was found, and whether it is as it must be."""
        # At the clock's last moment nothing is due; at today's, the engine would make up for missed runs.
        with open_host(self.home, PASSPHRASE, clock=TurnableClock(self._end)) as host:
            points = {known.point.id: known.point for known in host.engine.ask(ListPoints())}
            rows = [self._retention(set(points)), self._reading(list(points.values())), self._snapshots()]
            rows += [self._statistics(host), *self._flatness()]
        return rows

    def _retention(self, present: set[PointId]) -> tuple[str, str, bool]:
        # The engine decides some seconds to minutes after a point was made; what expires in between may be either.
        at_least = self.oracle.expected_points(timedelta(minutes=15))
        at_most = self.oracle.expected_points(timedelta(minutes=-15))
        lost, surplus = at_least - present, present - at_most
        text = f"{len(present)} points kept of {len(self.oracle.made)}; {len(lost)} lost, {len(surplus)} too many"
        return "retention is exact", text, not lost and not surplus and bool(present)

    def _reading(self, points: list[RestorePoint]) -> tuple[str, str, bool]:
        disks = wrong = 0
        with Repository.open(
            self.standby / "vms", local_dir=self.work / "judge", clock=SystemClock()
        ) as repository:
            for point in points:
                with repository.open_point(point.id) as reader:
                    for disk in point.disks:
                        expected = self.oracle.digests[self.oracle.made[point.id].task][disk.key]
                        disks += 1
                        wrong += digest_of_disk(reader.open_disk(disk.key)) != expected
        return (
            "every kept point reads back exact",
            f"{disks} disks of {len(points)} points, {wrong} wrong",
            not wrong,
        )

    @property
    def _end(self) -> datetime:
        return self.start + timedelta(days=self.days, hours=13, minutes=30)

    def _snapshots(self) -> tuple[str, str, bool]:
        assert self.stage is not None
        left = our_snapshots(self.stage)
        return "snapshots of ours left on the platform", str(len(left)), not left

    def _statistics(self, host: EngineHost) -> tuple[str, str, bool]:
        statistics = host.engine.ask(ReadStatistics(period=StatisticsPeriod.YEAR))
        succeeded, failed = self.oracle.count("backup", "completed"), self.oracle.count("backup", "failed")
        text = f"{statistics.succeeded} succeeded, {statistics.failed} failed; happened: {succeeded}, {failed}"
        return "statistics", text, (statistics.succeeded, statistics.failed) == (succeeded, failed)

    def _flatness(self) -> list[tuple[str, str, bool]]:
        # A restarted engine begins anew: only days of the longest life can be compared, without its first three.
        lives = [list(group) for _, group in groupby(self.beats, key=lambda beat: beat.start)]
        tail = max(lives, key=len)[3:] or max(lives, key=len)
        files = [beat.open_files for beat in tail]
        memory = [beat.private_mib for beat in tail]
        third = -(-len(memory) // 3)
        early, late = median(memory[:third]), median(memory[-third:])
        return [
            ("open files", f"{min(files)} to {max(files)}", max(files) - min(files) <= 24),
            (
                f"private memory over {len(tail)} days of one life",
                f"{min(memory):.0f} to {max(memory):.0f} MiB; "
                f"median of the first third {early:.0f}, of the last {late:.0f}",
                late <= early * 1.15,
            ),
        ]


def run(days: int, vms: int, seed: int) -> tuple[str, bool]:
    """Run the soak and return its table and whether everything held."""
    work = Path(tempfile.mkdtemp(prefix="standfast-soak-"))
    disk = work / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g", "tmpfs", str(disk)], check=False).returncode
        == 0
    )
    spec = SimulatorSpec(
        vms=tuple(
            VmSpec(name=f"vm-{number:02}", disks=(DiskSpec(capacity_bytes=8 * MIB),)) for number in range(vms)
        )
    )
    begun = stopwatch.monotonic()
    try:
        with open_simulator(work, spec) as simulator:
            soak = Soak(work, simulator, vms, days, seed)
            soak.set_up()
            soak.live()
            rows = soak.judge()
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=False)
        shutil.rmtree(work, ignore_errors=True)
    return _page(soak, rows, vms, stopwatch.monotonic() - begun, mounted=mounted), all(held for _, _, held in rows)


def _page(soak: Soak, rows: list[tuple[str, str, bool]], vms: int, seconds: float, *, mounted: bool) -> str:
    table = "\n".join(f"| {what} | {found} | {'yes' if held else '**no**'} |" for what, found, held in rows)
    faults = ", ".join(f"{name} {count}" for name, count in sorted(soak.faults.items()))
    errors = ", ".join(f"`{code}` {count}" for code, count in sorted(soak.oracle.errors.items())) or "none"
    standby = "" if mounted else " The standby could not get a file system of its own: filling it filled the disk."
    command = f"./dev bench soak --days {soak.days} --vms {vms}"
    return (
        f"{soak.days} days of {vms} VMs in {seconds / 60:.0f} minutes, {len(soak.oracle.outcomes)} tasks, "
        f"{soak.engine.starts} starts of the engine.{standby}\n\nFaults before runs: {faults}.\n\n"
        f"Errors that tasks ended with: {errors}.\n\n"
        f"| at the end | found | as it must be |\n|---|---|---|\n{table}\n\n"
        f"{circumstances(command)}"
    )


def main() -> int:
    """Run and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Soak the engine.")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--vms", type=int, default=30)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    text, held = run(options.days, options.vms, options.seed)
    print(text)
    if not options.no_page:
        write_section("soak", "Sixty days unattended", text)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
