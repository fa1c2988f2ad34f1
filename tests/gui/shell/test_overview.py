from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.errors import EngineAway
from app.contract.overview import OverdueVm, ReadOverview, StandbyGauge
from app.contract.platforms import ListPlatforms, RegisterPlatform
from app.contract.program import ConfirmClock
from app.contract.standbys import RegisterStandby
from app.contract.tasks import SampleProgress, TaskProgress, TasksProgress
from app.domain.clocks import ClockDoubt, ClockDoubtKind
from app.domain.concerns import PlatformCoverage, RuleStops
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.domain.states import TaskState
from app.views.console import Console
from app.views.frame.history import Address
from app.views.overview.page import OverviewPage
from app.views.translation import Language, LanguageSwitch
from tests.gui.shell.conftest import NOW, REFUSED, SAFE, ProgramStub, task
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def page(qtbot: QtBot, console: Console, calm_door: ScriptedDoor, program: ProgramStub) -> OverviewPage:
    page = OverviewPage(console, program)
    qtbot.addWidget(page)
    page.resize(1088, 720)
    page.show()
    return page


def shown(qtbot: QtBot, page: OverviewPage) -> None:
    page.open(())
    qtbot.waitUntil(lambda: page.dashboard.sentence != "")


def test_a_safe_installation_says_so_first(qtbot: QtBot, page: OverviewPage) -> None:
    shown(qtbot, page)
    assert page.dashboard.sentence == "12 protected VMs, all is well"
    assert "100%" in page.dashboard.protection.accessibleName()
    assert "99%" in page.dashboard.week.accessibleName()


def test_a_failure_stands_first_with_its_reason_and_leads_to_its_task(
    qtbot: QtBot, page: OverviewPage, console: Console, calm_door: ScriptedDoor
) -> None:
    failed = task("db-01", TaskState.FAILED, error=REFUSED, ended_at=NOW)
    late = OverdueVm(
        rule=RuleId("r1"),
        vm=VmId("vm-9"),
        name="mail-01",
        newest_point=NOW - timedelta(days=5),
        expected_by=NOW - timedelta(days=2),
    )
    calm_door.answer(ReadOverview, replace(SAFE, failures=(failed,), overdue=(late,)))
    shown(qtbot, page)
    assert page.dashboard.sentence == "2 things need attention"
    first, second = page.dashboard.attention.entries()
    assert (first.title, first.detail) == ("db-01: Backup failed", "vc-1 did not accept the account backup.")
    assert second.detail == "Newest restore point is 5 days old; the next was expected 2 days ago"
    wanted: list[Address] = []
    console.address_wanted.connect(wanted.append)
    QTest.mouseClick(page.dashboard.attention.button(0), Qt.MouseButton.LeftButton)
    page.dashboard.attention.button(1).setFocus()
    QTest.keyClick(page.dashboard.attention.button(1), Qt.Key.Key_Space)
    assert wanted == [Address("tasks", ("task-db-01",)), Address("backup", ("r1", "vm-9"))]


