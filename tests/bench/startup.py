"""How long the window and debugctl take to load, and how much of it is ours, against what they stand on."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from app.contract.tasks import ListTasks
from app.engine.door.server import DoorServer
from tests.support.loaded_program import folders_of
from tests.support.scripted_door import ScriptedDoor

ROOT = Path(__file__).parents[2]
ROUNDS = 9
PEERS = "PySide6.QtWidgets, pyqtgraph, qtawesome"
WINDOW = "app.console.program"
_LOAD = """
import json, os, sys, time
began = time.perf_counter()
import {modules}
took = time.perf_counter() - began
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[1])
print(json.dumps([len(sys.modules), pages * os.sysconf("SC_PAGESIZE") / 1e6, took]))
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What it takes to import modules in a fresh interpreter."""

    modules: int
    memory_mb: float
    seconds: float


def keep_bytecode(folder: Path) -> None:
    """Let every interpreter from here on keep its bytecode in a folder, as an installed program has it already."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def load(modules: str) -> Loaded:
    """Import modules in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD.format(modules=modules)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return Loaded(*json.loads(done.stdout))


def user_cpu_s(arguments: Sequence[str]) -> float:
    """Run Python once; return the user CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def middle(runs: Sequence[Loaded]) -> Loaded:
    """Return the median of each figure."""
    return Loaded(runs[0].modules, median(run.memory_mb for run in runs), median(run.seconds for run in runs))


def measure_window() -> None:
    """Compare loading the window with loading Qt and the two libraries on it, turn by turn."""
    load(WINDOW)  # compiles
    runs = [(load(PEERS), load(WINDOW)) for _ in range(ROUNDS)]
    peers, window = middle([run[0] for run in runs]), middle([run[1] for run in runs])
    own = Loaded(
        window.modules - peers.modules, window.memory_mb - peers.memory_mb, window.seconds - peers.seconds
    )
    print(f"{'':<34}{'modules':>9}{'MB':>8}{'s':>8}")
    for name, row in ((PEERS, peers), (WINDOW, window), ("of our own", own)):
        print(f"{name:<34}{row.modules:>9}{row.memory_mb:>8.0f}{row.seconds:>8.2f}")
    print("goal: at most 25 MB and 0.3 s of our own")


def measure_debugctl() -> None:
    """Compare ``debugctl`` with an interpreter that does nothing, turn by turn, in user CPU seconds."""
    door = ScriptedDoor()
    door.answer(ListTasks, ())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        folders = folders_of(home)
        folders.create()
        with DoorServer.open(door, folders.data):
            runs = [
                (
                    user_cpu_s(["-c", "pass"]),
                    user_cpu_s(["-X", "utf8", "main.py", "ctl", "--help"]),
                    user_cpu_s(["-X", "utf8", "-m", "tests.support.loaded_program", "tasks", str(home)]),
                )
                for _ in range(ROUNDS + 1)
            ][1:]  # the first compiles
    nothing, shows_help, lists = (median(run[place] for run in runs) for place in range(3))
    print(f"debugctl --help     {shows_help - nothing:.3f} s of its own (goal: 0.25)")
    print(f"debugctl task list  {lists - nothing:.3f} s of its own (goal: 0.5)")


def main() -> int:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        keep_bytecode(Path(folder))
        measure_window()
        measure_debugctl()
    return 0


if __name__ == "__main__":
    sys.exit(main())
