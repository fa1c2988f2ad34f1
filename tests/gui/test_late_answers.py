"""Answers that come late, twice or in another order than they were asked for."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.domain.errors import PlatformUnreachable
from app.domain.ids import RuleId
from app.engine.api import ListRules, ListRuleVms, ListVmPoints
from app.views.console import Console
from app.views.restore.group_dialog import GroupRestoreDialog
from tests.gui.restore.points import RULE, rule_vm, script_points
from tests.support.scripted_door import ScriptedDoor


def settle(qtbot: QtBot, console: Console) -> None:
    """Wait until every answer is here."""
    qtbot.waitUntil(lambda: not console.door._asker._waiting)


# --- group restore ---------------------------------------------------------------------------------------------


def test_a_rule_that_is_chosen_again_lists_each_vm_once(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    other = replace(RULE, id=RuleId("r2"), name="Other")
    script_points(door)
    door.answer(ListRules, (RULE, other))
    door.answer(ListRuleVms, (rule_vm("db-01"), rule_vm("web-01")))
    gate = door.hold(ListRuleVms)
    dialog = GroupRestoreDialog(console, RULE.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.rule.count() == 2)
    dialog.rule.setCurrentIndex(1)
    dialog.rule.setCurrentIndex(0)
    gate.set()
    qtbot.waitUntil(lambda: bool(dialog.members))
    settle(qtbot, console)
    assert [member.row.name for member in dialog.members] == ["db-01", "web-01"]


def test_a_rule_whose_points_cannot_be_listed_can_be_chosen_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    door.answer(ListVmPoints, PlatformUnreachable(address="vc-1", port=443, detail="no route"))
    dialog = GroupRestoreDialog(console, RULE.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(dialog.banner.isVisible)
    settle(qtbot, console)
    assert list(dialog.problems().values()) == ["Its VMs cannot be listed now; choose the rule again."]
    script_points(door)
    dialog.rule.setFocus()
    QTest.keyClick(dialog.rule, Qt.Key.Key_Space)  # opens the list
    QTest.keyClick(dialog.rule.view(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(dialog.members) == 3)