def test_a_clock_that_is_doubted_is_said_and_can_be_confirmed(
    qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    doubts = (
        ClockDoubt(kind=ClockDoubtKind.AHEAD, seconds=90_000),
        ClockDoubt(kind=ClockDoubtKind.PLATFORM, seconds=-28_800, subject="vc-1"),
    )
    calm_door.answer(ReadOverview, replace(SAFE, clock_doubts=doubts))
    calm_door.answer(ConfirmClock, None)
    shown(qtbot, page)
    assert page.dashboard.sentence == "Is the clock of this machine right?"
    first, second = page.dashboard.attention.entries()
    assert first.title == "The clock jumped ahead by 25.0 hours"
    assert second.title == "vc-1: its clock differs by 8.0 hours"
    QTest.mouseClick(page.dashboard.confirm_clock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: ConfirmClock() in calm_door.executed)
    calm_door.answer(ReadOverview, SAFE)
    page.refresh()
    qtbot.waitUntil(lambda: page.dashboard.confirm_clock.isHidden())


def test_a_clock_that_cannot_be_confirmed_is_shown(
    qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    doubts = (ClockDoubt(kind=ClockDoubtKind.AHEAD, seconds=90_000),)
    calm_door.answer(ReadOverview, replace(SAFE, clock_doubts=doubts))
    calm_door.answer(ConfirmClock, EngineAway(detail="gone"))
    shown(qtbot, page)
    QTest.mouseClick(page.dashboard.confirm_clock, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.dashboard.banner.isVisible)
    assert page.dashboard.confirm_clock.isEnabled()


def test_nothing_is_called_well_while_the_engine_does_not_answer(
    qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    shown(qtbot, page)
    calm_door.answer(ReadOverview, EngineAway(detail="gone"))
    page.refresh()
    qtbot.waitUntil(lambda: page.dashboard.sentence == "Whether all is well is not known now")
    page.console.fresh.ticked.emit()
    assert page.dashboard.sentence == "Whether all is well is not known now", "time that passes tells nothing new"
    calm_door.answer(ReadOverview, SAFE)
    page.refresh()
    qtbot.waitUntil(lambda: page.dashboard.sentence == "12 protected VMs, all is well")


def test_reasons_are_in_the_operators_language(
    qtbot: QtBot, languages: LanguageSwitch, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    languages.choose(Language.CHINESE)
    failed = task("db-01", TaskState.FAILED, error=REFUSED, ended_at=NOW)
    calm_door.answer(ReadOverview, replace(SAFE, failures=(failed,)))
    shown(qtbot, page)
    (entry,) = page.dashboard.attention.entries()
    assert entry.title == "db-01：备份失败"
    assert "backup" in entry.detail
    assert entry.detail != REFUSED.message


def test_a_running_task_shows_part_done_speed_and_time_left(
    qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    moved = iter(range(10**6))
    row = task("web-01")

    def running(_query: SampleProgress) -> TasksProgress:
        done = row.progress.done_bytes + next(moved) * 100_000_000
        progress = replace(row.progress, done_bytes=done)
        sample = TaskProgress(task=row.id, vm=row.vm, rule=None, progress=progress, read_bytes_per_s=100e6)
        return TasksProgress(tasks=(sample,), read_bytes_per_s=100e6)

    calm_door.answer(ReadOverview, replace(SAFE, running=(row,)))
    calm_door.answer(SampleProgress, running)
    shown(qtbot, page)
    qtbot.waitUntil(lambda: "left" in page.dashboard.running.entries()[0].right)
    before = page.dashboard.running.entries()[0].right
    qtbot.waitUntil(lambda: page.dashboard.running.entries()[0].right != before)
    assert sum(isinstance(asked, ReadOverview) for asked in calm_door.asked) == 1, "only the samples are asked for"
    entry = page.dashboard.running.entries()[0]
    assert entry.title == "web-01 · Backup"
    assert "%" in entry.right
    assert "MB/s" in entry.right


def test_empty_cards_say_what_will_stand_there(qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor) -> None:
    calm_door.answer(ReadOverview, replace(SAFE, protected_vms=0, standbys=()))
    shown(qtbot, page)
    assert page.dashboard.sentence == "Nothing is protected yet"
    for entries in (page.dashboard.attention, page.dashboard.running, page.dashboard.next_runs):
        assert len(entries.entries()) == 1
    assert page.dashboard.standbys.entries()[0].title == "Register a standby machine"


def test_the_page_stops_asking_when_it_is_left(qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor) -> None:
    shown(qtbot, page)
    page.leave()
    qtbot.wait(50)
    asked = len(calm_door.asked)
    qtbot.wait(1300)
    assert len(calm_door.asked) == asked


# --- the first start ---------------------------------------------------------------------------------------------


@pytest.fixture
def new_page(qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor) -> OverviewPage:
    calm_door.answer(ListPlatforms, ())
    page.open(())
    qtbot.waitUntil(page.welcome.isVisible)
    return page


def test_the_demo_is_one_click_away_and_leads_to_the_backup_page(
    qtbot: QtBot, new_page: OverviewPage, console: Console, calm_door: ScriptedDoor, program: ProgramStub
) -> None:
    platform = Platform(
        id=PlatformId("p"), name="Demo", address="127.0.0.1", port=8443, user="a", thumbprint_sha256=None
    )
    calm_door.answer(RegisterPlatform, platform)
    calm_door.answer(RegisterStandby, Standby(id="s", name="Demo", root_path="/tmp/standby"))  # type: ignore[arg-type]
    wanted: list[Address] = []
    console.address_wanted.connect(wanted.append)
    QTest.mouseClick(new_page.welcome.demo_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: wanted == [Address("backup")])
    assert program.demos == 1
    registered, standby = calm_door.executed
    assert isinstance(registered, RegisterPlatform)
    assert (registered.port, registered.thumbprint_sha256) == (8443, "AA:BB")
    assert isinstance(standby, RegisterStandby)
    assert standby.root_path == "/tmp/standby"


def test_a_demo_that_does_not_start_says_why_and_can_be_tried_again(
    qtbot: QtBot, new_page: OverviewPage, program: ProgramStub
) -> None:
    from app.console.errors import DemoDidNotStart

    program.refusal = DemoDidNotStart(detail="no space left", folder="/data")
    QTest.mouseClick(new_page.welcome.demo_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(new_page.welcome.banner.isVisible)
    assert new_page.welcome.demo_button.isEnabled()


def test_the_other_way_in_opens_the_registration(qtbot: QtBot, new_page: OverviewPage) -> None:
    from app.views.platforms.dialog import PlatformDialog

    QTest.mouseClick(new_page.welcome.register_button, Qt.MouseButton.LeftButton)
    dialog = new_page.welcome.findChild(PlatformDialog)
    assert isinstance(dialog, PlatformDialog)
    assert dialog.isVisible()
    dialog.reject()


def test_all_is_not_well_with_unprotected_or_stopped_vms(
    qtbot: QtBot, page: OverviewPage, console: Console, calm_door: ScriptedDoor
) -> None:
    platforms = (
        PlatformCoverage(platform=PlatformId("p1"), name="vc-1", reachable=True, vm_count=12, protected_count=12),
        PlatformCoverage(platform=PlatformId("p2"), name="vc-2", reachable=True, vm_count=7, protected_count=0),
        PlatformCoverage(platform=PlatformId("p3"), name="vc-3", reachable=None, vm_count=None, protected_count=0),
    )
    stops = (RuleStops(rule=RuleId("r1"), name="web", stopped_count=2, vm_count=3),)
    calm_door.answer(ReadOverview, replace(SAFE, platforms=platforms, stops=stops))
    shown(qtbot, page)
    assert page.dashboard.sentence == "12 protected VMs, but not all is well"
    titles = [entry.title for entry in page.dashboard.attention.entries()]
    assert titles == [
        "vc-2: 7 VMs are not protected",
        "web: 2 of 3 VMs are stopped",
        "vc-3: its VMs were never listed",
    ]
    wanted: list[Address] = []
    console.address_wanted.connect(wanted.append)
    for place in range(len(titles)):
        QTest.mouseClick(page.dashboard.attention.button(place), Qt.MouseButton.LeftButton)
    assert wanted == [Address("backup", ("new",)), Address("backup", ("r1",)), Address("backup", ("new",))]


def test_a_platform_or_standby_that_is_away_needs_attention(
    qtbot: QtBot, page: OverviewPage, calm_door: ScriptedDoor
) -> None:
    platform = PlatformCoverage(
        platform=PlatformId("p1"), name="vc-1", reachable=False, vm_count=12, protected_count=12
    )
    standbys = (*SAFE.standbys, StandbyGauge(name="old", total_bytes=None, free_bytes=None, reachable=False))
    calm_door.answer(ReadOverview, replace(SAFE, platforms=(platform,), standbys=standbys))
    shown(qtbot, page)
    assert page.dashboard.sentence == "2 things need attention"
