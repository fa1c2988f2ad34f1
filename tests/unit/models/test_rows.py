from dataclasses import dataclass, replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy

from app.models.rows import PAINT_ROLE, ROW_ROLE, SORT_ROLE, Column, RowModel


@dataclass(frozen=True)
class Vm:
    id: str
    size_bytes: int


COLUMNS = (
    Column[Vm](key="name", title="VM name", text=lambda vm: vm.id, tooltip=lambda vm: f"VM {vm.id}"),
    Column[Vm](
        key="size",
        title="Size",
        text=lambda vm: f"{vm.size_bytes} B",
        sort=lambda vm: vm.size_bytes,
        paint=lambda vm: vm.size_bytes,
        numeric=True,
    ),
)
WEB, DB, MAIL = Vm("web-01", 30), Vm("db-01", 4), Vm("mail-01", 500)


@pytest.fixture
def model() -> RowModel[Vm]:
    rows = RowModel[Vm](COLUMNS, key=lambda vm: vm.id, checkable=True)
    QAbstractItemModelTester(rows, QAbstractItemModelTester.FailureReportingMode.Fatal, rows)
    rows.set_rows([WEB, DB, MAIL])
    return rows


def test_a_cell_shows_sorts_and_explains_its_row(model: RowModel[Vm]) -> None:
    index = model.index(1, 1)
    assert index.data() == "4 B"
    assert index.data(SORT_ROLE) == 4
    assert index.data(PAINT_ROLE) == 4
    assert index.data(ROW_ROLE) == DB
    assert model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == "VM web-01"
    assert model.headerData(1, Qt.Orientation.Horizontal) == "Size"


def test_rows_with_the_same_keys_are_changed_in_place(model: RowModel[Vm]) -> None:
    reset, changed = QSignalSpy(model.modelReset), QSignalSpy(model.dataChanged)
    model.set_rows([WEB, replace(DB, size_bytes=5), MAIL])
    assert (reset.count(), changed.count()) == (0, 1)
    assert model.rows[1].size_bytes == 5


def test_a_patch_replaces_by_key_or_appends(model: RowModel[Vm]) -> None:
    model.patch(replace(WEB, size_bytes=31))
    model.patch(Vm("new-01", 1))
    assert [vm.size_bytes for vm in model.rows] == [31, 4, 500, 1]
    assert model.find("new-01").row() == 3
    model.remove("db-01")
    assert model.find("new-01").row() == 2
    assert not model.find("db-01").isValid()


def test_checks_follow_their_rows(model: RowModel[Vm]) -> None:
    shown = QSignalSpy(model.checked_changed)
    assert model.setData(model.index(2, 0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert list(model.checked_rows) == [MAIL]
    model.set_rows([MAIL, WEB])
    assert list(model.checked_rows) == [MAIL]
    model.remove("mail-01")
    assert not model.checked_rows
    assert model.setData(model.index(0, 0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert list(model.checked_rows) == [WEB]
    assert shown.count() == 3
