import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.models.rows import Column, RowModel
from app.views.memory import Memory
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.widgets.table import Table


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
    table.column_menu().actions()[1].setChecked(False)
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    table._on_layout_settled()
    again = make_table(qtbot, memory)
    assert again.isColumnHidden(1)
    assert names(again) == ["db-01", "web-01", "mail-01"]


def test_a_changed_row_stays_selected(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    assert table.select("db-01")
    table.rows.patch(Vm("db-01", 5))
    assert table.current_row() == Vm("db-01", 5)
    assert not table.select("gone")


def test_the_export_holds_what_is_shown(qtbot: QtBot, memory: Memory, tmp_path: Path) -> None:
    table = make_table(qtbot, memory)
    table.set_filter("01")
    table.setColumnHidden(1, True)
    table.export_csv(tmp_path / "vms.csv")
    with (tmp_path / "vms.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["VM name", "Size"],
            ["web-01", "30 B"],
            ["db-01", "4 B"],
            ["mail-01", "500 B"],
        ]


def test_states_are_drawn_as_pills_and_bars(qtbot: QtBot, memory: Memory) -> None:
    table = make_table(qtbot, memory)
    table.setItemDelegateForColumn(1, PillDelegate(table))
    image = table.grab().toImage()
    parent: QWidget = table.viewport()
    rect = table.visualRect(table.model().index(0, 1)).translated(parent.pos())
    colors = {image.pixelColor(x, rect.center().y()).name() for x in range(rect.left(), rect.right())}
    assert PillDelegate.colors.accent_fill in colors
    assert PillDelegate.colors.skeleton in colors
