from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.models.rows import Column, RowModel
from app.views.frame.memory import Memory
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.widgets.table import Table
from tests.gui.keys import press_menu_key


@dataclass(frozen=True)
class Vm:
    name: str
    size_bytes: int
    fraction: float | None = None


COLUMNS = (
    Column[Vm](key="name", title="VM name", text=lambda vm: vm.name, stretch=True),
    Column[Vm](
        key="state",
        title="State",
        text=lambda vm: "Running" if vm.fraction else "Idle",
        paint=lambda vm: Pill("Running", Tone.ACTIVE, vm.fraction) if vm.fraction else Pill("Idle", Tone.IDLE),
    ),
    Column[Vm](
        key="size", title="Size", text=lambda vm: f"{vm.size_bytes} B", sort=lambda vm: vm.size_bytes, numeric=True
    ),
)
VMS = [Vm("web-01", 30, 0.5), Vm("db-01", 4), Vm("mail-01", 500)]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "window.ini")


def make_table(qtbot: QtBot, memory: Memory) -> Table[Vm]:
    model = RowModel[Vm](COLUMNS, key=lambda vm: vm.name, checkable=True)
    table = Table[Vm]("vms", model, memory)
    qtbot.addWidget(table)
    model.set_rows(VMS)
    table.resize(700, 300)
    table.show()
    return table


def names(table: Table[Vm]) -> list[str]:
    return [vm.name for vm in table.shown_rows()]


def test_rows_keep_their_order_until_a_column_is_sorted(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    assert names(table) == ["web-01", "db-01", "mail-01"]
    table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["mail-01", "web-01", "db-01"]


def test_the_filter_keeps_rows_with_every_word(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.set_filter("IDLE 01")
    assert names(table) == ["db-01", "mail-01"]
    table.set_filter("idle mail")
    assert names(table) == ["mail-01"]
    table.set_filter("")
    assert len(names(table)) == 3


def test_columns_are_remembered(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    table.column_menu().actions()[1].setChecked(False)
    again = make_table(qtbot, memory)
    assert again.isColumnHidden(1)
    assert names(again) == ["db-01", "web-01", "mail-01"]


def test_a_changed_row_stays_selected(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    assert table.select("db-01")
    table.rows.patch(Vm("db-01", 5))
    assert table.current_row() == Vm("db-01", 5)
    assert not table.select("gone")


def test_an_export_takes_the_shown_columns_in_their_order(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.setColumnHidden(1, True)
    table.horizontalHeader().moveSection(2, 0)
    assert [column.key for column in table.shown_columns()] == ["size", "name"]


def test_a_row_passes_as_the_filter_says(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    for text in ("", "IDLE 01", "idle mail", "500", "nothing"):
        table.set_filter(text)
        assert [vm.name for vm in VMS if table.passes(vm, text)] == names(table)


def test_shift_f10_is_a_menu_key_too(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.select("db-01")
    with qtbot.waitSignal(table.menu_wanted) as blocker:
        QTest.keyClick(table, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    assert blocker.args[0] == VMS[1]


def test_delete_asks_and_space_checks_wherever_the_keyboard_is(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.select("db-01")
    QTest.keyClick(table, Qt.Key.Key_Right)
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert [vm.name for vm in table.rows.checked_rows] == ["db-01"]
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert not table.rows.checked_rows
    with qtbot.waitSignal(table.delete_wanted):
        QTest.keyClick(table, Qt.Key.Key_Delete)


def test_the_menu_key_asks_for_the_menu_of_the_row_the_keyboard_is_on(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.select("mail-01")
    table.setFocus()
    with qtbot.waitSignal(table.menu_wanted) as blocker:
        press_menu_key(table)
    row, position = blocker.args
    assert row == VMS[2]
    row_box = table.visualRect(table.currentIndex())
    assert table.viewport().mapFromGlobal(position) == row_box.bottomLeft()


def test_the_right_button_asks_for_the_menu_of_the_row_under_the_pointer(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    place = table.visualRect(table.model().index(1, 0)).center()
    with qtbot.waitSignal(table.menu_wanted) as blocker:
        QTest.mouseClick(
            table.windowHandle(), Qt.MouseButton.RightButton, pos=table.viewport().mapTo(table, place)
        )
    assert blocker.args[0] == VMS[1]
    assert table.current_row() == VMS[1]


def test_states_are_drawn_as_pills_and_bars(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.setItemDelegateForColumn(1, PillDelegate(table))
    image = table.grab().toImage()
    parent: QWidget = table.viewport()
    rect = table.visualRect(table.model().index(0, 1)).translated(parent.pos())
    colors = {image.pixelColor(x, rect.center().y()).name() for x in range(rect.left(), rect.right())}
    assert PillDelegate.colors.accent_fill in colors
    assert PillDelegate.colors.skeleton in colors


def test_the_row_that_the_keyboard_comes_to_is_seen_to_be_selected(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(lambda: table.current_row() == VMS[0])
    assert table.selected_rows() == (VMS[0],)
    table.setFocus(Qt.FocusReason.OtherFocusReason)
    table.selectRow(1)
    table.clearFocus()
    table.setFocus(Qt.FocusReason.TabFocusReason)
    assert table.selected_rows() == (VMS[1],)


def test_a_roomy_column_gives_way_to_the_others_until_the_operator_wants_it(qtbot: QtBot, tmp_path: Path) -> None:
    columns = (
        Column[str](key="name", title="Name", text=str, width=200, stretch=True),
        Column[str](key="badge", title="Badge", text=len_text, width=100, roomy=True),
        Column[str](key="end", title="End", text=str, width=100),
    )
    memory = Memory(tmp_path / "window.ini")

    def table(width: int) -> Table[str]:
        made: Table[str] = Table("roomy", RowModel[str](columns, key=str), memory)
        qtbot.addWidget(made)
        made.resize(width, 200)
        made.show()
        return made

    def toggle(shown: Table[str]) -> None:
        menu = shown.column_menu()
        next(action for action in menu.actions() if action.text() == "Badge").trigger()

    wide, narrow = table(450), table(380)
    assert not wide.isColumnHidden(1)
    assert narrow.isColumnHidden(1)
    narrow.resize(450, 200)
    qtbot.waitUntil(lambda: not narrow.isColumnHidden(1))
    narrow.resize(380, 200)
    qtbot.waitUntil(lambda: narrow.isColumnHidden(1))
    toggle(narrow)
    assert not narrow.isColumnHidden(1)
    assert not table(380).isColumnHidden(1), "what was wanted is remembered"
    toggle(wide)
    assert table(900).isColumnHidden(1)


def len_text(row: str) -> str:
    return str(len(row))
