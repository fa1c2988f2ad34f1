"""From the command until the host has accepted the power-on of a VM that runs from its restore point.

An engine, the serving process and a simulated vCenter that mounts it with libnfs, all on this machine. Each VM is
backed up once; then it is started from that point and taken away again, in rounds.

Run by ``./dev bench instant_start [--rounds N] [--no-page]``.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from app.contract.instant import StopInstantRecovery
from app.domain.restore_point import RestorePoint
from app.simulator.spec import DatastoreSpec
from tests.bench.page import circumstances, write_section
from tests.support.instant_lab import MIB, InstantLab

TIB = 1 << 40
SIZES = {"8 GiB": 8 << 30, "8 TiB": 8 * TIB}
GOAL_S = 10.0


def seconds_of(lab: InstantLab, point: RestorePoint) -> tuple[float, float]:
    """Start a point and take it away; return how long each took."""
    begun = time.perf_counter()
    (task,) = lab.start(lab.member(point))
    lab.completed(task)
    started_s = time.perf_counter() - begun
    assert lab.machine("web-now").power_state == "poweredOn"
    (row,) = lab.rows()
    begun = time.perf_counter()
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id, discard=True)))
    return started_s, time.perf_counter() - begun


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each round, by the size of the disk."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory(prefix="standfast-") as folder:
            stores = (DatastoreSpec(name="ds1", capacity_bytes=100 * TIB),)
            lab = InstantLab.make(Path(folder), disk_bytes=size, datastores=stores)
            with lab.simulator, lab:
                lab.write("web", size - 64 * MIB, b"x" * (16 * MIB))
                point = lab.backup()
                found[name] = [seconds_of(lab, point) for _ in range(rounds)]
                print(name, found[name], flush=True)
    return found


def report(found: dict[str, list[tuple[float, float]]], rounds: int) -> str:
    """Return the section of the page."""
    lines = ["| disk | started, median s | slowest | taken away, median s | goal |", "|---|---|---|---|---|"]
    for name, pairs in found.items():
        started = [pair[0] for pair in pairs]
        away = statistics.median(pair[1] for pair in pairs)
        verdict = "reached" if max(started) < GOAL_S else "**missed**"
        lines.append(
            f"| {name} | {statistics.median(started):.1f} | {max(started):.1f} | {away:.1f} | "
            f"< {GOAL_S:g} s: {verdict} |"
        )
    return (
        f"{rounds} rounds, from the command until the host has accepted the power-on: pin, overlay, service,"
        " mount, creation of the VM, power-on. The engine, the service and the simulated vCenter share two "
        "cores.\n\n" + "\n".join(lines) + "\n\n" + circumstances(f"./dev bench instant_start --rounds {rounds}")
    )


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Measure the start of VMs from restore points.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    text = report(measure(options.rounds), options.rounds)
    print(text)
    if not options.no_page:
        write_section("instant_start", "Starting a VM from its restore point", text)


if __name__ == "__main__":
    main()
