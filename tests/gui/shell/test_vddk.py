"""The folder of VMware's library in the settings: examined when it is entered, kept when it is saved."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.contract.errors import ErrorRow, error_from
from app.contract.vddk import ExamineVddk, ReadVddk, SetVddkFolder, VddkRow
from app.domain.vddk import VddkLibrary
from app.views.console import Console
from app.views.settings.page import SettingsPage
from app.views.translation import Language, LanguageSwitch
from tests.gui.shell.conftest import ProgramStub
from tests.support.scripted_door import ScriptedDoor

LIBRARY = VddkLibrary(
    folder="/opt/vddk",
    file="/opt/vddk/lib64/libvixDiskLib.so.8.0.2",
    version="8.0.2",
    architecture="x86-64",
    lists_allocated=True,
)
UNUSABLE = ErrorRow(
    code="vddk.unusable",
    template="The VDDK folder {folder} cannot be used: {detail}.",
    hint_template="Name another folder.",
    params=(("detail", "there is no such folder"), ("folder", "/opt/nothing")),
)


@pytest.fixture
def page(
    qtbot: QtBot, console: Console, calm_door: ScriptedDoor, program: ProgramStub, languages: LanguageSwitch
) -> SettingsPage:
    page = SettingsPage(console, languages, program)
    qtbot.addWidget(page)
    page.resize(1088, 720)
    page.show()
    page.open(())
    qtbot.waitUntil(page.vddk.folder.isEnabled)
    return page


def entered(page: SettingsPage, folder: str) -> None:
    page.vddk.folder.setFocus()
    page.vddk.folder.selectAll()
    QTest.keyClicks(page.vddk.folder, folder)
    QTest.keyClick(page.vddk.folder, Qt.Key.Key_Return)


def test_a_folder_is_examined_when_it_is_entered_and_kept_when_it_is_saved(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ExamineVddk, LIBRARY)
    calm_door.answer(SetVddkFolder, LIBRARY)
    entered(page, "/opt/vddk")
    qtbot.waitUntil(lambda: page.vddk.words.text() == "VDDK 8.0.2 for x86-64 can be used.")
    assert page.vddk.save.isEnabled()
    assert not calm_door.executed
    QTest.mouseClick(page.vddk.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: calm_door.executed == [SetVddkFolder(folder="/opt/vddk")])
    qtbot.waitUntil(lambda: not page.vddk.save.isEnabled())


def test_a_folder_that_will_not_do_says_why_and_cannot_be_saved(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ExamineVddk, error_from(UNUSABLE))
    entered(page, "/opt/nothing")
    qtbot.waitUntil(lambda: "there is no such folder" in page.vddk.words.text())
    assert page.vddk.words.property("role") == "problem"
    assert not page.vddk.save.isEnabled()
    entered(page, "/opt/nothing-yet")
    qtbot.waitUntil(lambda: "there is no such folder" in page.vddk.words.text())


def test_an_emptied_field_gives_the_library_up(qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor) -> None:
    calm_door.answer(ReadVddk, VddkRow(folder="/opt/vddk", library=LIBRARY))
    page.refresh()
    qtbot.waitUntil(lambda: page.vddk.folder.text() == "/opt/vddk")
    calm_door.answer(SetVddkFolder, None)
    page.vddk.folder.setFocus()
    page.vddk.folder.selectAll()
    QTest.keyClick(page.vddk.folder, Qt.Key.Key_Delete)
    QTest.mouseClick(page.vddk.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "not used any more" in page.vddk.words.text())
    assert calm_door.executed == [SetVddkFolder(folder="")]


def test_a_library_that_went_bad_is_shown_and_what_is_typed_is_not_taken_away(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadVddk, VddkRow(folder="/opt/nothing", error=UNUSABLE))
    page.refresh()
    qtbot.waitUntil(lambda: "there is no such folder" in page.vddk.words.text())
    page.vddk.folder.setFocus()
    QTest.keyClicks(page.vddk.folder, "-2")
    page.refresh()
    qtbot.waitUntil(lambda: not page.vddk._reading.is_open)  # noqa: SLF001 - when the answer has come
    assert page.vddk.folder.text() == "/opt/nothing-2"


def test_a_folder_is_chosen_in_a_dialog(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm_door.answer(ExamineVddk, LIBRARY)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/opt/vddk")
    QTest.mouseClick(page.vddk.choose, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.vddk.save.isEnabled)
    assert page.vddk.folder.text() == "/opt/vddk"


def test_all_of_it_is_said_in_chinese(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, languages: LanguageSwitch
) -> None:
    calm_door.answer(ReadVddk, VddkRow(folder="/opt/vddk", library=LIBRARY))
    languages.choose(Language.CHINESE)
    page.refresh()
    qtbot.waitUntil(lambda: page.vddk.words.text() == "可以使用：VDDK 8.0.2，适用于 x86-64。")
