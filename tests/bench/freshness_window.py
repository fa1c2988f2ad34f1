"""The window of the benchmark of freshness, in a process of its own; its engine is the child it starts.

``python -m tests.bench.freshness_window HOME SECONDS CHANGES``: prints its figures as one line of JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TypeVar

import psutil
from PySide6.QtCore import QEvent, QObject, QTimer

from app.bootstrap.door import DOOR_TIMEOUT_S
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in
from app.console.demoplatform import DemoPlatform
from app.console.enginedoor import open_engine
from app.console.pages import make_pages
from app.console.program import application_object, client_of
from app.console.service import ProgramService
from app.contract.asyncclient import AsyncDoor
from app.contract.base import Command, Query
from app.contract.client import RemoteDoor
from app.contract.overview import ReadStatus
from app.contract.rules import RuleRow
from app.domain.ids import RuleId
from app.domain.states import TaskState
from app.views.backup.list_rules import RuleList
from app.views.console import Console, ThemeSwitch
from app.views.frame.freshness import SAFETY_MS
from app.views.frame.history import Address
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.translation import LanguageSwitch
from app.workers.collector import GuiCollector
from app.workers.loop import asyncio_in_qt
from tests.bench.gui_window import let_live, live_until
from tests.support.given_passphrase import GivenPassphrase

R = TypeVar("R")
SETTLE_MS = 15_000
"""Until the start is over and the pages are loaded."""
PAGES = ("overview", "backup", "tasks", "standbys")
LATEST_S = 10.0
ASKED = 10
WARM_S, COLD_S = 0.0, 5.0
"""Pauses before a question whose price is measured."""


@dataclass
class Idle:
    """What a page cost while nobody did anything: requests a minute, and percent of a core."""

    page: str
    requests: float
    window_cpu: float
    engine_cpu: float
    wakes: float
    """A second, of both processes."""

    @property
    def cpu(self) -> float:
        """Return the percent of a core of both processes."""
        return self.window_cpu + self.engine_cpu


@dataclass
class Figures:
    """What was measured."""

    idle: list[Idle] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    lost: int = 0
    bare_cpu: float = 0.0
    """Percent of a core of a program that does nothing but wake up as often as both processes did at worst."""
    warm_ms: float = 0.0
    """Processor time of the engine for a small question that comes shortly after another one."""
    cold_ms: float = 0.0
    """The same after seconds of silence."""


class CountingDoor(AsyncDoor):
    """Counts what the window asks and commands. Thread: GUI."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.requests: Counter[str] = Counter()

    def request(self, request: Command[R] | Query[R]) -> "asyncio.Future[R]":
        """Count a request, and pass it on."""
        self.requests[type(request).__name__] += 1
        return super().request(request)


