"""What an increment costs inside the running engine, over the wire, from disks of 8 GiB to 62 TiB.

A simulated vSphere in a process of its own serves one VM per size, over TLS and NFC; the engine backs each up,
first whole and then, in rounds, with nothing changed and with 64 MiB of changed files. Measured is the time from
the command until the task is done: snapshot, configuration, changes, audit, transfer, commit, removal of the
snapshot.

Run by ``./dev bench increment [--rounds N] [--no-page]``.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from app.cli.demo.stage import open_host
from app.contract.platforms import ListVms, RegisterPlatform
from app.contract.standbys import RegisterStandby
from app.contract.tasks import StartBackup, TaskDetails
from app.domain.events import Event, TaskStateChanged
from app.domain.ids import PlatformId, StandbyId
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmSummary
from app.engine.engine import Engine
from tests.bench.increment_host import SIZES, serve
from tests.bench.page import circumstances, write_section

MIB = 1 << 20
CHANGED_BYTES = 64 * MIB
GOAL_S = 0.4
_NOTHING, _CHANGED = "nothing changed", "64 MiB changed"
_DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Setting:
    """An engine with everything registered."""

    engine: Engine
    platform: PlatformId
    standby: StandbyId

    def seconds_of(self, vm: VmSummary, kind: BackupKind) -> float:
        """Back a VM up; return the time from the command until the task is done."""
        done = threading.Event()

        def listen(event: Event) -> None:
            if isinstance(event, TaskStateChanged) and event.state.is_final:
                done.set()

        end = self.engine.services.bus.subscribe(listen)
        begun = time.perf_counter()
        task = self.engine.execute(
            StartBackup(
                platform=self.platform,
                vm=vm.id,
                vm_name=vm.name,
                standby=self.standby,
                rule_name="bench",
                kind=kind,
                host=vm.host,
            )
        )
        assert done.wait(_DEADLINE_S), f"no end of the backup of {vm.name}"
        seconds = time.perf_counter() - begun
        end()
        report = self.engine.ask(TaskDetails(task=task))
        assert report.task.state is TaskState.COMPLETED, report.task.error
        assert self.engine.wait_until_idle(_DEADLINE_S), "something is still being tidied up"
        return seconds


@contextmanager
def set_up(root: Path, place: Path) -> Iterator[tuple[Setting, Connection]]:
    """Start the simulated vSphere in ``place`` and an engine in ``root``."""
    line, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(place, there), daemon=True)
    child.start()
    registration: RegisterPlatform = line.recv()
    with open_host(root / "standfast", "not kept") as engine_host:
        engine = engine_host.engine
        platform = engine.execute(registration)
        standby = engine.execute(RegisterStandby(name="bench", root_path=str(root / "standby")))
        yield Setting(engine, platform.id, standby.id), line
    line.send(None)
    child.join(_DEADLINE_S)


def measure(setting: Setting, line: Connection, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the seconds of every increment, by size and by what had changed."""
    vms = {vm.name: vm for vm in setting.engine.ask(ListVms(platform=setting.platform))}
    found: dict[tuple[str, str], list[float]] = {
        (name, what): [] for name in SIZES for what in (_NOTHING, _CHANGED)
    }
    for name in SIZES:
        print(f"whole {name}: {setting.seconds_of(vms[name], BackupKind.FULL):.2f} s", flush=True)
    for number in range(rounds):
        for name in list(SIZES)[number % len(SIZES) :] + list(SIZES)[: number % len(SIZES)]:
            for what, n_bytes in ((_NOTHING, 0), (_CHANGED, CHANGED_BYTES)):
                if n_bytes:
                    line.send((name, n_bytes))
                    line.recv()
                seconds = setting.seconds_of(vms[name], BackupKind.INCREMENTAL)
                found[name, what].append(seconds)
                print(f"round {number + 1} {name}, {what}: {seconds:.3f} s", flush=True)
    return found


def report(found: dict[tuple[str, str], list[float]], rounds: int) -> str:
    """Return the section of the page."""
    lines = ["| disk | nothing changed, s | 64 MiB changed, s | goal |", "|---|---|---|---|"]
    for name in SIZES:
        nothing, changed = (statistics.median(found[name, what]) for what in (_NOTHING, _CHANGED))
        verdict = "reached" if changed <= GOAL_S else "**missed**"
        lines.append(f"| {name} | {nothing:.2f} | {changed:.2f} | ≤ {GOAL_S:g} s: {verdict} |")
    return (
        f"Medians of {rounds} rounds, from the command until the task is done, over TLS and NFC; the simulated "
        "vSphere has a process of its own on the same two cores, and its disks are in memory.\n\n"
        + "\n".join(lines)
        + "\n\n"
        + circumstances(f"./dev bench increment --rounds {rounds}")
    )


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Measure increments inside the running engine.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="standfast-") as root,
        tempfile.TemporaryDirectory(prefix="standfast-", dir="/dev/shm") as place,
        set_up(Path(root), Path(place)) as (setting, line),
    ):
        found = measure(setting, line, options.rounds)
    text = report(found, options.rounds)
    print(text)
    if not options.no_page:
        write_section("increment", "An increment inside the running engine", text)


if __name__ == "__main__":
    main()
