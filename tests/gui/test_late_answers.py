"""Answers that come late, twice or in another order than they were asked for."""

from dataclasses import replace
from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.domain.errors import LoginRefused, PlatformUnreachable
from app.domain.ids import RuleId
from app.engine.api import (
    Certificate,
    InspectServer,
    ListRules,
    ListRuleVms,
    ListVmPoints,
    RegisterPlatform,
    TryPlatform,
)
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
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


# --- registering a platform ------------------------------------------------------------------------------------


def certificate(subject: str) -> Certificate:
    return Certificate(
        thumbprint_sha256=":".join(["AB"] * 32),
        subject=subject,
        issuer="VMCA",
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2028, 1, 1, tzinfo=UTC),
        trusted_by_ca=False,
    )


def type_platform(console: Console, qtbot: QtBot, address: str) -> PlatformDialog:
    dialog = PlatformDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.name.setText("vc")
    dialog.user.setText("backup")
    dialog.password.setText("secret")
    type_address(dialog, address)
    return dialog


def type_address(dialog: PlatformDialog, address: str) -> None:
    dialog.address.setFocus()
    dialog.address.selectAll()
    QTest.keyClicks(dialog.address, address)
    dialog.address.editingFinished.emit()


def test_only_the_certificate_of_the_typed_address_is_shown(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(InspectServer, lambda query: certificate(query.address))
    gate = door.hold(InspectServer, lambda query: query.address == "slow.example.com")
    dialog = type_platform(console, qtbot, "slow.example.com")
    qtbot.waitUntil(lambda: InspectServer(address="slow.example.com", port=443) in door.asked)
    type_address(dialog, "quick.example.com")
    qtbot.waitUntil(lambda: "quick.example.com, valid" in dialog._thumbprint.text())
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    gate.set()
    settle(qtbot, console)
    assert "quick.example.com, valid" in dialog._thumbprint.text()
    assert dialog.confirmed.isChecked()


def test_a_certificate_that_cannot_be_had_of_a_former_address_is_not_told(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    def inspect(query: InspectServer) -> Certificate:
        if query.address == "slow.example.com":
            raise PlatformUnreachable(address=query.address, port=443, detail="no route")
        return certificate(query.address)

    door.answer(InspectServer, inspect)
    gate = door.hold(InspectServer, lambda query: query.address == "slow.example.com")
    dialog = type_platform(console, qtbot, "slow.example.com")
    qtbot.waitUntil(lambda: InspectServer(address="slow.example.com", port=443) in door.asked)
    type_address(dialog, "quick.example.com")
    qtbot.waitUntil(dialog.confirmed.isVisible)
    gate.set()
    settle(qtbot, console)
    assert dialog._thumbprint.isVisible()
    assert not dialog.banner.isVisible()


def test_a_test_that_fails_leaves_a_registration_under_way_alone(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(InspectServer, lambda query: certificate(query.address))
    door.answer(TryPlatform, LoginRefused(address="vc", user="backup"))
    door.answer(RegisterPlatform, LoginRefused(address="vc", user="backup"))
    testing, registering = door.hold(TryPlatform), door.hold(RegisterPlatform)
    dialog = type_platform(console, qtbot, "vc.example.com")
    qtbot.waitUntil(dialog.confirmed.isVisible)
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    assert not dialog.test.isEnabled()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    testing.set()
    qtbot.waitUntil(dialog.test.isEnabled)
    assert not dialog.primary.isEnabled()
    dialog.reject()
    is_open = dialog.isVisible()
    registering.set()
    assert is_open
    qtbot.waitUntil(dialog.primary.isEnabled)
    settle(qtbot, console)
