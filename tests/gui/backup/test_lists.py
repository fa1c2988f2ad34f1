from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.domain.ids import RuleId, TaskId, VmId
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind
from app.engine.api import (
    DeleteRule,
    DeletionPreview,
    DescribeRule,
    ListRules,
    ListRuleVms,
    MarkErrorsViewed,
    PreviewRuleDeletion,
    ReadTraffic,
    RemoveVmsFromRule,
    RuleDetails,
    RunNow,
    StartRules,
    StopRules,
    StopVms,
    TrafficPoint,
    TrafficRange,
)
from app.views.backup.acting import ActingList
from app.views.backup.deletion import DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.list_runs import RunList
from app.views.backup.list_vms import VmList
from app.views.backup.statistics import StatisticsView
from app.views.backup.traffic import with_gaps
from app.views.history import Address
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.support.scripted_door import ScriptedDoor

WEB = RuleId("r-web")


def headings(part: ActingList[Any]) -> list[str]:
    return [column.title for column in part.table.rows.columns if not column.hidden]


def click_icon(part: ActingList[Any], row: int, text: str) -> None:
    """Click an action's icon in a row, with the mouse."""
    model = part.table.model()
    cell = part.table.visualRect(model.index(row, model.columnCount() - 1))
    QTest.mouseClick(part.table.viewport(), Qt.MouseButton.LeftButton, pos=part.icons.place_of(text, cell))


def open_vms(qtbot: QtBot, visits: Visits) -> VmList:
    visits.window.visit(Address("backup", (WEB,)))
    part = visits.page.part
    assert isinstance(part, VmList)
    qtbot.waitUntil(lambda: len(part.table.shown_rows()) == len(samples.VMS))
    return part


def menu_texts(part: ActingList[Any]) -> list[str]:
    menu = QMenu()
    part.fill_menu(menu, part.table.shown_rows()[0])
    return [action.text() for action in menu.actions() if action.text()]


# --- the list of rules -----------------------------------------------------------------------------------------


def test_the_list_of_rules_has_the_documented_columns_and_actions(visits: Visits) -> None:
    rules = visits.page.rules
    assert headings(rules) == [
        "Name", "State", "Platform", "Standby", "Next run", "Last result", "Group actions",
    ]  # fmt: skip
    assert [action.text for action in rules.row_actions] == [
        "Rule list", "Start all VMs of the rule", "Stop all VMs of the rule", "Delete rule", "Group restore",
        "Change rule", "Add VMs", "Show statistics",
    ]  # fmt: skip
    assert rules.table.model().index(0, 1).data() == "Running 24.8%"


def test_every_icon_of_a_rule_is_in_its_context_menu_too(visits: Visits) -> None:
    rules = visits.page.rules
    texts = menu_texts(rules)
    assert texts[:8] == [action.text for action in rules.row_actions]
    assert texts[8:] == ["Run now", "Show log"]


@pytest.mark.parametrize(
    ("icon", "target"),
    [
        ("Rule list", Address("backup", (WEB,))),
        ("Group restore", Address("restore", ("group", WEB))),
        ("Show statistics", Address("backup", (WEB, "statistics"))),
    ],
)
def test_an_icon_of_a_rule_leads_to_its_page(visits: Visits, icon: str, target: Address) -> None:
    click_icon(visits.page.rules, 0, icon)
    assert visits.wanted == [target]


def test_starting_and_stopping_a_rule_is_one_click(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StartRules, None)
    door.answer(StopRules, None)
    click_icon(visits.page.rules, 1, "Start all VMs of the rule")
    click_icon(visits.page.rules, 1, "Stop all VMs of the rule")
    rule = RuleId("r-databases")
    qtbot.waitUntil(lambda: len(door.executed) == 2)
    assert {type(command) for command in door.executed} == {StartRules, StopRules}
    assert all(getattr(command, "rules", ()) == (rule,) for command in door.executed)


def test_the_tool_bar_stops_the_checked_rules(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StopRules, None)
    rules = visits.page.rules
    model = rules.table.model()
    for row in (0, 2):
        model.setData(model.index(row, 0), Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    QTest.mouseClick(rules.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(door.executed))
    assert door.executed == [StopRules(rules=(WEB, RuleId("r-file servers")))]


def test_a_failed_result_leads_to_its_reason_with_one_click(visits: Visits) -> None:
    table = visits.page.rules.table
    cell = table.visualRect(table.model().index(1, 5))
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=cell.center())
    assert visits.wanted == [Address("backup", ("r-databases", "statistics", "tasks"))]