class PaintWatch(QObject):
    """Notes when a rule's row has been painted in another state. Thread: GUI."""

    def __init__(self, rules: RuleList) -> None:
        super().__init__()
        self._rows = rules.table.rows
        self._wanted: tuple[RuleId, bool] | None = None
        self.painted_s: float | None = None
        rules.table.viewport().installEventFilter(self)

    def want(self, rule: RuleId, *, stopped: bool) -> None:
        """Wait for a rule to be shown as stopped, or not any more."""
        self._wanted, self.painted_s = (rule, stopped), None

    def is_painted(self) -> bool:
        """Tell whether it was."""
        return self.painted_s is not None

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Look at each painting."""
        if event.type() is QEvent.Type.Paint and self._wanted is not None and self.painted_s is None:
            rule, stopped = self._wanted
            row = next((shown for shown in self._rows.rows if shown.id == rule), None)
            if row is not None and (row.state is TaskState.STOPPED) == stopped:
                QTimer.singleShot(0, self, self._on_painted)
        return False

    def _on_painted(self) -> None:
        self.painted_s = self.painted_s or time.monotonic()


def measure_idle(shell: Shell, door: CountingDoor, engine: psutil.Process, seconds: float) -> list[Idle]:
    """Leave each page alone for a while."""
    window, found = psutil.Process(), []
    for page in PAGES:
        shell.window.visit(Address(page))
        let_live(SETTLE_MS)
        door.requests.clear()
        live_until(lambda: bool(door.requests), seconds=SAFETY_MS / 1000)
        let_live(SAFETY_MS // 2)  # midway between two safety polls, so that the time holds no more than its share
        door.requests.clear()
        before = _cpu_s(window), _cpu_s(engine)
        woken = [(process, _wakes(process)) for process in (window, engine)]
        began_s = time.monotonic()
        let_live(int(seconds * 1000))
        took_s = time.monotonic() - began_s
        window_s, engine_s = _cpu_s(window) - before[0], _cpu_s(engine) - before[1]
        asked = {kind: round(count / took_s * 60, 1) for kind, count in door.requests.items()}
        print(f"{page}: {asked}", file=sys.stderr)
        wakes = sum(_wakes_since(counts, process) for process, counts in woken) / took_s
        figures = (window_s / took_s * 100, engine_s / took_s * 100, wakes)
        found.append(Idle(page, sum(asked.values()), *figures))
    return found


def measure_bare(wakes: float, seconds: float) -> float:
    """Return the percent of a core of a program that sleeps and wakes so often a second."""
    work = f"import time\nfor _ in range({max(1, int(wakes * seconds))}): time.sleep({1 / wakes})"
    with subprocess.Popen([sys.executable, "-c", work]) as process:
        time.sleep(1.0)  # its start is no part of it
        before_s, began_s = _cpu_s(psutil.Process(process.pid)), time.monotonic()
        let_live(int((seconds - 2) * 1000))
        used_s, took_s = _cpu_s(psutil.Process(process.pid)) - before_s, time.monotonic() - began_s
    return used_s / took_s * 100


def measure_price(folder: Path, engine: psutil.Process, pause_s: float) -> float:
    """Return the milliseconds of processor time that a small question costs the engine after a pause."""
    spent_s = 0.0
    with RemoteDoor(folder) as door:
        door.wait_until_connected(DOOR_TIMEOUT_S)
        for _ in range(ASKED):
            door.ask(ReadStatus())
        for _ in range(ASKED):
            time.sleep(pause_s)
            before_s = _cpu_s(engine)
            door.ask(ReadStatus())
            spent_s += _cpu_s(engine) - before_s
    return spent_s / ASKED * 1000


def _wakes(process: psutil.Process) -> dict[str, int]:
    # Of every thread; psutil counts those of the first one only.
    found = {}
    for file in Path(f"/proc/{process.pid}/task").glob("*/status"):
        lines = file.read_text(encoding="ascii").splitlines()
        [line] = [line for line in lines if line.startswith("voluntary_ctxt_switches")]
        found[str(file)] = int(line.split()[1])
    return found


def _wakes_since(before: dict[str, int], process: psutil.Process) -> int:
    """Count the wakes since then; those of threads that have ended meanwhile are not known."""
    return sum(count - before.get(thread, 0) for thread, count in _wakes(process).items())


def _cpu_s(process: psutil.Process) -> float:
    # The scheduler's own count of a process (clock_getcpuclockid of Linux) has nanoseconds; /proc shows ticks.
    return time.clock_gettime(~process.pid << 3 | 2)


def measure_changes(shell: Shell, folder: Path, count: int) -> tuple[list[float], int]:
    """Let another client change rules; return how long each change took to be painted, and how many never were."""
    shell.window.visit(Address("backup"))
    let_live(SETTLE_MS)
    rules = shell.window.findChildren(RuleList)[0]
    watch, rows = PaintWatch(rules), list(rules.table.rows.rows)
    command = [sys.executable, "-m", "tests.bench.freshness_client", str(folder)]
    latencies, lost = [], 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for number in range(count):
            row: RuleRow = rows[number // 2 * 7 % len(rows)]
            rules.table.select(row.id)
            let_live(150)
            current = rules.table.rows.get(row.id)
            assert current is not None
            stop = current.state is not TaskState.STOPPED
            watch.want(row.id, stopped=stop)
            _send(client.stdin, row.id, "stop" if stop else "start")
            live_until(watch.is_painted, seconds=LATEST_S)
            sent_s = float(client.stdout.readline())
            if watch.painted_s is None:
                lost += 1
            else:
                latencies.append((watch.painted_s - sent_s) * 1000)
        client.stdin.close()
    return latencies, lost


def _send(stream: IO[str], rule: RuleId, what: str) -> None:
    stream.write(f"{rule} {what}\n")
    stream.flush()


def measure(root: Path, seconds: float, changes: int) -> Figures:
    """Open the window, leave it alone, and let another client change rules."""
    application = application_object(sys.argv[:1])
    folders = folders_in(root / "standfast")
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    installation = Installation.find(folders)
    with ExitStack() as ending:
        ending.enter_context(open_engine(installation, GivenPassphrase(installation, "a passphrase of the bench")))
        ending.enter_context(asyncio_in_qt(application))
        lines: list[CountingDoor] = []

        def make_line(folder: Path) -> CountingDoor:
            lines.append(CountingDoor(folder))
            return lines[-1]

        client = ending.enter_context(client_of(folders, make_line))
        with RemoteDoor(folders.data) as beside:  # not longer: its threads are not the window's
            beside.wait_until_connected(DOOR_TIMEOUT_S)
            engine = psutil.Process(beside.ask(ReadStatus()).engine_pid)
        memory = Memory(folders.local / "window.ini")
        theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
        demo = DemoPlatform(root / "demo")
        program = ProgramService(installation, demo, engine_is_elsewhere=False, put_in_force=lambda _limits: True)
        console = Console(client, memory, theme)
        shell = Shell(console, languages, lambda owner: make_pages(owner, languages, program), has_tray=False)
        shell.show()
        ending.enter_context(GuiCollector()).calm()
        ending.callback(shell.dismiss)
        let_live(SETTLE_MS)
        idle = measure_idle(shell, lines[0], engine, seconds)
        bare = measure_bare(max(page.wakes for page in idle), seconds)
        latencies, lost = measure_changes(shell, folders.data, changes)
        shell.window.visit(Address("overview"))
        let_live(SETTLE_MS)
        warm, cold = (measure_price(folders.data, engine, pause_s) for pause_s in (WARM_S, COLD_S))
    return Figures(idle=idle, latencies_ms=latencies, lost=lost, bare_cpu=bare, warm_ms=warm, cold_ms=cold)


def main() -> int:
    """Measure, and print the figures as one line."""
    root, seconds, changes = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(measure(root, seconds, changes))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
