"""Stopping is taken back by one click, and only for what it stopped."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.rules import ListRuleVms, StartVms, StopRules, StopVms
from app.domain.states import TaskState
from app.engine.errors import RequestRefused
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.gui.backup.steps import WEB, click_icon, open_vms
from tests.support.scripted_door import ScriptedDoor


def test_a_stopped_rule_is_started_again_without_what_was_stopped_by_hand(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    first, *others = samples.VMS
    by_hand = replace(first, state=TaskState.STOPPED)
    door.answer(ListRuleVms, (by_hand, *others))
    door.answer(StopRules, None)
    door.answer(StartVms, None)
    rules = visits.page.rules
    click_icon(rules, 0, "Stop all VMs of the rule")
    qtbot.waitUntil(rules.undo.isVisible)
    stopped = door.executed[-1]
    assert isinstance(stopped, StopRules)
    ran = tuple(row.vm for row in others if row.state is not TaskState.STOPPED)
    assert f"{len(ran)} VMs are being stopped" in rules.undo.text.text()  # one of them runs
    QTest.mouseClick(rules.undo.take_back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(door.executed[-1], StartVms))
    assert door.executed[-1] == StartVms(rule=stopped.rules[0], vms=ran)
    assert not rules.undo.isVisible()


def test_a_stopped_vm_is_started_again(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StopVms, None)
    door.answer(StartVms, None)
    part = open_vms(qtbot, visits)
    row = next(row for row in part.table.shown_rows() if row.state is not TaskState.STOPPED)
    part.table.select(row.vm)
    QTest.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(part.undo.isVisible)
    QTest.mouseClick(part.undo.take_back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: door.executed[-1] == StartVms(rule=WEB, vms=(row.vm,)))


def test_what_is_refused_offers_nothing_to_take_back(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(StopVms, RequestRefused(detail="the rule is gone"))
    part = open_vms(qtbot, visits)
    QTest.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(part.banner.isVisible)
    assert not part.undo.isVisible()
