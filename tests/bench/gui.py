"""The window under load: the event loop's delay, opening pages, and memory, while eight tasks move data.

A catalog of 10,000 VMs in 500 rules with a million log lines; the VMs of a simulated vSphere are backed up at
full speed, eight at a time. Three processes as in earnest: the simulated vSphere, the engine, and the window that
started it (``gui_window``). In the window a thread posts a mark to the event loop every ten milliseconds; how long
it lies there is the delay that a click would have.

Run by ``./dev bench gui``, or ``python -m tests.bench.gui [--vms N] [--days N] [--rounds N] [--keep DIR]``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app.cli.demo.stage import folders_in
from app.core.priority import yield_to_others
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.storage.disk import SimDisk
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.bench.catalog_history import VMS_PER_RULE, Builder
from tests.bench.gui_window import TASKS, Figures, Opening
from tests.bench.page import circumstances, write_section
from tests.support.engine_lab import EngineLab
from tests.support.fakes import TurnableClock

VMS = 24
DISK_BYTES = 256 << 20
BLOCK_BYTES = 1 << 20
P99_GOAL_MS, WORST_GOAL_MS = 50.0, 200.0
SHOWN_GOAL_MS, CONTENT_GOAL_MS = 100.0, 500.0
MEMORY_GOAL_MB = 400
_FILLED = "filled.json"


def serve(directory: Path) -> int:
    """Be the simulated vSphere until standard input ends.

    In earnest it is other machines with processors of their own, so here it stands back behind the other two.
    """
    yield_to_others()
    disk = DiskSpec(capacity_bytes=DISK_BYTES, filesystem=False)
    vms = tuple(VmSpec(name=f"load-{number}", disks=(disk,)) for number in range(VMS))
    with VSphereSimulator(SimulatorSpec(vms=vms), directory) as simulator:
        for vm in simulator.world.all(VirtualMachine):
            for tree in vm.trees.values():
                for disk_file in tree.every_disk():
                    fill_disk(disk_file)
        facts = {"port": simulator.port, "thumbprint": simulator.thumbprint_sha256}
        print(json.dumps({**facts, "user": simulator.user, "password": simulator.password}), flush=True)
        sys.stdin.read()
    return 0


def fill_disk(disk: SimDisk) -> None:
    """Fill a disk with bytes that do not compress, no two blocks the same."""
    block = bytearray(os.urandom(BLOCK_BYTES))
    for offset in range(0, DISK_BYTES, BLOCK_BYTES):
        block[:16] = os.urandom(16)
        disk.write(offset, bytes(block))


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Run the simulated vSphere as a process of its own; give what a caller has to know, as a line of JSON."""
    command = [sys.executable, "-m", "tests.bench.gui", "--serve", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline()
        process.stdin.close()
        process.wait(30)


def fill_catalog(home: Path, vms: int, days: int) -> int:
    """Make the history, unless it is there already; return the number of its log lines."""
    folder = folders_in(home / "standfast").data
    note = home / _FILLED
    if note.exists():
        return int(json.loads(note.read_text(encoding="utf-8")))
    folder.mkdir(parents=True)
    now = datetime.now(UTC)
    with EngineLab(folder, clock=TurnableClock(now)) as lab:
        lines = Builder(lab.catalog, folder / "catalog.db", lab, days, now).build(vms).line_count
    note.write_text(json.dumps(lines), encoding="utf-8")
    return lines


def measured(root: Path, facts: str, rounds: int) -> Figures:
    """Run the window, and return what it measured."""
    command = [sys.executable, "-m", "tests.bench.gui_window", str(root), str(rounds)]
    done = subprocess.run(command, input=facts, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    openings = [Opening(**opening) for opening in told.pop("openings")]
    return Figures(**told, openings=openings)


def report(figures: Figures, facts: str, command: str) -> bool:
    """Write the figures down; return whether every goal is reached."""
    delays, pages = sorted(figures.delays_ms), figures.openings
    p99, worst = delays[int(len(delays) * 0.99)], delays[-1]
    shown, content = max(page.shown_ms for page in pages), max(page.content_ms for page in pages)
    rows = [
        ("event loop, delay at the 99th percentile", p99, P99_GOAL_MS, "ms"),
        ("event loop, worst delay", worst, WORST_GOAL_MS, "ms"),
        ("slowest page to show content or that it loads", shown, SHOWN_GOAL_MS, "ms"),
        ("slowest page to have its content", content, CONTENT_GOAL_MS, "ms"),
        ("memory of the window's process", figures.memory_mb, MEMORY_GOAL_MB, "MB"),
    ]
    lines = [facts, "", "| measured | figure | goal | |", "|---|---|---|---|"]
    for name, figure, goal, unit in rows:
        verdict = "reached" if figure < goal else "**missed**"
        lines.append(f"| {name} | {figure:.0f} {unit} | under {goal:.0f} {unit} | {verdict} |")
    lines += ["", f"The median of the delay was {delays[len(delays) // 2]:.1f} ms.", ""]
    lines += ["| page | shows content or that it loads | has its content |", "|---|---|---|"]
    lines += [f"| {page.place} | {page.shown_ms:.0f} ms | {page.content_ms:.0f} ms |" for page in pages]
    text = "\n".join([*lines, "", circumstances(command)])
    print(text)
    for where, count in figures.late_in:
        print(f"late {count:4d}: {where}", file=sys.stderr)
    write_section("gui", "The window under load", text)
    return all(figure < goal for _, figure, goal, _ in rows)


def run(root: Path, arguments: argparse.Namespace) -> bool:
    """Build, measure and report."""
    home: Path = arguments.keep or root
    line_count = fill_catalog(home, arguments.vms, arguments.days)
    if home != root:
        shutil.copytree(home / "standfast", root / "standfast")
    print(f"{line_count:,} log lines", flush=True)
    with tempfile.TemporaryDirectory(prefix="vsphere-", dir=root) as directory, served(Path(directory)) as vsphere:
        figures = measured(root, vsphere, arguments.rounds)
    facts = (
        f"{arguments.vms:,} VMs in {arguments.vms // VMS_PER_RULE:,} rules and {line_count:,} log lines in the "
        f"catalog; {TASKS} backups at a time in the engine's process at {figures.read_mb_per_s:.0f} MB/s "
        f"together, {figures.moving} of them moving data at the end; {len(figures.delays_ms):,} marks. Pages: the "
        f"worst of {arguments.rounds} rounds, the first of which builds them."
    )
    return report(figures, facts, f"./dev bench gui --vms {arguments.vms} --days {arguments.days}")


def main() -> int:
    """Measure; return 0 when every goal is reached."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder of the catalog, made once and used again")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        return serve(arguments.serve)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        return 0 if run(Path(folder), arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
