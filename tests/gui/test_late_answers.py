"""Answers that come late, twice or in another order than they were asked for."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.platforms import (
    Certificate,
    InspectServer,
    ListPlatformRows,
    ListPlatforms,
    PlatformRow,
    RegisterPlatform,
    TryPlatform,
)
from app.contract.points import ListPoints, ListRecoverableVms
from app.contract.restore import DescribeSavedVm, ListPlaces
from app.contract.rules import ListRules, ListRuleVms, ListVmPoints
from app.domain.errors import LoginRefused, PlatformUnreachable
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.places import HostPlace, PlatformPlaces
from app.domain.tasks import KnownPoint
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.platforms.page import PlatformsPage
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.instant.dialog import InstantDialog
from tests.gui.operator import settle
from tests.gui.platforms.test_platforms import row as platform_row
from tests.gui.restore.points import RULE, point, rule_vm, script_points
from tests.gui.tasks.rows import PLATFORM
from tests.support.scripted_door import ScriptedDoor

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
    qtbot.waitUntil(lambda: "quick.example.com, valid" in dialog.thumbprint.text())
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    gate.set()
    settle(qtbot, console)
    assert "quick.example.com, valid" in dialog.thumbprint.text()
    assert dialog.confirmed.isChecked()


def test_a_certificate_that_cannot_be_had_of_a_former_address_is_not_shown(
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
    assert dialog.thumbprint.isVisible()
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


# --- restoring a VM --------------------------------------------------------------------------------------------


def open_restore(qtbot: QtBot, console: Console) -> RestoreDialog:
    dialog = RestoreDialog(console)
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def test_points_that_cannot_be_listed_of_a_former_vm_do_not_hide_those_of_the_chosen_one(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)

    def points(query: ListPoints) -> tuple[KnownPoint, ...]:
        if query.vm == "vm-db-01":
            raise PlatformUnreachable(address="vc-1", port=443, detail="no route")
        return (point("web-01"),)

    door.answer(ListPoints, points)
    gate = door.hold(ListPoints, lambda query: query.vm == "vm-db-01")
    source = open_restore(qtbot, console).source
    qtbot.waitUntil(lambda: source.source.count() == 2)
    source.source.setCurrentIndex(0)
    source.source.setCurrentIndex(1)
    qtbot.waitUntil(lambda: len(source.points.rows.rows) == 1)
    gate.set()
    settle(qtbot, console)
    assert source.points.isVisible()


def test_vms_that_could_not_be_listed_are_asked_for_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    door.answer(ListRecoverableVms, PlatformUnreachable(address="vc-1", port=443, detail="no route"))
    source = open_restore(qtbot, console).source
    settle(qtbot, console)
    assert source.source.count() == 0
    script_points(door)
    source.stages.retry_wanted.emit()
    qtbot.waitUntil(lambda: source.source.count() == 2)


def test_a_vm_that_is_typed_before_the_list_is_there_stays_typed(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    gate = door.hold(ListRecoverableVms)
    source = open_restore(qtbot, console).source
    line = source.source.lineEdit()
    assert line is not None
    QTest.keyClicks(line, "web")
    gate.set()
    qtbot.waitUntil(lambda: source.source.count() == 2)
    assert source.source.currentText() == "web"


def test_a_typed_address_outlives_a_second_answer_about_the_hardware(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    dialog = open_restore(qtbot, console)
    qtbot.waitUntil(lambda: dialog.source.source.count() == 2 and dialog.target.platform.count() > 0)
    settle(qtbot, console)
    calls: list[object] = []

    def is_second(query: object) -> bool:
        calls.append(query)
        return len(calls) > 1

    gate = door.hold(DescribeSavedVm, is_second)
    dialog.target.platform.setCurrentIndex(-1)
    dialog.target.show_point(point("web-01"))
    qtbot.waitUntil(lambda: 4000 in dialog.target.adapters.keys)
    _network, address = dialog.target.adapters.row(4000)
    address.setText("00:50:56:00:00:09")
    gate.set()
    settle(qtbot, console)
    assert dialog.target.adapters.addresses() == ((4000, "00:50:56:00:00:09"),)


def open_instant(qtbot: QtBot, console: Console) -> InstantDialog:
    dialog = InstantDialog(console, rule=RULE.id, vm=VmId("vm-web-01"))
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.source.one.points.rows.rows) == 3)
    return dialog


def test_hosts_of_a_former_platform_are_not_offered(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    second = replace(PLATFORM, id=PlatformId("p2"), name="vc-2")
    door.answer(ListPlatforms, (PLATFORM, second))

    def places(query: ListPlaces) -> PlatformPlaces:
        host = HostPlace(name=f"host-of-{query.platform}", datacenter="D", datastores=(), networks=())
        return PlatformPlaces(datacenters=("D",), hosts=(host,))

    door.answer(ListPlaces, places)
    gate = door.hold(ListPlaces, lambda query: query.platform == PLATFORM.id)
    dialog = open_instant(qtbot, console)
    qtbot.waitUntil(lambda: dialog.target.platform.count() == 2)
    dialog.target.platform.setCurrentIndex(dialog.target.platform.findData(second.id))
    qtbot.waitUntil(lambda: dialog.target.host.count() == 2)
    gate.set()
    settle(qtbot, console)
    assert [dialog.target.host.itemText(at) for at in range(dialog.target.host.count())] == [
        "As backed up",
        "host-of-p2",
    ]


def test_a_typed_name_of_an_instant_vm_stays(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    dialog = open_instant(qtbot, console)
    dialog.source.one.points.selectRow(0)
    assert dialog.target.vm_name.text() == "web-01-instant"
    dialog.target.vm_name.selectAll()
    QTest.keyClicks(dialog.target.vm_name, "mine")
    dialog.source.one.points.selectRow(1)
    assert dialog.target.vm_name.text() == "mine"


# --- a list ----------------------------------------------------------------------------------------------------


def test_a_row_that_is_to_be_selected_is_looked_for_in_an_answer_that_can_hold_it(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    rows, gate = [platform_row("vc-1")], threading.Event()

    def listed(_query: ListPlatformRows) -> tuple[PlatformRow, ...]:
        found = tuple(rows)
        gate.wait(10)
        return found

    door.answer(ListPlatformRows, listed)
    page = PlatformsPage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: len(door.asked) == 1)
    rows.append(platform_row("vc-2"))
    page.open(("vc-2",))
    gate.set()
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 2)
    current = page.table.current_row()
    page.leave()
    assert current is not None
    assert current.platform.name == "vc-2"
