"""How fast a VM's disk is read and written that runs from a restore point, beside nfs-ganesha with the raw file.

Both servers run in one network namespace, which this machine reaches over a virtual cable, and keep their data on
the same disk: ganesha the raw image, ours a repository with the restore point and an overlay. libnfs loads both
(``tests/bench/nfsload.c``), in turn in every round.

- *sequential*: reads of 1 MiB, 8 under way, where nothing was written.
- *warm*: reads of 4 KiB at random within 8 MiB, 16 under way: what a booting guest asks for again and again.
- *cold*: reads of 4 KiB at random over half of the disk, 16 under way, with the page cache dropped before.
- *sync*: writes of 4 KiB at random, each durable when it is answered, 16 under way.
- *unstable*: the same, not durable yet.
- *scattered*: *sequential* where the VM has written at random: in the end every fifth block or so is its own.

Run by ``./dev bench instant``, or ``python -m tests.bench.instant [--gib N] [--rounds N]``.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from app.core.clock import SystemClock
from app.core.utf8 import UTF8_OPTIONS
from app.domain.extents import Extent
from app.nfs.service import Export, ExportFolder, ServedDisk, new_export_id, new_export_name
from app.repository import PinPurpose, Repository, RepositorySettings
from tests.bench.page import circumstances, write_section
from tests.support.ganesha import Ganesha, ganesha
from tests.support.nfs_client import NfsClient
from tests.support.waiting import wait_until
from tests.unit.repository.helpers import MemoryDisk, back_up

MIB = 1 << 20
PORT = 20_490
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Load:
    """What is asked of both servers."""

    does: str
    request_bytes: int
    depth: int
    count: int
    order: str
    first_byte: int
    span_bytes: int
    goal: float | None
    sync: bool = False
    is_cold: bool = False


def loads(size: int) -> dict[str, Load]:
    """Return the loads of a disk of this size."""
    half = size // 2
    return {
        "sequential": Load("read", MIB, 8, half // MIB, "sequential", 0, half, 0.5),
        "warm": Load("read", 4096, 16, 20_000, "random", 0, 8 * MIB, 0.35),
        "cold": Load("read", 4096, 16, 5_000, "random", 0, half, 0.6, is_cold=True),
        "sync": Load("write", 4096, 16, 5_000, "random", half, half, 0.5, sync=True),
        "unstable": Load("write", 4096, 16, 20_000, "random", half, half, None),
        "scattered": Load("read", MIB, 8, half // MIB, "sequential", half, half, None),
    }


def image(size: int) -> bytearray:
    """Return a disk half of which can be packed."""
    rng = np.random.default_rng(20261130)
    content = bytearray()
    for _ in range(0, size, MIB):
        words = rng.integers(0, 1 << 16, size=(MIB // 2 // 64, 4), dtype=np.uint16).repeat(8, axis=1)
        content += rng.bytes(MIB // 2) + words.tobytes()
    return content[:size]


class Servers:
    """The same disk for both servers: a raw file for ganesha, a restore point for ours."""

    def __init__(self, folder: Path, content: bytes | bytearray) -> None:
        self.folder = folder
        self.exported = folder / "export"
        self.exported.mkdir()
        (self.exported / "flat").write_bytes(content)
        with Repository.create(
            folder / "standby", RepositorySettings(), local_dir=folder / "local", clock=SystemClock()
        ) as repository:
            self.point = back_up(repository, MemoryDisk(content), [Extent(0, len(content))]).id
            repository.pins.take(self.point, PinPurpose.RECOVERY)
            self.repository_id = repository.id
        subprocess.run(["sync"], check=True)

    @contextmanager
    def ours(self, server: Ganesha, *, port: int, portmap_port: int) -> Iterator[tuple[str, psutil.Process]]:
        """Run our service in the namespace of the other server; give the path of its export and its process."""
        folder, name = self.folder / "nfs", new_export_name()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        export = Export(
            id=new_export_id(),
            name=name,
            place="vm",
            number=1,
            clients=(server.here,),
            address=server.host,
            repository=str(self.folder / "standby"),
            repository_id=self.repository_id,
            point=self.point,
            folder=str(self.folder / "standby" / "recoveries" / name),
            disks=(ServedDisk(key=2000, path="flat"),),
        )
        ExportFolder(folder / "exports").put(export)
        options = ["--locators", str(self.folder / "local"), "--logs", str(self.folder / "logs")]
        ports = ["--port", str(port), "--portmap-port", str(portmap_port)]
        program = [sys.executable, *UTF8_OPTIONS, str(ROOT / "main.py"), "nfs", *options, *ports, str(folder)]
        with subprocess.Popen(["ip", "netns", "exec", server.name, *program]) as process:
            try:
                wait_until(lambda: answers(server.host, port), what="our service", deadline_s=60)
                yield f"/{name}/vm", psutil.Process(process.pid)
            finally:
                process.terminate()


class Bench(Servers):
    """The two servers, and what loads them."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__(folder, image(size))
        self.loader = folder / "nfsload"
        source = Path(__file__).with_name("nfsload.c")
        subprocess.run(["gcc", "-O2", "-o", str(self.loader), str(source), "-l:libnfs.so.13"], check=True)

    def run(self, url: str, load: Load, seed: int) -> float:
        """Return the seconds that a load takes; the seed says where at random."""
        if load.is_cold:
            forget_cached()
        words = [url, "/flat", load.does, load.request_bytes, load.depth, load.count, load.order]
        words += [load.first_byte, load.span_bytes, seed]
        command = [str(self.loader), *map(str, words), *(["sync"] if load.sync else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout)


def forget_cached() -> None:
    """Drop the page cache of this machine."""
    Path("/proc/sys/vm/drop_caches").write_text("3")


def answers(host: str, port: int) -> bool:
    """Return whether our server answers."""
    try:
        with NfsClient(port, host) as client:
            client.ask(0, b"")
    except (ConnectionError, OSError):
        return False
    return True


def measure(folder: Path, size: int, rounds: int) -> tuple[dict[str, dict[str, list[float]]], int]:
    """Return the seconds of each load and server in each round, and the memory that ours had at the end."""
    bench = Bench(folder, size)
    seconds: dict[str, dict[str, list[float]]] = {name: {"ganesha": [], "ours": []} for name in loads(size)}
    with (
        ganesha(bench.exported, folder / "ganesha", is_writable=True) as server,
        bench.ours(server, port=PORT, portmap_port=PORT + 1) as (export, process),
    ):
        ours = f"nfs://{server.host}{export}?nfsport={PORT}&mountport={PORT}"
        urls = {"ganesha": f"nfs://{server.host}{bench.exported}?version=3", "ours": ours}
        for number in range(rounds + 1):
            for place_of_load, (name, load) in enumerate(loads(size).items()):
                for whose, place in urls.items():
                    took = bench.run(place, load, 100 * number + place_of_load)
                    rate = load.count / took
                    print(f"round {number}: {name:11} {whose:8} {rate:9.0f}/s", flush=True)
                    if number:  # the first round warms everything up
                        seconds[name][whose].append(took)
        memory = process.memory_info().rss
    return seconds, memory


def report(seconds: dict[str, dict[str, list[float]]], memory: int, size: int, rounds: int) -> bool:
    """Print and write down the figures; return whether the goals are reached."""
    rows = ["| load | ours | ganesha | ratio | goal |", "|---|---|---|---|---|"]
    reached = True
    for name, load in loads(size).items():
        rate = {whose: load.count / statistics.median(times) for whose, times in seconds[name].items()}
        ratio = rate["ours"] / rate["ganesha"]
        if load.goal is not None:
            reached = reached and ratio >= load.goal
        unit = load.request_bytes / 1e6
        cells = [f"{rate[whose]:.0f}/s, {rate[whose] * unit:.0f} MB/s" for whose in ("ours", "ganesha")]
        rows.append(f"| {name} | {' | '.join(cells)} | {ratio:.2f} | {load.goal or ''} |")
    reached = reached and memory <= 150_000_000
    body = "\n".join(
        [
            f"A disk of {size / (1 << 30):g} GiB, {rounds} rounds, both servers in turn in each; medians. What "
            "the loads are is told in `tests/bench/instant.py`.",
            "",
            *rows,
            "",
            f"Memory of our process at the end: {memory / 1e6:.0f} MB (goal 150).",
            "",
            circumstances(f"./dev bench instant --gib {size / (1 << 30):g} --rounds {rounds}"),
        ]
    )
    print(body)
    write_section("instant", "Running a VM from a restore point over NFS", body)
    return reached


def main() -> int:
    """Measure, write the figures down, and fail when a goal is missed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the disk")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    size = int(arguments.gib * (1 << 30)) // MIB * MIB
    folder = Path(tempfile.mkdtemp(prefix="standfast-instant-"))
    try:
        seconds, memory = measure(folder, size, arguments.rounds)
    finally:
        time.sleep(0.2)
        shutil.rmtree(folder, ignore_errors=True)
    reached = report(seconds, memory, size, arguments.rounds)
    print("goals reached" if reached else "A GOAL IS MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
