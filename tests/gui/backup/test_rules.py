from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.contract.doctor import ExamineRule, Finding, Severity
from app.contract.rules import DescribeRule, ListRules, StartRules, StopRules
from app.domain.ids import RuleId
from app.views.backup.acting import ActingList
from app.views.backup.deletion import DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.frame.history import Address
from app.views.widgets.findings import FindingsDialog
from tests.gui.backup.conftest import Visits
from tests.gui.backup.steps import WEB, click_icon, headings, menu_texts, open_vms
from tests.gui.operator import settle
from tests.support.scripted_door import ScriptedDoor


def test_the_list_of_rules_has_the_documented_columns_and_actions(visits: Visits) -> None:
    rules = visits.page.rules
    assert headings(rules) == [
        "Name", "State", "Platform", "Standby", "Next run", "Last result", "Last proven", "Group actions",
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
    assert texts[8:] == ["Run now", "Examine", "Commands…", "Show log"]


def test_a_rule_is_examined_from_its_menu(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    bad = Finding(
        severity=Severity.ERROR, subject="web-01", code="doctor.x", params=(), message="It is gone", hint="Look."
    )
    door.answer(ExamineRule, (bad,))
    rules = visits.page.rules
    menu = QMenu(rules)
    rules.fill_menu(menu, rules.table.shown_rows()[0])
    next(action for action in menu.actions() if action.text() == "Examine").trigger()
    dialog = rules.findChild(FindingsDialog)
    assert isinstance(dialog, FindingsDialog)
    qtbot.waitUntil(lambda: "1 needs attention" in dialog.summary.text())
    assert dialog.windowTitle() == "Examine web"
    assert ExamineRule(rule=WEB) in door.asked
    dialog.reject()


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


def test_a_refused_command_is_shown_above_the_list(qtbot: QtBot, visits: Visits) -> None:
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


def test_the_context_menu_and_delete_work_from_the_keyboard(qtbot: QtBot, visits: Visits) -> None:
    rules = visits.page.rules
    rules.table.setFocus()
    place = rules.table.visualRect(rules.table.currentIndex()).center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, rules.table.viewport().mapToGlobal(place))
    QApplication.sendEvent(rules.table.viewport(), event)
    menu = next(menu for menu in rules.findChildren(QMenu) if menu.isVisible())
    assert [action.text() for action in menu.actions()][:8] == [action.text for action in rules.row_actions]
    menu.close()
    QTest.keyClick(rules.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: rules.findChild(DeletionDialog) is not None)


def change_rule(part: ActingList[Any]) -> None:
    """Ask for the editor as the icon and the menu of the first row do."""
    action = next(action for action in part.row_actions if action.text == "Change rule")
    assert action.run is not None
    action.run(part.table.shown_rows()[0])


@pytest.mark.parametrize("place", ["rules", "vms"])
def test_the_editor_opens_once_however_often_it_is_asked_for(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor, place: str
) -> None:
    part: ActingList[Any] = visits.page.rules if place == "rules" else open_vms(qtbot, visits)
    settle(qtbot, visits.page.console)
    gate = door.hold(DescribeRule)
    change_rule(part)
    change_rule(part)
    gate.set()
    qtbot.waitUntil(lambda: bool(part.findChildren(RuleEditor)))
    settle(qtbot, visits.page.console)
    assert len(part.findChildren(RuleEditor)) == 1


def test_no_editor_opens_over_another_page(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    gate = door.hold(DescribeRule)
    change_rule(visits.page.rules)
    visits.window.visit(Address("backup", ("failed",)))
    gate.set()
    settle(qtbot, visits.page.console)
    assert not visits.page.rules.findChildren(RuleEditor)
