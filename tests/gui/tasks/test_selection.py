"""Which buttons can be pressed follows what is selected, by mouse and by keyboard."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.tasks import ListTasks
from app.domain.states import TaskState
from app.views.console import Console
from app.views.tasks.page import TasksPage
from tests.gui.tasks.rows import script_names, task
from tests.support.scripted_door import ScriptedDoor


def test_the_buttons_follow_the_selection_of_now(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_names(door)
    door.answer(ListTasks, (task("a", TaskState.RUNNING), task("b", TaskState.COMPLETED)))
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 2)
    table = page.table

    def click(row: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        place = table.visualRect(table.model().index(row, 2)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, keys, place)

    click(0)
    assert (page.stop.isEnabled(), page.again.isEnabled()) == (True, False)
    click(1)
    assert (page.stop.isEnabled(), page.again.isEnabled()) == (False, True)
    click(0, Qt.KeyboardModifier.ControlModifier)
    assert (page.stop.isEnabled(), page.again.isEnabled()) == (True, False), "two are selected"
    click(0, Qt.KeyboardModifier.ControlModifier)
    assert (page.stop.isEnabled(), page.again.isEnabled()) == (False, True)
    QTest.keyClick(table, Qt.Key.Key_Down)
    QTest.keyClick(table, Qt.Key.Key_Up)
    assert (page.stop.isEnabled(), page.again.isEnabled()) == (True, False)
    page.leave()
