"""Editing the address of a platform: its new certificate is shown first, and what cannot be told is asked."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.platforms import InspectServer, UpdatePlatform
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.engine.errors import OtherPlatform, PlatformUnproven
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.widgets.form import Field
from tests.gui.platforms.test_platforms import CERTIFICATE, THUMBPRINT
from tests.support.scripted_door import ScriptedDoor

KNOWN = Platform(
    id=PlatformId("p1"), name="vc-1", address="vc-1.example.com", user="backup", thumbprint_sha256="11:22"
)
MOVED_TO = "vc-2.example.com"


@pytest.fixture
def dialog(qtbot: QtBot, console: Console, door: ScriptedDoor) -> PlatformDialog:
    door.answer(InspectServer, CERTIFICATE)
    door.answer(UpdatePlatform, KNOWN)
    dialog = PlatformDialog(console, KNOWN)
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def move(qtbot: QtBot, dialog: PlatformDialog, address: str = MOVED_TO) -> None:
    dialog.address.setFocus()
    dialog.address.selectAll()
    QTest.keyClicks(dialog.address, address)
    qtbot.waitUntil(dialog.confirmed.isVisible)
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)


def save(dialog: PlatformDialog) -> None:
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)


def sent(door: ScriptedDoor) -> UpdatePlatform:
    [command] = [command for command in door.executed if isinstance(command, UpdatePlatform)]
    door.executed.clear()
    return command


def test_what_stays_is_saved_with_the_certificate_that_was_confirmed_before(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    with qtbot.waitSignal(dialog.accepted):
        save(dialog)
    command = sent(door)
    assert (command.address, command.port, command.thumbprint_sha256) == ("vc-1.example.com", 443, "11:22")


def test_a_new_address_shows_its_certificate_before_anything_is_sent(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    dialog.address.setFocus()
    dialog.address.selectAll()
    QTest.keyClicks(dialog.address, MOVED_TO)
    qtbot.waitUntil(dialog.confirmed.isVisible)
    save(dialog)
    assert not door.executed, "the certificate was not confirmed"
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    with qtbot.waitSignal(dialog.accepted):
        save(dialog)
    command = sent(door)
    assert (command.address, command.thumbprint_sha256) == (MOVED_TO, THUMBPRINT)
    assert not command.is_confirmed_same


def test_going_back_to_the_known_address_asks_for_nothing(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    move(qtbot, dialog)
    dialog.address.selectAll()
    QTest.keyClicks(dialog.address, KNOWN.address)
    dialog.user.setFocus()
    qtbot.waitUntil(lambda: not dialog.confirmed.isVisible())
    with qtbot.waitSignal(dialog.accepted):
        save(dialog)
    assert sent(door).thumbprint_sha256 == "11:22"


def test_a_server_that_cannot_be_told_is_confirmed_by_the_operator(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    move(qtbot, dialog)
    door.answer(UpdatePlatform, PlatformUnproven(address=MOVED_TO, name="vc-1"))
    assert not dialog.same.isVisible()
    save(dialog)
    qtbot.waitUntil(dialog.same.isVisible)
    assert not sent(door).is_confirmed_same
    QTest.keyClick(dialog.same, Qt.Key.Key_Space)
    door.answer(UpdatePlatform, KNOWN)
    with qtbot.waitSignal(dialog.accepted):
        save(dialog)
    assert sent(door).is_confirmed_same


def test_what_was_confirmed_of_one_address_is_not_of_another(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    move(qtbot, dialog)
    door.answer(UpdatePlatform, PlatformUnproven(address=MOVED_TO, name="vc-1"))
    save(dialog)
    qtbot.waitUntil(dialog.same.isVisible)
    QTest.keyClick(dialog.same, Qt.Key.Key_Space)
    dialog.address.setFocus()
    QTest.keyClicks(dialog.address, ".cn")
    assert not dialog.same.isVisible()
    assert not dialog.same.isChecked()


def test_another_platform_is_named_below_the_address(
    qtbot: QtBot, dialog: PlatformDialog, door: ScriptedDoor
) -> None:
    move(qtbot, dialog)
    door.answer(UpdatePlatform, OtherPlatform(address=MOVED_TO, name="vc-1"))
    save(dialog)
    field = next(field for field in dialog.findChildren(Field) if field.isAncestorOf(dialog.address))
    qtbot.waitUntil(lambda: MOVED_TO in field.problem)
    assert dialog.isVisible()
