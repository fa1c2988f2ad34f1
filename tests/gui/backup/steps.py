"""What the tests of the backup page do again and again, with the mouse and the keyboard."""

from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QMenu
from pytestqt.qtbot import QtBot

from app.domain.ids import RuleId
from app.models.vm_tree import VmTreeModel
from app.views.backup.acting import ActingList
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.list_vms import VmList
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.vm_picker import VmPicker
from app.views.console import Console
from app.views.frame.history import Address
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.support.scripted_door import ScriptedDoor

WEB = RuleId("r-web")


def headings(part: ActingList[Any]) -> list[str]:
    return [column.title for column in part.table.rows.columns if not column.hidden]


def click_icon(part: ActingList[Any], row: int, text: str) -> None:
    """Click an action's icon in a row, with the mouse."""
    model = part.table.model()
    cell = part.table.visualRect(model.index(row, model.columnCount() - 1))
    QTest.mouseClick(part.table.viewport(), Qt.MouseButton.LeftButton, pos=part.icons.place_of(text, cell))


def open_vms(qtbot: QtBot, visits: Visits) -> VmList:
    visits.window.visit(Address("backup", (WEB,)))
    part = visits.page.part
    assert isinstance(part, VmList)
    qtbot.waitUntil(lambda: len(part.table.shown_rows()) == len(samples.VMS))
    return part


def menu_texts(part: ActingList[Any]) -> list[str]:
    menu = QMenu()
    part.fill_menu(menu, part.table.shown_rows()[0])
    return [action.text() for action in menu.actions() if action.text()]


def open_editor(qtbot: QtBot, console: Console, door: ScriptedDoor, mode: EditorMode) -> RuleEditor:
    samples.fill(door)
    editor = RuleEditor(console, mode, None if mode is EditorMode.CREATE else samples.DETAILS)
    qtbot.addWidget(editor)
    editor.open()
    qtbot.waitUntil(lambda: editor.basic.platform_id is not None and editor.basic.standby_id is not None)
    return editor


def press(button: QCheckBox) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, button.height() // 2))


def only_leaf(model: VmTreeModel) -> QModelIndex:
    index = model.index(0, 0)
    while model.rowCount(index):
        index = model.index(0, 0, index)
    return index


def choose_vms(qtbot: QtBot, editor: RuleEditor, *names: str) -> None:
    """Check VMs in the tree with the keyboard, and use them."""
    QTest.mouseClick(editor.basic.choose_vms, Qt.MouseButton.LeftButton)
    picker = editor.basic.findChildren(VmPicker)[-1]
    qtbot.waitUntil(lambda: picker.model.shown_count == len(samples.INVENTORY))
    for name in names:
        picker.filter.setText(name)
        qtbot.waitUntil(
            lambda: only_leaf(picker.model).data() == name  # noqa: B023 - called before the next round
        )
        picker.tree.setCurrentIndex(only_leaf(picker.model))
        QTest.keyClick(picker.tree, Qt.Key.Key_Space)
    with qtbot.waitSignal(picker.succeeded):
        QTest.mouseClick(picker.primary, Qt.MouseButton.LeftButton)


def add_plan(editor: RuleEditor) -> None:
    """Add the plan that the dialog offers at first."""
    editor.tabs.setCurrentWidget(editor.policy)
    QTest.mouseClick(editor.policy.add, Qt.MouseButton.LeftButton)
    dialog = editor.policy.findChildren(PlanDialog)[-1]
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
