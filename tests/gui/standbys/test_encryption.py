"""Encrypted standby machines on the screen: registering, unlocking, passphrases, recovery keys."""

import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QFileDialog, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.contract.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    DescribeEncryption,
    EncryptionRow,
    EncryptStandby,
    RecoverySheet,
    RepositoryKeysRow,
    RevokeRecoveryKeys,
    UnlockReport,
    UnlockStandby,
)
from app.contract.errors import ErrorRow
from app.contract.standbys import ListStandbyRows, RegisterStandby
from app.domain.ids import StandbyId
from app.domain.standbys import EncryptionMode, Standby
from app.repository.errors import KeyNeeded, KeyWrong
from app.views.console import Console
from app.views.standbys.dialog import StandbyDialog
from app.views.standbys.encryption import EncryptDialog, EncryptionDialog, PassphraseDialog, UnlockDialog
from app.views.standbys.recovery import RecoverySheetDialog
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.standbys.test_standbys import open_page, row
from tests.support.scripted_door import ScriptedDoor

PASSPHRASE = "otter lamp crane seventeen"
KEY = "-".join(f"AB{number:02d}" for number in range(14))
SHEET = RecoverySheet(
    key=KEY, standby_name="nas", root_path="/mnt/nas", made_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
)
LOCK = ErrorRow.of(KeyNeeded(path="/mnt/nas"))
ENCRYPTED = replace(row("nas"), encryption=EncryptionMode.CONTENTS, encrypted_repositories=1)
LOCKED = replace(ENCRYPTED, locked=LOCK)
OPEN_REPOSITORY = RepositoryKeysRow(target_path="", is_open=True, recovery_keys=0, error=None)
DESCRIBED = EncryptionRow(
    mode=EncryptionMode.CONTENTS, passphrase_known=True, recovery_keys=0, repositories=(OPEN_REPOSITORY,)
)


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def opened(qtbot: QtBot, dialog: QDialog) -> None:
    qtbot.addWidget(dialog)
    dialog.open()


# --- the list ----------------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_encrypted_and_what_is_locked(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    names = replace(row("hidden"), encryption=EncryptionMode.NAMES)
    door.answer(ListStandbyRows, (row("plain"), ENCRYPTED, names, replace(LOCKED, id=StandbyId("x"), name="x")))
    page = open_page(qtbot, console)
    model = page.table.model()
    texts = [(model.index(place, 1).data(), model.index(place, 8).data()) for place in range(4)]
    assert texts == [
        ("Reachable", "Not encrypted"),
        ("Reachable", "Encrypted"),
        ("Reachable", "Encrypted"),
        ("Locked", "Locked"),
    ]
    assert "names" in model.index(2, 8).data(Qt.ItemDataRole.ToolTipRole)
    assert "passphrase" in model.index(3, 8).data(Qt.ItemDataRole.ToolTipRole)
    page.leave()


def test_a_locked_standby_is_unlocked_from_the_list(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListStandbyRows, (LOCKED,))
    page = open_page(qtbot, console)
    qtbot.waitUntil(page.unlock.isEnabled)
    page.on_activated(LOCKED)
    dialog = page.findChildren(UnlockDialog)[-1]
    click(dialog.primary)
    assert [field.problem for field in dialog.problems()] == ["Enter the passphrase or a recovery key."]
    assert dialog.key.echoMode() is QLineEdit.EchoMode.Password
    dialog.shown.click()
    assert dialog.key.echoMode() is QLineEdit.EchoMode.Normal

    door.answer(UnlockStandby, KeyWrong(path="/mnt/nas"))
    QTest.keyClicks(dialog.key, "wrong")
    click(dialog.primary)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.key.text() == "wrong", "nothing typed is lost"

    report = UnlockReport(opened=("", "a"), locked=("b",), point_count=7, needs_passphrase=False)
    door.answer(UnlockStandby, report)
    door.answer(ListStandbyRows, (ENCRYPTED,))
    dialog.key.setText(PASSPHRASE)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed[-1] == UnlockStandby(standby=StandbyId("nas"), key=PASSPHRASE)
    assert page.banner.title == "2 repositories were unlocked; 7 restore points were found."
    assert page.banner.hint == "Still locked, with another passphrase: b."
    qtbot.waitUntil(lambda: not page.unlock.isEnabled())
    page.leave()


