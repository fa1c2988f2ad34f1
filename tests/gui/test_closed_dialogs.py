"""A closed dialog goes, and with it what was typed into it or shown by it."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QWidget
from pytestqt.qtbot import QtBot

from app.contract.doctor import ExaminePlatform
from app.contract.encryption import AddRecoveryKey, DescribeEncryption
from app.contract.platforms import ListPlatformRows
from app.contract.standbys import ListStandbyRows
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.platforms.page import PlatformsPage
from app.views.standbys.encryption import EncryptionDialog, PassphraseDialog
from app.views.standbys.page import StandbysPage
from app.views.standbys.recovery import RecoverySheetDialog
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.findings import FindingsDialog
from tests.gui.operator import click_button
from tests.gui.platforms.test_platforms import row as platform_row
from tests.gui.standbys.test_encryption import DESCRIBED, ENCRYPTED, SHEET
from tests.support.scripted_door import ScriptedDoor


def close_and_look(qtbot: QtBot, owner: QWidget, kind: type[QDialog]) -> None:
    """Close the dialog of a kind that is open, and wait until it is gone."""
    (dialog,) = owner.findChildren(kind)
    dialog.close()
    qtbot.waitUntil(lambda: not owner.findChildren(kind))


def test_dialogs_of_platforms_go(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListPlatformRows, (platform_row("vc-1"),))
    door.answer(ExaminePlatform, ())
    page = PlatformsPage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: page.table.current_row() is not None)
    page.on_create()
    close_and_look(qtbot, page, PlatformDialog)
    page.examine.click()
    close_and_look(qtbot, page, FindingsDialog)
    page.on_delete()
    close_and_look(qtbot, page, ConfirmDialog)
    page.leave()


def test_dialogs_with_passphrases_and_recovery_keys_go(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListStandbyRows, (ENCRYPTED,))
    door.answer(DescribeEncryption, DESCRIBED)
    door.answer(AddRecoveryKey, SHEET)
    page = StandbysPage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: page.table.current_row() is not None)
    click_button(page, "Encryption…")
    (dialog,) = page.findChildren(EncryptionDialog)
    qtbot.waitUntil(dialog.recovery.isVisible)
    QTest.mouseClick(dialog.passphrase, Qt.MouseButton.LeftButton)
    close_and_look(qtbot, dialog, PassphraseDialog)
    QTest.mouseClick(dialog.recovery, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(dialog.findChildren(RecoverySheetDialog)))
    dialog.findChildren(RecoverySheetDialog)[0].kept.click()
    close_and_look(qtbot, dialog, RecoverySheetDialog)
    page.leave()
