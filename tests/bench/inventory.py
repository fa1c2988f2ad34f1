"""Reads inventories of thousands of VMs over the wire: from our simulator, and from the Go simulator.

Each platform runs in a process of its own, as a vCenter does. The first call finds a platform that has never been
asked: our simulator describes its VMs only then. Run by ``./dev bench inventory [--vms N] [--rounds N]``.
"""

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.parsers.expat import ParserCreate

from pyVmomi import vmodl

from app.core.clock import SystemClock
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.simulator.server import VSphereSimulator
from app.simulator.spec import large_spec
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.inventory import INVENTORY_PATHS
from app.vsphere.inventory_xml import parse_page
from app.vsphere.properties import PAGE_OBJECTS, container_view, view_spec
from app.vsphere.session import Connection
from tests.bench.page import circumstances, write_section
from tests.contract.vsphere.platforms import govmomi

GO_VMS = 5_000
CHANGED_VMS = 50


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


def measure_followed(platform: Platform, password: str, rounds: int) -> list[float]:
    """Return how long looks take that follow the inventory, the first one first; VMs are renamed before each."""
    seconds = []
    with VSphereFactory(SystemClock()).connect(platform, password) as session:
        vms = session.list_vms()[:CHANGED_VMS]
        for number in range(1 + rounds):
            for vm in vms:
                session.rename_vm(vm.id, f"{vm.name} {number}")
            begun = time.perf_counter()
            found = {vm.name for vm in session.follow_vms()}
            seconds.append(time.perf_counter() - begun)
            assert all(f"{vm.name} {number}" in found for vm in vms)
        for vm in vms:
            session.rename_vm(vm.id, vm.name)
    return seconds


def parsing_ratio(platform: Platform, password: str, rounds: int) -> float:
    """Return the CPU time of our reader to that of expat with handlers that do nothing, for one page."""
    pages: list[bytes] = []

    def fetch(connection: Connection) -> None:
        collector = connection.content.propertyCollector
        with container_view(connection.query(), list(INVENTORY_PATHS)) as view:
            options = vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=PAGE_OBJECTS)
            arguments = ([view_spec(view, INVENTORY_PATHS)], options)
            method = type(collector).RetrievePropertiesEx.info
            pages.append(connection.stub.invoke_raw(collector, method, arguments, lambda stream: stream.read()))

    with VSphereFactory(SystemClock()).connect(platform, password) as session:
        assert isinstance(session, VSphereHypervisor)
        session.session.run(fetch)
    ours = [_cpu_s(lambda: parse_page(io.BytesIO(pages[0]))) for _ in range(3 * rounds)]
    bare = [_cpu_s(lambda: _parse_for_nothing(pages[0])) for _ in range(3 * rounds)]
    return statistics.median(ours) / statistics.median(bare)


def _cpu_s(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _parse_for_nothing(content: bytes) -> None:
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: None
    parser.EndElementHandler = lambda tag: None
    parser.CharacterDataHandler = lambda text: None
    parser.Parse(content, True)


def row(name: str, vms: int, seconds: list[float]) -> str:
    """Return one line of the table."""
    later = seconds[1:]
    return f"| {name} | {vms:,} | {seconds[0]:.1f} | {statistics.median(later):.2f} | {max(later):.2f} |"


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
        followed = measure_followed(platform, password, chosen.rounds)
        parsing = parsing_ratio(platform, password, chosen.rounds)
        lines.append(row(f"our simulator, followed, {CHANGED_VMS} VMs changed (goal 0.3)", chosen.vms, followed))
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
        "asked. *Followed*: over one session, which asks only for what changed since its last look. Reading a "
        f"page takes {parsing:.2f} of the CPU time of expat with handlers that do nothing (goal 2.2).\n\n"
        + "\n".join(lines)
        + "\n\n"
        + circumstances(command),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