def test_deleting_an_encrypted_standby_says_that_its_keys_go(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListStandbyRows, (ENCRYPTED,))
    page = open_page(qtbot, console)
    page.on_delete()
    assert "keys are removed" in page.findChildren(ConfirmDialog)[-1].consequences[-1]
    page.findChildren(ConfirmDialog)[-1].reject()
    door.answer(ListStandbyRows, (row(),))
    page.refresh()
    qtbot.waitUntil(lambda: page.chosen_rows() == (row(),))
    page.on_delete()
    assert len(page.findChildren(ConfirmDialog)[-1].consequences) == 1
    page.leave()


# --- registering -------------------------------------------------------------------------------------------------


def test_an_encrypted_standby_is_registered_with_a_passphrase_typed_twice(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(RegisterStandby, Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas"))
    dialog = StandbyDialog(console, None)
    opened(qtbot, dialog)
    QTest.keyClicks(dialog.name, "nas")
    QTest.keyClicks(dialog.root_path, "/mnt/nas")
    assert not dialog.pair.first.isVisible()
    dialog.encrypt.click()
    assert dialog.pair.first.isVisible()
    for first, second, problem in (
        ("", "", "Enter a passphrase."),
        ("Password1234", "Password1234", "This passphrase could be guessed: make it longer, or mix it more."),
        (PASSPHRASE, "otter", "The two are not the same."),
    ):
        dialog.pair.first.setText(first)
        dialog.pair.second.setText(second)
        click(dialog.primary)
        assert list(dialog.problems().values()) == [problem]
    assert door.executed == []
    dialog.pair.second.setText(PASSPHRASE)
    dialog.hide_names.click()
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [
        RegisterStandby(name="nas", root_path="/mnt/nas", passphrase=PASSPHRASE, hide_names=True)
    ]


# --- the dialog of a standby machine -----------------------------------------------------------------------------


@pytest.fixture
def dialog_of(qtbot: QtBot, console: Console, door: ScriptedDoor) -> Callable[[EncryptionRow], EncryptionDialog]:
    def make(described: EncryptionRow) -> EncryptionDialog:
        door.answer(DescribeEncryption, described)
        dialog = EncryptionDialog(console, ENCRYPTED)
        opened(qtbot, dialog)
        qtbot.waitUntil(lambda: "Looking" not in dialog.text.text())
        return dialog

    return make


def offered(dialog: EncryptionDialog) -> list[str]:
    buttons = (dialog.unlock, dialog.encrypt, dialog.passphrase, dialog.recovery, dialog.revoke)
    return [button.text() for button in buttons if button.isVisible()]


def test_the_dialog_offers_what_makes_sense(dialog_of: Callable[[EncryptionRow], EncryptionDialog]) -> None:
    plain = EncryptionRow(mode=EncryptionMode.OFF, passphrase_known=False, recovery_keys=0, repositories=())
    closed = replace(OPEN_REPOSITORY, is_open=False, recovery_keys=None, error=LOCK)
    with_key = replace(DESCRIBED, recovery_keys=1, repositories=(replace(OPEN_REPOSITORY, recovery_keys=1),))
    assert offered(dialog_of(plain)) == ["Encrypt…"]
    assert offered(dialog_of(replace(DESCRIBED, repositories=(closed,)))) == ["Unlock…"]
    assert offered(dialog_of(DESCRIBED)) == ["Change passphrase…", "Make a recovery key…"]
    assert offered(dialog_of(with_key))[-1] == "Revoke recovery keys…"
    mixed = replace(with_key, repositories=(*with_key.repositories, replace(OPEN_REPOSITORY, target_path="b")))
    assert "1 repository has no recovery key" in dialog_of(mixed).text.text()


def test_the_passphrase_is_changed(
    qtbot: QtBot, door: ScriptedDoor, dialog_of: Callable[[EncryptionRow], EncryptionDialog]
) -> None:
    door.answer(ChangePassphrase, None)
    dialog = dialog_of(DESCRIBED)
    click(dialog.passphrase)
    change = dialog.findChildren(PassphraseDialog)[-1]
    QTest.keyClicks(change.pair.first, PASSPHRASE)
    QTest.keyClicks(change.pair.second, PASSPHRASE)
    with qtbot.waitSignal(dialog.changed):
        click(change.primary)
    assert door.executed == [ChangePassphrase(standby=StandbyId("nas"), passphrase=PASSPHRASE)]


def test_encryption_is_turned_on_and_recovery_keys_are_revoked(
    qtbot: QtBot, door: ScriptedDoor, dialog_of: Callable[[EncryptionRow], EncryptionDialog]
) -> None:
    door.answer(EncryptStandby, None)
    door.answer(RevokeRecoveryKeys, None)
    dialog = dialog_of(replace(DESCRIBED, mode=EncryptionMode.OFF, repositories=()))
    click(dialog.encrypt)
    encrypt = dialog.findChildren(EncryptDialog)[-1]
    encrypt.pair.first.setText(PASSPHRASE)
    encrypt.pair.second.setText(PASSPHRASE)
    with qtbot.waitSignal(dialog.changed):
        click(encrypt.primary)
    assert door.executed == [EncryptStandby(standby=StandbyId("nas"), passphrase=PASSPHRASE)]
    dialog = dialog_of(replace(DESCRIBED, recovery_keys=1))
    click(dialog.revoke)
    confirm = dialog.findChildren(ConfirmDialog)[-1]
    with qtbot.waitSignal(dialog.changed):
        click(confirm.primary)
    assert door.executed[1:] == [RevokeRecoveryKeys(standby=StandbyId("nas"))]


# --- recovery keys -----------------------------------------------------------------------------------------------


@pytest.fixture
def sheet(
    qtbot: QtBot, door: ScriptedDoor, dialog_of: Callable[[EncryptionRow], EncryptionDialog]
) -> Iterator[RecoverySheetDialog]:
    door.answer(AddRecoveryKey, SHEET)
    dialog = dialog_of(DESCRIBED)
    click(dialog.recovery)
    qtbot.waitUntil(lambda: bool(dialog.findChildren(RecoverySheetDialog)))
    yield dialog.findChildren(RecoverySheetDialog)[-1]  # noqa: PT022 - its parent must live as long


def test_a_recovery_key_is_shown_until_the_operator_says_that_it_is_kept(sheet: RecoverySheetDialog) -> None:
    assert sheet.key.text().replace("\n", "-") == KEY
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert sheet.isVisible()
    assert not sheet.primary.isEnabled()
    sheet.close()
    assert sheet.isVisible()
    sheet.kept.click()
    click(sheet.primary)
    assert not sheet.isVisible()


def test_a_recovery_key_is_copied(sheet: RecoverySheetDialog) -> None:
    click(sheet.copy)
    assert QGuiApplication.clipboard().text() == KEY
    QGuiApplication.clipboard().clear()
    sheet.kept.click()


@pytest.mark.parametrize("ending", ["txt", "pdf"])
def test_a_recovery_key_is_saved_for_its_owner_alone(
    qtbot: QtBot, sheet: RecoverySheetDialog, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"key.{ending}"
    with patch.object(QFileDialog, "getSaveFileName", return_value=(str(file), "")):
        click(sheet.save if ending == "txt" else sheet.print)
    qtbot.waitUntil(lambda: sheet.banner.isVisible() and file.exists())
    content = file.read_bytes()
    if ending == "txt":
        assert KEY in content.decode()
        assert "nas" in content.decode()
    else:
        assert content.startswith(b"%PDF-")
        assert len(content) > 2000
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".key")] == []
    sheet.kept.click()


def test_a_recovery_key_that_cannot_be_saved_is_still_there(
    qtbot: QtBot, sheet: RecoverySheetDialog, tmp_path: Path
) -> None:
    with patch.object(QFileDialog, "getSaveFileName", return_value=(str(tmp_path / "no" / "key.txt"), "")):
        click(sheet.save)
    qtbot.waitUntil(lambda: "could not be written" in sheet.banner.title)
    assert sheet.key.isVisible()
    sheet.kept.click()
