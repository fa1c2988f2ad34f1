"""How fresh the window is and what that costs: requests and processor time when idle, and others' changes.

A catalog of 10,000 VMs in 500 rules, an engine in its own process and the window that started it
(``freshness_window``), as in earnest. First nobody does anything, on several pages in turn: requests of the window
are counted, and the processor time of both processes. Then a second client (``freshness_client``, which connects
as ``debugctl`` does) stops and starts rules while the list of rules is shown; what is measured is the time from
before its command until the changed row is painted.

Run by ``./dev bench freshness``, or ``python -m tests.bench.freshness [--vms N] [--seconds S] [--changes N]
[--keep DIR]``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.catalog_history import VMS_PER_RULE
from tests.bench.freshness_window import COLD_S, Figures, Idle
from tests.bench.gui import fill_catalog
from tests.bench.page import circumstances, write_section

DAYS = 10
REQUESTS_GOAL, CPU_GOAL, LATENCY_GOAL_MS = 5.0, 0.5, 300.0


def measured(root: Path, seconds: float, changes: int) -> Figures:
    """Run the window, and return what it measured."""
    command = [sys.executable, "-m", "tests.bench.freshness_window", str(root), str(seconds), str(changes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    idle = [Idle(**page) for page in told.pop("idle")]
    return Figures(**told, idle=idle)


def report(figures: Figures, facts: str, command: str) -> bool:
    """Write the figures down; return whether every goal is reached."""
    latencies = sorted(figures.latencies_ms)
    p99 = latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))]
    rows = [
        ("requests a minute, idle, worst page", max(page.requests for page in figures.idle), REQUESTS_GOAL, ""),
        ("window and engine, idle, worst page", max(page.cpu for page in figures.idle), CPU_GOAL, " % of a core"),
        ("change until it is painted, 99th percentile", p99, LATENCY_GOAL_MS, " ms"),
    ]
    worst = max(figures.idle, key=lambda page: page.cpu)
    lines = [facts, "", "| measured | figure | goal | |", "|---|---|---|---|"]
    for name, figure, goal, unit in rows:
        verdict = "reached" if figure < goal else "**missed**"
        lines.append(f"| {name} | {figure:.2f}{unit} | under {goal:g}{unit} | {verdict} |")
    lines += [
        "",
        f"The median of {len(latencies)} changes was {latencies[len(latencies) // 2]:.0f} ms, the worst ",
    ]
    lines[-1] += f"{latencies[-1]:.0f} ms; {figures.lost} were not painted within the deadline."
    lines += [
        "",
        f"A Python program that does nothing but wake up as often as both together uses {figures.bare_cpu:.2f} % "
        "of a core on this machine.",
        "",
        f"The same small question (`ReadStatus`) costs the engine {figures.warm_ms:.1f} ms of processor time "
        f"right after another one, and {figures.cold_ms:.1f} ms after {COLD_S:g} s of silence: what an idle "
        f"program does here costs {figures.cold_ms / figures.warm_ms:.0f} times what the same work costs a busy "
        f"one. At the price of a busy one, the worst page would use "
        f"{worst.cpu * figures.warm_ms / figures.cold_ms:.2f} % of a core.",
        "",
        "| idle page | requests a minute | window | engine | wakes a second |",
        "|---|---|---|---|---|",
    ]
    for page in figures.idle:
        cells = (
            f"{page.requests:.1f}",
            f"{page.window_cpu:.2f} %",
            f"{page.engine_cpu:.2f} %",
            f"{page.wakes:.1f}",
        )
        lines.append(f"| {page.page} | {' | '.join(cells)} |")
    text = "\n".join([*lines, "", circumstances(command)])
    print(text)
    write_section("freshness", "Freshness, and what it costs", text)
    return not figures.lost and all(figure < goal for _, figure, goal, _ in rows)


def run(root: Path, arguments: argparse.Namespace) -> bool:
    """Build, measure and report."""
    fill_catalog(root, arguments.vms, DAYS)
    figures = measured(root, arguments.seconds, arguments.changes)
    facts = (
        f"{arguments.vms:,} VMs in {arguments.vms // VMS_PER_RULE:,} rules; each page was left alone for "
        f"{arguments.seconds:g} seconds."
    )
    return report(figures, facts, f"./dev bench freshness --vms {arguments.vms} --seconds {arguments.seconds:g}")


def main() -> int:
    """Measure; return 0 when every goal is reached."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="folder of the catalog, made once and used again")
    arguments = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return 0 if run(arguments.keep, arguments) else 1
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        return 0 if run(Path(folder), arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
