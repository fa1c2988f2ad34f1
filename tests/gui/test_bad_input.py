"""Whatever is typed wrongly is shown below its field, in words with a remedy, and nothing typed is lost."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.contract.platforms import Certificate, InspectServer, RegisterPlatform, UpdatePlatform
from app.contract.standbys import BrowseStandby, RegisterStandby
from app.domain.errors import CertificateChanged, LoginRefused, OperationalError, PlatformUnreachable
from app.engine.errors import AlreadyRegistered
from app.views.backup.editor import EditorMode
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.standbys.dialog import StandbyDialog
from app.views.widgets.checks import address_problem, directory_problem, name_problem
from app.views.widgets.directory_browser import DirectoryBrowser
from tests.gui.backup.steps import open_editor
from tests.gui.operator import field_of, problem_of
from tests.gui.platforms.test_platforms import row as platform_row
from tests.gui.restore.test_restore import choose_point
from tests.gui.restore.test_restore import open_dialog as open_restore
from tests.gui.standbys.test_standbys import row as standby_row
from tests.gui.typed_input import assert_shown, paste_into, press, type_into, type_number
from tests.support.scripted_door import ScriptedDoor

LONG = "n" * 65
CERTIFICATE = Certificate(
    subject="vc-1.example.com",
    issuer="vc-1.example.com",
    thumbprint_sha256="AB:CD",
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2027, 1, 1, tzinfo=UTC),
    trusted_by_ca=False,
)


# --- platforms ---------------------------------------------------------------------------------------------------


@pytest.fixture
def platform(qtbot: QtBot, console: Console, door: ScriptedDoor) -> PlatformDialog:
    """The dialog that registers a platform, filled in rightly."""
    door.answer(InspectServer, CERTIFICATE)
    dialog = PlatformDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    for line, text in (
        (dialog.name, "vc-1"),
        (dialog.user, "backup@vsphere.local"),
        (dialog.password, "secret"),
        (dialog.address, "vc-1.example.com"),
    ):
        type_into(line, text)
    QTest.keyClick(
        dialog.address, Qt.Key.Key_Tab
    )  # who leaves the field is not kept waiting for a pause in typing
    qtbot.waitUntil(dialog.confirmed.isVisible)
    dialog.confirmed.setChecked(True)
    return dialog


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Enter a name."),
        ("   ", "Enter a name."),
        (LONG, "The name has 65 characters; shorten it to 64."),
        ("vc\x07\u200e1", "characters that cannot be shown"),
    ],
)
def test_a_platforms_name(platform: PlatformDialog, door: ScriptedDoor, name: str, words: str) -> None:
    paste_into(platform.name, name) if name else type_into(platform.name, name)
    press(platform)
    assert_shown(platform, field_of(platform.name), words)
    assert platform.name.text() == name
    assert door.executed == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Enter the address."),
        ("https://vc-1.example.com/ui", "without https://"),
        ("root@esx", "without https://"),
        ("vc-1.example.com:443", "Enter the port in its own field"),
        ("vc 1", "no blanks"),
        ("vc..example", "no name of a server"),
        ("a" * 64, "no name of a server"),
        ("fe80::1", "known on one network only"),
    ],
)
def test_a_platforms_address(platform: PlatformDialog, door: ScriptedDoor, address: str, words: str) -> None:
    asked = len(door.asked)
    type_into(platform.address, address)
    platform.address.editingFinished.emit()
    press(platform)
    assert_shown(platform, field_of(platform.address), words)
    assert platform.address.text() == address
    assert len(door.asked) == asked, "no server was asked at an address that is none"


@pytest.mark.parametrize(
    "address", ["vc-1", "vc-1.example.com.", "10.0.0.7", "2001:db8::1", "[2001:db8::7]", "备份.cn"]
)
def test_good_addresses_are_taken(address: str) -> None:
    assert address_problem(address) == ""


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_platforms_port(platform: PlatformDialog, door: ScriptedDoor, port: int) -> None:
    type_number(platform.port, port)
    press(platform)
    assert_shown(platform, field_of(platform.port), "A port is a number from 1 to 65535.")
    assert platform.port.value() == port
    assert door.executed == []


@pytest.mark.parametrize(
    ("failure", "field"),
    [
        (LoginRefused(address="vc-1.example.com", user="backup"), "password"),
        (PlatformUnreachable(address="vc-1.example.com", detail="timed out", port=443), "address"),
        (AlreadyRegistered(what="vc-1.example.com:443", name="old"), "address"),
        (AlreadyRegistered(what="a platform named vc-1", name="vc-1"), "name"),
    ],
)
def test_what_the_engine_refuses_is_shown_below_its_field_and_above_with_details(
    qtbot: QtBot, platform: PlatformDialog, door: ScriptedDoor, failure: OperationalError, field: str
) -> None:
    door.answer(RegisterPlatform, failure)
    press(platform)
    qtbot.waitUntil(platform.banner.isVisible)
    assert problem_of(getattr(platform, field)) == failure.message
    assert platform.password.text() == "secret"
    assert platform.primary.isEnabled()
    (copy,) = platform.banner.findChildren(QPushButton)
    QTest.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == f"{failure.code}\n{failure.message}\n{failure.hint}"


def test_a_certificate_that_changed_is_shown_and_can_be_confirmed_where_it_is_shown(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    known = platform_row().platform
    door.answer(UpdatePlatform, CertificateChanged(address=known.address, actual="AB:CD", expected="00:11"))
    door.answer(InspectServer, CERTIFICATE)
    dialog = PlatformDialog(console, known)
    qtbot.addWidget(dialog)
    dialog.open()
    press(dialog)
    qtbot.waitUntil(dialog.confirmed.isVisible)
    assert dialog.banner.isVisible()
    assert "AB:CD" in dialog.thumbprint.text()
    press(dialog)
    assert problem_of(dialog.confirmed) == "Compare the certificate first, then check this box."
    door.answer(UpdatePlatform, known)
    dialog.confirmed.setChecked(True)
    with qtbot.waitSignal(dialog.succeeded):
        press(dialog)
    last = door.executed[-1]
    assert isinstance(last, UpdatePlatform)
    assert last.thumbprint_sha256 == "AB:CD"


# --- standby machines --------------------------------------------------------------------------------------------


@pytest.fixture
def standby(qtbot: QtBot, console: Console) -> StandbyDialog:
    """The dialog that registers a standby machine, filled in rightly."""
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    type_into(dialog.name, "nas")
    type_into(dialog.root_path, "/mnt/nas")
    return dialog


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "Enter the path."),
        ("backup/nas", "whole path"),
        ("../nas", "whole path"),
        ("/mnt/\x01", "cannot be shown"),
    ],
)
def test_a_standbys_path(standby: StandbyDialog, door: ScriptedDoor, path: str, words: str) -> None:
    paste_into(standby.root_path, path) if path else type_into(standby.root_path, path)
    press(standby)
    assert words in problem_of(standby.root_path)
    assert standby.root_path.text() == path
    assert door.executed == []


def test_a_standbys_name(standby: StandbyDialog) -> None:
    type_into(standby.name, LONG)
    press(standby)
    assert_shown(standby, field_of(standby.name), "65 characters")
    assert standby.name.text() == LONG


@pytest.mark.parametrize(("what", "field"), [("/mnt/nas", "root_path"), ("a standby named nas", "name")])
def test_a_standby_that_is_there_already(
    qtbot: QtBot, standby: StandbyDialog, door: ScriptedDoor, what: str, field: str
) -> None:
    door.answer(RegisterStandby, AlreadyRegistered(what=what, name="old"))
    press(standby)
    qtbot.waitUntil(standby.banner.isVisible)
    assert "registered already" in problem_of(getattr(standby, field))
    assert (standby.name.text(), standby.root_path.text()) == ("nas", "/mnt/nas")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "Choose or type a directory."),
        ("../elsewhere", "no directory below"),
        ("C:\\data", "no directory below"),
    ],
)
def test_a_target_path_outside_the_root(
    qtbot: QtBot, console: Console, door: ScriptedDoor, path: str, words: str
) -> None:
    door.answer(BrowseStandby, ())
    row = standby_row("nas")
    browser = DirectoryBrowser.of_standby(console, row.id, row.name)
    qtbot.addWidget(browser)
    browser.open()
    type_into(browser.path, path)
    press(browser)
    assert_shown(browser, field_of(browser.path), words)
    assert browser.path.text() == path


# --- rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [(LONG, "more than 64 characters"), ("a\x07b", "characters that cannot be shown"), ("", "Enter a name")],
)
def test_a_rules_name(qtbot: QtBot, console: Console, door: ScriptedDoor, name: str, words: str) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    if name:
        paste_into(editor.basic.name, name)
    press(editor)
    assert words in editor.basic.fields["name"].problem
    assert editor.basic.name.text() == name
    assert words in editor.primary.toolTip()
    assert door.executed == []


@pytest.mark.parametrize("period", [0, 65, 9999])
def test_a_retention_out_of_its_range(qtbot: QtBot, console: Console, door: ScriptedDoor, period: int) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    type_number(editor.policy.period, period)
    press(editor)
    assert_shown(editor, editor.policy.fields["retention"], "Enter a whole number from 1 to 64.")
    assert editor.policy.period.value() == period


def test_a_start_in_the_past(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    editor.policy.once.click()
    yesterday = QDateTime.currentDateTime().addDays(-1)
    editor.policy.start.setDateTime(yesterday)
    press(editor)
    assert_shown(editor, editor.policy.fields["start"], "must not be before today")
    assert editor.policy.start.date() == yesterday.date()
    assert door.executed == []


# --- restores ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"), [("", "Enter a name."), (LONG, "65 characters"), ("a\x07b", "cannot be shown")]
)
def test_a_restores_name(qtbot: QtBot, console: Console, door: ScriptedDoor, name: str, words: str) -> None:
    dialog = open_restore(qtbot, console, door)
    paste_into(dialog.source.name, name) if name else type_into(dialog.source.name, name)
    press(dialog)
    assert_shown(dialog, field_of(dialog.source.name), words)
    assert dialog.source.name.text() == name


def test_a_restored_vms_name(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_restore(qtbot, console, door)
    choose_point(qtbot, dialog)
    dialog.tabs.setCurrentWidget(dialog.target)
    type_into(dialog.target.vm_name, "v" * 81)
    press(dialog)
    assert "81 characters; shorten it to 80" in problem_of(dialog.target.vm_name)
    assert len(dialog.target.vm_name.text()) == 81


# --- the checks themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check",
    [
        lambda text: name_problem(text, missing="missing"),
        address_problem,
        directory_problem,
    ],
)
def test_every_check_refuses_nothing_and_blanks(check: Callable[[str], str]) -> None:
    assert check("")
    assert check(" \t ")
