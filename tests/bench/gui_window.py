"""The window of the benchmark, in a process of its own as the program has it; its engine is the child it starts.

``python -m tests.bench.gui_window HOME``: reads what to register from its standard input, prints its figures.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import psutil
from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

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
from app.contract.door import Door
from app.contract.platforms import ListVms, RegisterPlatform
from app.contract.rules import ListRules, RuleRow
from app.contract.standbys import RegisterStandby
from app.contract.tasks import ListTasks, StartBackup, TaskRow
from app.domain.states import BackupKind, TaskState
from app.views.console import Console, ThemeSwitch
from app.views.frame.history import Address
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.translation import LanguageSwitch
from app.views.widgets.stages import Stages
from app.workers.collector import GuiCollector
from app.workers.loop import asyncio_in_qt
from tests.support.given_passphrase import GivenPassphrase

R = TypeVar("R")
TASKS = 8
LOAD = "load"
TURNS = 16
"""So often is each VM backed up in full, so that there is always a next one."""
LOAD_TASKS = 500
"""More than there are."""
LOAD_DEADLINE_S = 240.0
MARK_EVERY_S = 0.01
ROUNDS = 3
LOOK_MS = 2
STAY_MS = 2500
"""How long an operator stays on a page: lists refresh themselves meanwhile."""
OPEN_DEADLINE_S = 20.0
LATE_S = 0.04
MOST_LATE = 25


class DelayMeter(QObject):
    """Measures how long marks lie in the event loop. Thread: GUI, but for the one that posts.

    While a mark lies there for long, that thread notes where the GUI thread is.
    """

    _marked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.delays_ms: list[float] = []
        self.late_in: Counter[str] = Counter()
        self._gui = threading.get_ident()
        self._oldest: float | None = None
        self._ending = threading.Event()
        self._marked.connect(self._on_marked, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._post, name="marks")
        self._thread.start()

    def stop(self) -> None:
        """Post no more."""
        self._ending.set()
        self._thread.join()

    def _post(self) -> None:
        while not self._ending.wait(MARK_EVERY_S):
            now = time.perf_counter()
            if self._oldest is None:
                self._oldest = now
            elif now - self._oldest > LATE_S:
                self.late_in[_where(sys._current_frames().get(self._gui))] += 1
            self._marked.emit(now)

    def _on_marked(self, posted: float) -> None:
        self._oldest = None
        self.delays_ms.append((time.perf_counter() - posted) * 1000)


def _where(frame: FrameType | None) -> str:
    """Return the innermost calls of our own, innermost first."""
    names: list[str] = []
    while frame is not None and len(names) < 5:
        file = Path(frame.f_code.co_filename)
        names.append(f"{file.parent.name}/{file.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(names)


@dataclass
class Opening:
    """How long a place took, at worst, to show something and to have its content."""

    place: str
    shown_ms: float = 0.0
    content_ms: float = 0.0


@dataclass
class Figures:
    """What was measured."""

    delays_ms: list[float] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    memory_mb: float = 0.0
    moving: int = 0
    read_mb_per_s: float = 0.0
    late_in: list[tuple[str, int]] = field(default_factory=list)


def let_live(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def live_until(is_true: Callable[[], bool], *, seconds: float) -> None:
    """Let the window live until something is true or the time is up."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if is_true() else None)
    timer.start(LOOK_MS)
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


class ContentDoor(AsyncDoor):
    """Knows whether what a place asked for is there. Thread: GUI.

    A request of a kind that was answered since is no content but keeps it fresh: under load pages do that all
    the time.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._answered: set[type] = set()
        self._awaited: set[asyncio.Future[Any]] = set()

    def begin(self) -> None:
        """Look at what is asked from now on."""
        self._answered, self._awaited = set(), set()

    @property
    def has_content(self) -> bool:
        """Whether everything that was asked for a first time has been answered."""
        return all(coming.done() for coming in self._awaited)

    def request(self, request: Command[R] | Query[R]) -> "asyncio.Future[R]":
        """Pass a request on, and remember it while it is the first of its kind."""
        coming = super().request(request)
        if type(request) not in self._answered:
            self._awaited.add(coming)
            answered = self._answered
            coming.add_done_callback(lambda _: answered.add(type(request)))
        return coming


class PageWatch:
    """Opens places and measures how long they take. Thread: GUI."""

    def __init__(self, shell: Shell, door: ContentDoor) -> None:
        self._shell = shell
        self._door = door
        self._worst: dict[str, Opening] = {}

    def visit(self, name: str, address: Address) -> None:
        """Go somewhere, measure, and stay there for a while."""
        worst = self._worst.setdefault(name, Opening(name))
        window = self._shell.window
        started = time.perf_counter()

        def passed_ms() -> float:
            return (time.perf_counter() - started) * 1000

        self._door.begin()
        window.visit(address)
        window.repaint()
        live_until(lambda: not self._is_undecided(), seconds=OPEN_DEADLINE_S)
        worst.shown_ms = max(worst.shown_ms, passed_ms())
        self._wait_for_content()
        worst.content_ms = max(worst.content_ms, passed_ms())
        let_live(STAY_MS)

    def _wait_for_content(self) -> None:
        live_until(self._is_complete, seconds=OPEN_DEADLINE_S)
        QApplication.processEvents()  # an answer is there before the page has it, and may let it ask for more
        live_until(self._is_complete, seconds=OPEN_DEADLINE_S)

    def openings(self) -> list[Opening]:
        """Return the worst of every place."""
        return list(self._worst.values())

    def _stages(self) -> list[Stages]:
        return [stages for stages in self._page().findChildren(Stages) if stages.isVisible()]

    def _page(self) -> QWidget:
        page = self._shell.window.shown_page()
        assert page is not None
        return page

    def _is_undecided(self) -> bool:
        return any(stages.is_undecided for stages in self._stages())

    def _is_complete(self) -> bool:
        is_loading = any(stages.is_undecided or stages.is_loading for stages in self._stages())
        return self._door.has_content and not is_loading


def running(door: Door) -> list[TaskRow]:
    """Return the tasks that move data."""
    rows: tuple[TaskRow, ...] = door.ask(ListTasks(states=(TaskState.RUNNING,)))
    return list(rows)


def loaded_bytes(door: Door) -> int:
    """Return how much the tasks of the load have read."""
    rows: tuple[TaskRow, ...] = door.ask(ListTasks(limit=LOAD_TASKS))
    return sum(row.progress.read_bytes for row in rows if row.rule_name == LOAD)


class Load:
    """What the tasks have read since the measurement began; asked beside the window. Thread: any."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._began, self._bytes = time.monotonic(), loaded_bytes(door)

    def mb_per_s(self) -> float:
        """Return the mean speed so far."""
        return (loaded_bytes(self._door) - self._bytes) / 1e6 / (time.monotonic() - self._began)


