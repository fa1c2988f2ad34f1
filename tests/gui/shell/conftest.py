"""A console of the shell's own pages on a scripted door."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.contract.errors import ErrorRow
from app.contract.hooks import ReadHooks
from app.contract.notifications import NotificationRow, ReadNotifications
from app.contract.overview import EngineStatus, Overview, ReadOverview, ReadStatus, Search, StandbyGauge
from app.contract.platforms import ListPlatforms
from app.contract.statistics import ReadTraffic, Traffic
from app.contract.tasks import TaskRow
from app.contract.vddk import ReadVddk, VddkRow
from app.domain.concerns import PlatformCoverage
from app.domain.hooks import AllHooks
from app.domain.ids import PlatformId, StandbyId, TaskId, VmId
from app.domain.limits import TaskLimits
from app.domain.notifications import NotificationSettings
from app.domain.progress import ProgressSample
from app.domain.states import TaskKind, TaskState
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.overview.page import OverviewPage
from app.views.page import Page
from app.views.program import DemoAccess, ProgramFacts, ProgramSettings
from app.views.settings.page import SettingsPage
from app.views.translation import Language, LanguageSwitch
from tests.support.local_line import LocalClient
from tests.support.scripted_door import ScriptedDoor

NOW = datetime.now(UTC)
GB = 10**9
CALM = EngineStatus(
    running=0,
    pending=0,
    read_bytes_per_s=0.0,
    unviewed_errors=0,
    standbys=(StandbyGauge(name="nas", total_bytes=16_000 * GB, free_bytes=11_900 * GB, reachable=True),),
    engine_pid=1,
    started_at=NOW,
)
BUSY = replace(CALM, running=3, pending=5, read_bytes_per_s=640e6)
FAILED = replace(BUSY, unviewed_errors=2)
SAFE = Overview(
    protected_vms=12,
    known_vms=12,
    succeeded_7d=83,
    failed_7d=1,
    failures=(),
    overdue=(),
    running=(),
    pending=0,
    next_runs=(),
    standbys=CALM.standbys,
    point_count=340,
    platforms=(
        PlatformCoverage(platform=PlatformId("p1"), name="vc-1", reachable=True, vm_count=12, protected_count=12),
    ),
)


def task(name: str = "web-01", state: TaskState = TaskState.RUNNING, **changes: object) -> TaskRow:
    """Return a task's row."""
    row = TaskRow(
        id=TaskId(f"task-{name}"),
        kind=TaskKind.BACKUP,
        state=state,
        vm=VmId(f"vm-{name}"),
        vm_name=name,
        platform=None,
        standby=StandbyId("nas"),
        rule_name="prod",
        point=None,
        created_at=NOW,
        started_at=NOW,
        ended_at=None,
        stages=(),
        progress=ProgressSample(
            total_bytes=10 * GB,
            done_bytes=4 * GB,
            read_bytes=4 * GB,
            written_bytes=GB,
            source_busy_s=1.0,
            processing_busy_s=1.0,
            target_busy_s=1.0,
        ),
        error=None,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


REFUSED = ErrorRow(
    code="platform.login_refused",
    params=(("address", "vc-1"), ("user", "backup")),
    template="{address} did not accept the account {user}.",
    hint_template="",
    retryable=False,
)


class ProgramStub:
    """A program that keeps settings in memory."""

    def __init__(self) -> None:
        self.limits = TaskLimits(tasks=8, buffer_mb=4)
        self.autostart = False
        self.engine_is_elsewhere = False
        self.demos = 0
        self.refusal: Exception | None = None

    def facts(self) -> ProgramFacts:
        return ProgramFacts(
            version="1.2.3",
            data_folder="/home/op/.local/share/standfast",
            log_folder="/home/op/.local/state/standfast/log",
            config_file="/home/op/.config/standfast/system.conf",
            uses_keyring=True,
            engine_is_elsewhere=self.engine_is_elsewhere,
        )

    def settings(self) -> ProgramSettings:
        return ProgramSettings(limits=self.limits, starts_with_system=self.autostart)

    def save_limits(self, limits: TaskLimits) -> bool:
        if self.refusal is not None:
            raise self.refusal
        self.limits = limits
        return True

    def start_with_system(self, *, wanted: bool) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.autostart = wanted

    def start_demo(self) -> DemoAccess:
        if self.refusal is not None:
            raise self.refusal
        self.demos += 1
        return DemoAccess(
            address="127.0.0.1",
            port=8443,
            user="administrator@vsphere.local",
            password="demo",
            thumbprint_sha256="AA:BB",
            standby_root="/tmp/standby",
        )


@pytest.fixture
def program() -> ProgramStub:
    return ProgramStub()


@pytest.fixture
def languages(qapp: QApplication, tmp_path: Path) -> Iterator[LanguageSwitch]:
    switch = LanguageSwitch(qapp, Memory(tmp_path / "language.ini"))
    switch.choose(Language.ENGLISH)
    yield switch
    switch.choose(Language.ENGLISH)


@pytest.fixture
def calm_door(door: ScriptedDoor) -> ScriptedDoor:
    """The door of an engine where all is well."""
    door.answer(ReadStatus, CALM)
    door.answer(ReadOverview, SAFE)
    door.answer(ListPlatforms, ("a platform",))
    door.answer(ReadTraffic, Traffic(start=NOW, end=NOW, slice_s=1, points=()))
    door.answer(Search, ())
    door.answer(
        ReadNotifications,
        NotificationRow(settings=NotificationSettings(), has_email_password=False, has_webhook_secret=False),
    )
    door.answer(ReadHooks, AllHooks())
    door.answer(ReadVddk, VddkRow())
    return door


MakeShell = Callable[..., Shell]


@pytest.fixture
def make_shell(
    qtbot: QtBot,
    qapp: QApplication,
    tmp_path: Path,
    calm_door: ScriptedDoor,
    languages: LanguageSwitch,
    program: ProgramStub,
) -> Iterator[MakeShell]:
    """Build a shell of the overview and the settings; it is put away at the end."""
    made: list[tuple[Shell, LocalClient]] = []

    def make(*, has_tray: bool = False, engine_ends_too: bool = True) -> Shell:
        memory = Memory(tmp_path / "window.ini")
        client = LocalClient(calm_door)
        console = Console(client, memory, ThemeSwitch(qapp, memory))

        def pages(console: Console) -> tuple[Page, ...]:
            return (OverviewPage(console, program), SettingsPage(console, languages, program))

        shell = Shell(console, languages, pages, has_tray=has_tray, engine_ends_too=engine_ends_too)
        made.append((shell, client))
        shell.show()
        shell.window.activateWindow()
        qtbot.waitUntil(shell.window.isActiveWindow)
        return shell

    yield make
    for shell, client in made:
        shell.dismiss()
        assert client.close()
