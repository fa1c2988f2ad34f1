"""Reads inventories of thousands of VMs over the wire: from our simulator, and from the Go simulator.

Each platform runs in a process of its own, as a vCenter does. The first call finds a platform that has never been
asked: our simulator describes its VMs only then. Run by ``./dev bench inventory [--vms N] [--rounds N]``.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.clock import SystemClock
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.simulator.server import VSphereSimulator
from app.simulator.spec import large_spec
from app.vsphere.factory import VSphereFactory
from tests.bench.page import circumstances, write_section
from tests.contract.vsphere.platforms import govmomi

GO_VMS = 5_000


@contextmanager
def our_platform(vms: int) -> Iterator[tuple[Platform, str]]:
    """Run our simulator in another process for the time of the block."""
    command = [sys.executable, "-m", "tests.bench.inventory", "--serve", str(vms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            host, port, user, password, thumbprint = process.stdout.readline().rstrip("\n").split("\t")
            platform = Platform(
                id=PlatformId("ours"),
                name="ours",
                address=host,
                port=int(port),
                user=user,
                thumbprint_sha256=thumbprint,
            )
            yield platform, password
        finally:
            process.stdin.close()


def serve(vms: int) -> None:
    """Be the other process: say where the simulator is, and run until the input is closed."""
    with tempfile.TemporaryDirectory() as folder, VSphereSimulator(large_spec(vms), Path(folder)) as simulator:
        print(
            simulator.host,
            simulator.port,
            simulator.user,
            simulator.password,
            simulator.thumbprint_sha256,
            sep="\t",
            flush=True,
        )
        sys.stdin.read()


def measure(platform: Platform, password: str, vms: int, rounds: int) -> list[float]:
    """Return how long each call took, in seconds, the first one first."""
    seconds = []
    with VSphereFactory(SystemClock()).connect(platform, password) as session:
        for _ in range(1 + rounds):
            begun = time.perf_counter()
            found = len(session.list_vms())
            seconds.append(time.perf_counter() - begun)
            assert found >= vms, f"{found} of {vms} VMs"
    return seconds


def row(name: str, vms: int, seconds: list[float]) -> str:
    """Return one line of the table."""
    later = seconds[1:]
    return f"| {name} | {vms:,} | {seconds[0]:.1f} | {statistics.median(later):.1f} | {max(later):.1f} |"


def main(arguments: list[str]) -> int:
    """Measure and write the section of the page."""
    parser = argparse.ArgumentParser(description="inventories of thousands of VMs")
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        serve(chosen.serve)
        return 0
    lines = ["| platform | VMs | first call, s | later calls, median s | slowest s |", "|---|---|---|---|---|"]
    with our_platform(chosen.vms) as (platform, password):
        lines.append(row("our simulator", chosen.vms, measure(platform, password, chosen.vms, chosen.rounds)))
    with tempfile.TemporaryDirectory() as folder, govmomi(Path(folder), machines=GO_VMS) as target:
        figures = measure(target.platform, target.password, GO_VMS, chosen.rounds)
        lines.append(row("Go simulator", GO_VMS, figures))
    print("\n".join(lines))
    command = " ".join(["./dev bench inventory", *arguments])
    write_section(
        "inventory",
        "Reading the whole inventory",
        "Every VM with its place, state, disks and network adapters, in one paged query over TLS; platform and "
        "client on one machine, each in a process of its own. The first call finds a platform that has never been "
        "asked.\n\n" + "\n".join(lines) + "\n\n" + circumstances(command),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
