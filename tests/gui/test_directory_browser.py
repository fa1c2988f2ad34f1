from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.standbys import BrowseStandby, DirectoryEntry
from app.domain.ids import StandbyId
from app.views.console import Console
from app.views.widgets.directory_browser import DirectoryBrowser
from tests.support.scripted_door import ScriptedDoor


def open_browser(qtbot: QtBot, console: Console, door: ScriptedDoor) -> DirectoryBrowser:
    entries = tuple(
        DirectoryEntry(name=name, path=name, has_children=False, is_repository=False) for name in ("prod", "test")
    )
    door.answer(BrowseStandby, entries)
    dialog = DirectoryBrowser.of_standby(console, StandbyId("s1"), "local", None)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.tree.topLevelItemCount() == 2)
    return dialog


def test_the_directory_in_the_line_stays_when_the_keyboard_goes_through_the_tree(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_browser(qtbot, console, door)
    dialog.path.setText("new/place")  # what the rule has already
    dialog.tree.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(dialog.tree.hasFocus)
    assert dialog.path.text() == "new/place"
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog.chosen == "new/place"


def test_a_directory_is_chosen_by_the_arrow_keys_and_the_mouse(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_browser(qtbot, console, door)
    dialog.tree.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(dialog.tree, Qt.Key.Key_Down)
    assert dialog.path.text() == "test"
    first = dialog.tree.topLevelItem(0)
    assert first is not None
    place = dialog.tree.visualItemRect(first).center()
    QTest.mouseClick(dialog.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert dialog.path.text() == "prod"
    QTest.keyClicks(dialog.path, "/sub")
    assert dialog.path.text() == "prod/sub"
    assert not dialog.tree.selectedItems()


def test_enter_takes_the_directory_the_keyboard_is_on(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_browser(qtbot, console, door)
    dialog.tree.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog.tree, Qt.Key.Key_Return)
    assert dialog.chosen == "prod"
