"""瞬时恢复 of several VMs of a rule: in an order, each with its own point and name."""

from dataclasses import replace

import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.instant import (
    StartInstantRecovery,
)
from app.contract.restore import DescribeSavedVm
from app.contract.rules import ListVmPoints
from app.domain.errors import PlatformUnreachable
from app.domain.ids import TaskId
from app.views.console import Console
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.instant.networks import NetworkKind
from tests.gui.operator import problem_of, settle
from tests.gui.restore.instant.dialog_steps import member, opened, sent
from tests.gui.restore.instant.recoveries import script_recoveries
from tests.gui.restore.instant.steps import click
from tests.gui.restore.points import HARDWARE, RULE, point
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture(autouse=True)
def scripted(door: ScriptedDoor) -> None:
    script_recoveries(door)
    door.answer(StartInstantRecovery, (TaskId("t1"),))


def names(dialog: InstantDialog) -> list[str]:
    return [row.row.name for row in dialog.source.group.members]


def test_the_vms_of_a_rule_start_in_the_order_of_the_list(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, vm=None)
    assert names(dialog) == ["db-01", "new-01", "web-01"]
    click(dialog.source.group.members[2].up)
    click(dialog.source.group.members[1].up)
    assert names(dialog) == ["web-01", "db-01", "new-01"]
    assert not dialog.source.group.members[0].up.isEnabled()
    assert not dialog.source.group.members[2].down.isEnabled()
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    # The newest point of db-01 is damaged, and new-01 has none.
    assert sent(door).members == (member("web-01-instant"), member("db-01-instant", 1))
    assert sent(door).rule == RULE.id


def test_each_vm_of_a_rule_has_its_own_point_and_name(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = opened(qtbot, console, vm=None)
    database, new, web = dialog.source.group.members
    click(new.leave_out)
    web.points.setCurrentIndex(2)
    web.name.selectAll()
    QTest.keyClicks(web.name, "db-01-INSTANT")
    click(dialog.primary)
    assert web.problem_text.text() == "Two VMs of this list have this name."
    assert problem_of(dialog.source.group.rule) == "Correct the names of the VMs below."
    QTest.keyClicks(web.name, "-2")
    click(database.down)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    first, second = sent(door).members
    assert (first.placement.name, first.point) == ("db-01-INSTANT-2", point("web-01", 2).point.id)
    assert (second.placement.name, second.point) == ("db-01-instant", point("db-01", 1).point.id)


def test_networks_of_several_vms_are_replaced_by_name_and_stay_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    other = replace(HARDWARE.adapters[0], network="Storage")
    wide = replace(HARDWARE, adapters=(*HARDWARE.adapters, other))
    door.answer(DescribeSavedVm, lambda query: wide if "db-01" in query.point else HARDWARE)
    dialog = opened(qtbot, console, vm=None)
    click(dialog.target.network.kind.button(NetworkKind.OTHERS))
    settle(qtbot, console)
    boxes = dialog.target.network.rows.boxes
    assert list(boxes) == ["Storage", "VM Network"]
    boxes["Storage"].setCurrentIndex(boxes["Storage"].findData("Branch"))
    QTest.keyClicks(dialog.source.group.members[0].name, "-x")
    click(dialog.source.group.members[0].down)
    settle(qtbot, console)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert {found.placement.networks for found in sent(door).members} == {(("Storage", "Branch"),)}


def test_a_rule_without_points_cannot_be_started(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListVmPoints, ())
    dialog = opened(qtbot, console, vm=None)
    click(dialog.primary)
    assert problem_of(dialog.source.group.rule) == "None of its VMs has a restore point to run from."
    assert door.executed == []


def test_points_that_cannot_be_listed_are_asked_for_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListVmPoints, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    dialog = opened(qtbot, console, vm=None)
    assert list(dialog.source.problems().values()) == ["Its VMs cannot be listed now; choose the rule again."]
    script_recoveries(door)
    dialog.source.group.rule.activated.emit(0)
    settle(qtbot, console)
    assert names(dialog) == ["db-01", "new-01", "web-01"]