def test_a_refused_command_is_told_above_the_list(qtbot: QtBot, visits: Visits) -> None:
    click_icon(visits.page.rules, 0, "Start all VMs of the rule")
    qtbot.waitUntil(visits.page.rules.banner.isVisible)


def test_without_rules_the_page_offers_to_create_one(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(ListRules, ())
    visits.page.refresh()
    rules = visits.page.rules
    qtbot.waitUntil(lambda: rules.stages.currentWidget() is not rules.table)
    rules.stages.create_wanted.emit()
    assert rules.findChild(RuleEditor) is not None


@pytest.mark.parametrize(
    ("icon", "mode"), [("Change rule", EditorMode.CHANGE_POLICY), ("Add VMs", EditorMode.ADD_VMS)]
)
def test_a_rule_is_opened_in_its_editor(qtbot: QtBot, visits: Visits, icon: str, mode: EditorMode) -> None:
    rules = visits.page.rules
    click_icon(rules, 0, icon)
    qtbot.waitUntil(lambda: rules.findChild(RuleEditor) is not None)
    editor = rules.findChild(RuleEditor)
    assert isinstance(editor, RuleEditor)
    assert editor.mode is mode


def test_in_a_small_window_the_rest_of_the_actions_is_behind_the_last_icon(qtbot: QtBot, visits: Visits) -> None:
    rules = visits.page.rules
    visits.window.resize(1024, 680)
    model = rules.table.model()
    qtbot.waitUntil(lambda: rules.table.columnWidth(model.columnCount() - 1) < rules.icons.full_width)
    qtbot.waitUntil(lambda: rules.table.horizontalScrollBar().maximum() == 0)
    cell = rules.table.visualRect(model.index(0, model.columnCount() - 1))
    shown = (cell.width() - 4) // 24
    last = QPoint(cell.left() + 4 + 24 * (shown - 1) + 12, cell.center().y())
    QTest.mouseClick(rules.table.viewport(), Qt.MouseButton.LeftButton, pos=last)
    menu = rules.table.findChild(QMenu)
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == [action.text for action in rules.row_actions]
    menu.close()


# --- deleting --------------------------------------------------------------------------------------------------


def deletion(visits: Visits, qtbot: QtBot, part: ActingList[Any]) -> DeletionDialog:
    click_icon(part, 0, "Delete rule")
    dialog = part.findChild(DeletionDialog)
    assert isinstance(dialog, DeletionDialog)
    qtbot.waitUntil(lambda: dialog.is_known)
    return dialog


def test_data_goes_only_after_the_name_was_typed(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(DeleteRule, None)
    dialog = deletion(visits, qtbot, visits.page.rules)
    qtbot.waitUntil(dialog.data.isChecked)  # the rule's own setting says so
    assert "36 restore points are deleted for good; 812 GB become free" in dialog.points.text()
    assert not dialog.primary.isEnabled()
    dialog.name.setFocus()
    QTest.keyClicks(dialog.name, "web")
    assert dialog.primary.isEnabled()
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [DeleteRule(rule=WEB, delete_data=True)]


def test_a_rule_goes_without_its_data_with_one_confirmation(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    door.answer(DeleteRule, None)
    kept = AdvancedSettings(delete_data_with_rule=False)
    draft = samples.DRAFT
    door.answer(
        DescribeRule,
        RuleDetails(
            row=samples.RULES[0],
            draft=type(draft)(
                name=draft.name, platform=draft.platform, standby=draft.standby, target_path=draft.target_path,
                vms=draft.vms, advanced=kept, policy=draft.policy,
            ),
        ),
    )  # fmt: skip
    dialog = deletion(visits, qtbot, visits.page.rules)
    assert not dialog.name.isVisible()
    assert "stay on the standby machine" in dialog.points.text()
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == [DeleteRule(rule=WEB, delete_data=False)]


def test_data_in_use_is_not_deleted_and_its_users_are_named(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    door.answer(
        PreviewRuleDeletion, DeletionPreview(point_count=3, freed_bytes=9, blocked_by=("Restore of web-01",))
    )
    dialog = deletion(visits, qtbot, visits.page.rules)
    qtbot.waitUntil(dialog.data.isChecked)
    QTest.keyClicks(dialog.name, "web")
    assert "Restore of web-01" in dialog.blocked.text()
    assert not dialog.primary.isEnabled()
    QTest.mouseClick(dialog.data, Qt.MouseButton.LeftButton, pos=QPoint(8, dialog.data.height() // 2))
    assert dialog.primary.isEnabled()


def test_one_vm_is_taken_out_of_its_rule(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(RemoveVmsFromRule, None)
    dialog = deletion(visits, qtbot, open_vms(qtbot, visits))
    qtbot.waitUntil(dialog.data.isChecked)
    QTest.keyClicks(dialog.name, "web-01")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [RemoveVmsFromRule(rule=WEB, vms=(VmId("vm-web-01"),), delete_data=True)]


# --- the VMs of a rule -----------------------------------------------------------------------------------------


def test_the_list_of_vms_has_the_documented_columns_and_actions(qtbot: QtBot, visits: Visits) -> None:
    part = open_vms(qtbot, visits)
    assert headings(part) == [
        "VM name", "State", "Platform", "Standby", "Data size", "Start time", "Speed", "End time", "Actions",
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
    assert "/backup/web is full" in part.panel.failure._title.text()


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
    assert not part.panel._timer.isActive()
    assert not part._timer.isActive()


def test_the_tool_bar_goes_back_and_stops_vms(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StopVms, None)
    part = open_vms(qtbot, visits)
    QTest.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: door.executed == [StopVms(rule=WEB, vms=(VmId("vm-web-01"),))])
    part._on_back()
    assert visits.page.part is visits.page.rules


def test_missing_slices_are_gaps_and_a_lone_one_has_its_width() -> None:
    def point(second: int) -> TrafficPoint:
        return TrafficPoint(
            at=samples.NOW + timedelta(seconds=second), read_bytes_per_s=5.0, written_bytes_per_s=1.0
        )

    found = with_gaps([point(0), point(1), point(7)], 1, samples.NOW + timedelta(seconds=60))
    assert [((one.at - samples.NOW).seconds, one.read_bytes_per_s) for one in found] == [
        (0, 5.0), (1, 5.0), (2, 5.0), (2, None), (7, 5.0), (8, 5.0), (8, None),
    ]  # fmt: skip


# --- statistics ------------------------------------------------------------------------------------------------


def test_the_statistics_lead_to_the_task_list_and_that_marks_the_errors_viewed(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    visits.window.visit(Address("backup", (WEB, "statistics")))
    view = visits.page.part
    assert isinstance(view, StatisticsView)
    qtbot.waitUntil(lambda: view.unviewed.text() == "2")
    assert view.read.text() == "18.4 TB"
    assert not any(isinstance(command, MarkErrorsViewed) for command in door.executed)
    QTest.mouseClick(view.tasks, Qt.MouseButton.LeftButton)
    runs = visits.page.part
    assert isinstance(runs, RunList)
    qtbot.waitUntil(lambda: len(runs.table.shown_rows()) == len(samples.RUNS))
    assert door.executed == [MarkErrorsViewed(rule=WEB)]
    assert headings(runs)[:10] == [
        "Name", "Result", "Task type", "VM name", "Source type", "Source (GB)", "Written (GB)", "Rate (MB/s)",
        "Start time", "End time",
    ]  # fmt: skip
    assert runs.table.model().index(0, 1).data() == "Failed"
    qtbot.waitUntil(runs.banner.isVisible)
    assert "web-02: " in runs.banner._title.text()


def test_the_failed_tasks_of_all_rules_have_an_address(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    visits.window.visit(Address("backup", ("failed",)))
    runs = visits.page.part
    assert isinstance(runs, RunList)
    qtbot.waitUntil(lambda: door.executed == [MarkErrorsViewed()])
    runs.on_activated(samples.RUNS[0])
    assert visits.wanted[-1] == Address("tasks", (TaskId("task-web-02-19"),))


def test_a_part_of_another_rule_is_another_part(qtbot: QtBot, visits: Visits) -> None:
    first = open_vms(qtbot, visits)
    visits.window.visit(Address("backup", ("r-databases",)))
    second = visits.page.part
    assert isinstance(second, VmList)
    assert second is not first
    assert second.rule == RuleId("r-databases")
