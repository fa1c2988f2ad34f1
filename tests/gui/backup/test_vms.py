from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.contract.rules import ListRuleVms, RunNow, StopVms
from app.contract.statistics import ReadTraffic, TrafficPoint, TrafficRange
from app.contract.tasks import SampleProgress, TaskProgress, TasksProgress
from app.domain.changes import Subject
from app.domain.ids import TaskId, VmId
from app.domain.states import BackupKind
from app.views.backup.traffic import with_gaps
from app.views.frame.history import Address
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.gui.backup.steps import (
    WEB,
    click_icon,
    headings,
    open_vms,
)
from tests.gui.operator import click_button
from tests.gui.tasks.rows import sample
from tests.support.scripted_door import ScriptedDoor


def test_the_list_of_vms_has_the_documented_columns_and_actions(qtbot: QtBot, visits: Visits) -> None:
    part = open_vms(qtbot, visits)
    assert headings(part) == [
        "VM name", "State", "Platform", "Standby", "Data size", "Start time", "Speed", "End time", "Last proven",
        "Actions",
    ]  # fmt: skip
    assert [action.text for action in part.row_actions] == [
        "Start rule", "Stop rule", "Delete rule", "Restore VM", "Instant recovery", "Run now", "Show log",
        "Change rule", "Show statistics",
    ]  # fmt: skip
    qtbot.waitUntil(lambda: [crumb.text for crumb in visits.page.crumbs()] == ["VM backup", "web"])


def test_run_now_offers_three_kinds(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    part = open_vms(qtbot, visits)
    click_icon(part, 1, "Run now")
    menu = part.table.findChild(QMenu)
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == [
        "Full backup", "Incremental backup", "Differential backup",
    ]  # fmt: skip
    menu.setActiveAction(menu.actions()[1])
    QTest.keyClick(menu, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(door.executed))
    assert door.executed == [RunNow(rule=WEB, vms=(VmId("vm-web-02"),), kind=BackupKind.INCREMENTAL)]


@pytest.mark.parametrize(
    ("icon", "target"),
    [
        ("Restore VM", Address("restore", ("new", WEB, "vm-web-01"))),
        ("Instant recovery", Address("restore", ("instant", WEB, "vm-web-01"))),
        ("Show log", Address("log", (WEB, "vm-web-01"))),
        ("Show statistics", Address("backup", (WEB, "vm-web-01", "statistics"))),
    ],
)
def test_an_icon_of_a_vm_leads_to_its_page(qtbot: QtBot, visits: Visits, icon: str, target: Address) -> None:
    click_icon(open_vms(qtbot, visits), 0, icon)
    assert visits.wanted == [target]


def test_a_vm_without_points_cannot_be_restored(qtbot: QtBot, visits: Visits) -> None:
    click_icon(open_vms(qtbot, visits), 2, "Restore VM")
    assert visits.wanted == []


def test_the_first_vm_is_selected_and_its_traffic_shown(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    part = open_vms(qtbot, visits)
    qtbot.waitUntil(lambda: len(part.panel.points) > 400)
    first = next(query for query in door.asked if isinstance(query, ReadTraffic))
    assert (first.range, first.rule, first.vm, first.since) == (TrafficRange.LIVE, WEB, VmId("vm-web-01"), None)


def test_the_live_chart_asks_only_for_what_is_new(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    part = open_vms(qtbot, visits)
    qtbot.waitUntil(lambda: len(part.panel.points) > 400)
    known = part.panel.points[-1].at
    moving = TaskProgress(
        task=TaskId("t"), vm=samples.VMS[0].vm, rule=WEB, progress=sample(1, 2), read_bytes_per_s=1.0
    )
    door.answer(SampleProgress, TasksProgress(tasks=(moving,), read_bytes_per_s=1.0))
    door.change(Subject.TASKS, "t")

    def asked_since() -> bool:
        return any(isinstance(query, ReadTraffic) and query.since == known for query in door.asked)

    qtbot.waitUntil(asked_since)
    qtbot.waitUntil(lambda: part.panel.points[-1].at > known)
    assert part.panel.points[-1].at - part.panel.points[0].at <= timedelta(minutes=10)
    moments = [point.at for point in part.panel.points]
    assert moments == sorted(set(moments))


def test_another_vm_and_another_range_change_the_chart(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    part = open_vms(qtbot, visits)
    QTest.keyClick(part.table, Qt.Key.Key_Down)
    QTest.mouseClick(part.panel.ranges.button(TrafficRange.HISTORY), Qt.MouseButton.LeftButton)

    def asked() -> bool:
        last = [query for query in door.asked if isinstance(query, ReadTraffic)][-1]
        return (last.range, last.vm) == (TrafficRange.HISTORY, VmId("vm-web-02"))

    qtbot.waitUntil(asked)


def test_a_failed_vm_says_why_when_it_is_selected(qtbot: QtBot, visits: Visits) -> None:
    part = open_vms(qtbot, visits)
    assert not part.panel.failure.isVisible()
    QTest.keyClick(part.table, Qt.Key.Key_Down)
    assert part.panel.failure.isVisible()
    assert "/backup/web is full" in part.panel.failure.title


def test_rows_are_patched_in_place_and_the_selection_stays(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    part = open_vms(qtbot, visits)
    QTest.keyClick(part.table, Qt.Key.Key_Down)
    door.answer(ListRuleVms, (samples.vm_row("web-01"), *samples.VMS[1:]))
    part.refresh()
    qtbot.waitUntil(lambda: part.table.model().index(0, 1).data() == "Idle")
    current = part.table.current_row()
    assert current is not None
    assert current.name == "web-02"


def test_the_page_falls_silent_when_it_is_left(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    part = open_vms(qtbot, visits)
    qtbot.waitUntil(lambda: len(part.panel.points) > 400)
    visits.page.leave()
    assert not part.panel.watch.is_open
    assert not part.watch.is_open


def test_the_tool_bar_goes_back_and_stops_vms(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StopVms, None)
    part = open_vms(qtbot, visits)
    QTest.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: door.executed == [StopVms(rule=WEB, vms=(VmId("vm-web-01"),))])
    click_button(part, "Back")
    assert visits.page.part is visits.page.rules


def test_missing_slices_are_gaps_and_a_lone_one_has_its_width() -> None:
    def point(second: int) -> TrafficPoint:
        return TrafficPoint(
            at=samples.NOW + timedelta(seconds=second), read_bytes_per_s=5.0, written_bytes_per_s=1.0
        )

    found = with_gaps([point(0), point(1), point(7)], 1, samples.NOW + timedelta(seconds=60))
    assert [((point.at - samples.NOW).seconds, point.read_bytes_per_s) for point in found] == [
        (0, 5.0), (1, 5.0), (2, 5.0), (2, None), (7, 5.0), (8, 5.0), (8, None),
    ]  # fmt: skip
