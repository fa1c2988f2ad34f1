from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.rules import (
    DeleteRule,
    DeletionPreview,
    DescribeRule,
    PreviewRuleDeletion,
    RemoveVmsFromRule,
    RuleDetails,
)
from app.domain.display import visible
from app.domain.errors import PlatformUnreachable
from app.domain.ids import VmId
from app.domain.messages import MessageKind
from app.domain.rules import AdvancedSettings
from app.domain.states import TaskKind
from app.views.backup.acting import ActingList
from app.views.backup.deletion import Deletion, DeletionDialog
from app.views.console import Console
from app.views.widgets.confirm import ConfirmDialog
from app.workers.answers import Failure
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.gui.backup.steps import WEB, click_icon, open_vms
from tests.support.scripted_door import ScriptedDoor

_USER = MessageKind("rule.task_uses", "{task} of {vm}")
USERS = (
    _USER.fill(task=TaskKind.RESTORE, vm="web-01"),
    _USER.fill(task=TaskKind.VERIFY, vm="web-02"),
)


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
    shown = dialog.points.text()
    assert "go to the trash: 36. For 7 days they can be taken back and take up their space" in shown
    assert "then garbage collection frees up to 812 GB" in shown
    assert not dialog.primary.isEnabled()
    qtbot.waitUntil(lambda: dialog.focusWidget() is dialog.name)  # typed text goes there at once
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
    assert "that stay on the standby machine" in dialog.points.text()
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == [DeleteRule(rule=WEB, delete_data=False)]


def test_data_in_use_is_not_deleted_and_its_users_are_named(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    door.answer(PreviewRuleDeletion, DeletionPreview(point_count=3, freed_bytes=9, blocked_by=USERS))
    dialog = deletion(visits, qtbot, visits.page.rules)
    qtbot.waitUntil(dialog.data.isChecked)
    QTest.keyClicks(dialog.name, "web")
    assert dialog.blocked.text().endswith("is used by: restore of web-01; verification of web-02")
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


def test_nothing_can_be_deleted_while_it_is_not_known_what_would_go(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    for query in (PreviewRuleDeletion, DescribeRule):
        door.answer(query, PlatformUnreachable(address="vc-1", port=443, detail="no route"))
    click_icon(visits.page.rules, 0, "Delete rule")
    dialog = visits.page.rules.findChild(DeletionDialog)
    assert isinstance(dialog, DeletionDialog)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert not dialog.primary.isEnabled()
    assert dialog.points.text() == ""
    dialog.accept()
    assert door.executed == []


def test_a_name_that_was_changed_while_a_deletion_was_refused_is_asked_for_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    refusals: list[Callable[[Failure], None]] = []
    dialog = ConfirmDialog(
        console,
        "Overwrite web",
        "Overwrite",
        lambda _done, failed: refusals.append(failed),
        consequences=("It is lost.",),
        type_name="web",
    )
    qtbot.addWidget(dialog)
    dialog.open()
    QTest.keyClicks(dialog.name, "web")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    QTest.keyClicks(dialog.name, "-2")
    assert not dialog.primary.isEnabled()
    (refuse,) = refusals
    refuse(PlatformUnreachable(address="vc-1", port=443, detail="no route"))
    assert not dialog.primary.isEnabled()
    dialog.name.setText("web")
    assert dialog.primary.isEnabled()


@pytest.mark.parametrize("name", ["web ", "we\u200bb"])
def test_a_name_is_confirmed_as_it_is_shown(qtbot: QtBot, console: Console, door: ScriptedDoor, name: str) -> None:
    samples.fill(door)
    deletion = DeletionDialog(console, "Delete", "Delete", [Deletion(rule=WEB)], name)
    question = ConfirmDialog(console, "Delete", "Delete", lambda _done, _: None, consequences=(), type_name=name)
    for dialog in (deletion, question):
        qtbot.addWidget(dialog)
        dialog.open()
    qtbot.waitUntil(deletion.data.isChecked)
    for dialog in (deletion, question):
        assert not dialog.primary.isEnabled()
        dialog.name.setText(visible(name))
        assert dialog.primary.isEnabled()