def start_tasks(door: Door, facts: dict[str, str], root: Path) -> None:
    """Back all VMs of the simulated vSphere up, and wait until data moves."""
    platform = door.execute(
        RegisterPlatform(
            name="load",
            address="127.0.0.1",
            port=int(facts["port"]),
            user=facts["user"],
            password=facts["password"],
            thumbprint_sha256=facts["thumbprint"],
        )
    )
    standby = door.execute(RegisterStandby(name="load", root_path=str(root / "standby")))
    for _ in range(TURNS):
        for vm in door.ask(ListVms(platform=platform.id)):
            door.execute(
                StartBackup(
                    platform=platform.id,
                    standby=standby.id,
                    vm=vm.id,
                    vm_name=vm.name,
                    target_path=LOAD,
                    rule_name=LOAD,
                    kind=BackupKind.FULL,
                )
            )
            QApplication.processEvents()  # the window has to answer its engine meanwhile

    def is_loaded() -> bool:
        return sum(row.progress.read_bytes > 0 for row in running(door)) >= TASKS // 2

    live_until(is_loaded, seconds=LOAD_DEADLINE_S)
    if not is_loaded():
        raise TimeoutError(f"no data moves: {[row.error for row in door.ask(ListTasks(limit=3))]}")


def places(door: Door) -> list[tuple[str, Address]]:
    """Return the pages, and what lies behind them: a rule with its VMs, its statistics, a task."""
    rules: tuple[RuleRow, ...] = door.ask(ListRules())
    rule = rules[len(rules) // 2].id
    live_until(lambda: bool(running(door)), seconds=LOAD_DEADLINE_S)
    task = door.ask(ListTasks(limit=1))[0].id
    return [
        ("VMs of a rule", Address("backup", (rule,))),
        ("statistics of a rule", Address("backup", (rule, "statistics"))),
        ("failed tasks", Address("backup", ("failed",))),
        ("log of a rule", Address("log", (rule,))),
        ("a running task", Address("tasks", (task,))),
    ]


def measure(root: Path, facts: dict[str, str], *, rounds: int) -> Figures:
    """Open the window, load the engine, go everywhere."""
    application = application_object(sys.argv[:1])
    folders = folders_in(root / "standfast")
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    installation = Installation.find(folders)
    with ExitStack() as ending:
        ending.enter_context(open_engine(installation, GivenPassphrase(installation, "a passphrase of the bench")))
        ending.enter_context(asyncio_in_qt(application))
        doors: list[ContentDoor] = []

        def make_line(folder: Path) -> ContentDoor:
            doors.append(ContentDoor(folder))
            return doors[-1]

        client = ending.enter_context(client_of(folders, make_line))
        beside = ending.enter_context(RemoteDoor(folders.data))
        beside.wait_until_connected(DOOR_TIMEOUT_S)
        memory = Memory(folders.local / "window.ini")
        theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
        demo = DemoPlatform(root / "demo")
        program = ProgramService(installation, demo, engine_is_elsewhere=False, put_in_force=lambda _limits: True)
        console = Console(client, memory, theme)
        shell = Shell(console, languages, lambda owner: make_pages(owner, languages, program), has_tray=False)
        shell.show()
        ending.enter_context(GuiCollector()).calm()
        ending.callback(shell.dismiss)
        start_tasks(beside, facts, root)
        behind = places(beside)
        load = Load(beside)
        let_live(STAY_MS)
        figures = go_everywhere(shell, doors[0], behind, rounds)
        figures.moving = len(running(beside))
        figures.read_mb_per_s = load.mb_per_s()
        figures.memory_mb = psutil.Process(os.getpid()).memory_info().rss / 1e6
    return figures


def go_everywhere(shell: Shell, door: ContentDoor, behind: list[tuple[str, Address]], rounds: int) -> Figures:
    """Visit every page and what lies behind the pages, and measure meanwhile."""
    watch, meter = PageWatch(shell, door), DelayMeter()
    try:
        for _ in range(rounds):
            for name, address in [(page.key, Address(page.key)) for page in shell.window.pages()] + behind:
                watch.visit(name, address)
    finally:
        meter.stop()
    return Figures(
        delays_ms=meter.delays_ms, openings=watch.openings(), late_in=meter.late_in.most_common(MOST_LATE)
    )


def main() -> int:
    """Measure, and print the figures as one line."""
    root, rounds = Path(sys.argv[1]), int(sys.argv[2])
    facts = json.loads(sys.stdin.readline())
    print(json.dumps(asdict(measure(root, facts, rounds=rounds))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
