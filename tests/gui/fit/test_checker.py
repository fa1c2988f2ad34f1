"""The checker finds what is cut off, outside or covered, and leaves alone what has room."""

from pathlib import Path

import pytest
from PySide6.QtCore import QRect
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.models.rows import Column, RowModel
from app.views.console import Console
from app.views.frame.memory import Memory
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.widgets.table import Table
from tests.support.fit import misfits

WORDS = "The snapshot could not be removed"


@pytest.fixture
def window(qtbot: QtBot, console: Console) -> QWidget:
    assert console.colors  # the widgets are dressed as in the program
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(400, 300)
    return window


def whats(window: QWidget) -> list[str]:
    window.show()
    return [misfit.what for misfit in misfits(window)]


@pytest.mark.parametrize("kind", [QLabel, QPushButton, QCheckBox])
def test_a_text_in_too_little_room_is_found(window: QWidget, kind: type[QLabel]) -> None:
    widget = kind(WORDS, window)
    widget.setGeometry(10, 10, 80, 40)
    assert any(WORDS in what and "needs" in what for what in whats(window))


@pytest.mark.parametrize("kind", [QLabel, QPushButton, QCheckBox])
def test_a_text_with_room_is_left_alone(window: QWidget, kind: type[QLabel]) -> None:
    widget = kind(WORDS, window)
    widget.setGeometry(10, 10, 360, 40)
    assert whats(window) == []


def test_a_wrapped_text_needs_its_height(window: QWidget) -> None:
    label = QLabel(f"{WORDS}. {WORDS}.", window)
    label.setWordWrap(True)
    label.setGeometry(10, 10, 120, 20)
    assert any("height" in what for what in whats(window))


def test_a_combo_box_shows_its_choice_whole(window: QWidget) -> None:
    box = QComboBox(window)
    box.addItem(WORDS)
    box.setGeometry(10, 10, 100, 34)
    assert any(WORDS in what for what in whats(window))


def test_a_hint_in_a_short_line_is_found(window: QWidget) -> None:
    line = QLineEdit(window)
    line.setPlaceholderText(WORDS)
    line.setGeometry(10, 10, 100, 34)
    assert any(WORDS in what for what in whats(window))


def test_a_figure_on_the_frame_is_found(window: QWidget) -> None:
    box = QSpinBox(window)
    box.setGeometry(10, 10, 100, 36)
    assert whats(window) == []
    box.setStyleSheet("QSpinBox { padding: 0; }")
    assert any("sticks" in what for what in whats(window))


def test_a_tab_without_room_is_found(window: QWidget) -> None:
    bar = QTabBar(window)
    for _ in range(4):
        bar.addTab(WORDS)
    bar.setUsesScrollButtons(False)
    bar.setGeometry(10, 10, 300, 40)
    assert any(WORDS in what for what in whats(window))


def test_a_widget_outside_of_its_parent_is_found(window: QWidget) -> None:
    card = QWidget(window)
    card.setGeometry(10, 10, 200, 100)
    label = QLabel(WORDS, card)
    label.setGeometry(100, 10, 300, 30)
    assert any("outside" in what for what in whats(window))


def test_siblings_that_overlap_are_found(window: QWidget) -> None:
    for left in (10, 60):
        QPushButton("Stop", window).setGeometry(QRect(left, 10, 90, 34))
    assert any("overlap" in what for what in whats(window))


def test_what_a_layout_places_is_left_alone(window: QWidget) -> None:
    column = QVBoxLayout(window)
    row = QHBoxLayout()
    column.addWidget(QLabel(WORDS, window))
    column.addLayout(row)
    for text in ("Cancel", "Delete rule"):
        row.addWidget(QPushButton(text, window))
    assert whats(window) == []


def test_a_window_smaller_than_it_needs_is_found(window: QWidget) -> None:
    column = QVBoxLayout(window)
    column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
    column.addWidget(QLabel(WORDS, window))
    window.setFixedSize(60, 60)
    assert any(what.startswith("needs") for what in whats(window))


def test_a_shortened_line_has_a_tooltip(window: QWidget) -> None:
    label = ElidedLabel(parent=window)
    label.setGeometry(10, 10, 100, 30)
    label.setText(WORDS)
    assert whats(window) == []
    assert label.toolTip() == WORDS
    assert label.text() == WORDS
    label.setToolTip("")
    assert whats(window) == [f"{WORDS}: shortened, without a tooltip"]


def table(tmp_path: Path, window: QWidget, column: "Column[str]") -> "Table[str]":
    model = RowModel[str]((column,), lambda row: row)
    made: Table[str] = Table[str]("checked", model, Memory(tmp_path / "table.ini"), window)
    made.setGeometry(0, 0, 390, 200)
    model.set_rows((WORDS,))
    return made


def test_a_long_name_in_a_table_may_be_shortened_because_the_tooltip_has_it(
    window: QWidget, tmp_path: Path
) -> None:
    made = table(tmp_path, window, Column(key="n", title="Name", text=str, width=90))
    assert whats(window) == []
    assert made.tip(made.model().index(0, 0)) == WORDS


def test_a_figure_in_a_table_is_never_shortened(window: QWidget, tmp_path: Path) -> None:
    table(tmp_path, window, Column(key="n", title="Size", text=lambda _: "312,000.5 MB/s", width=60, numeric=True))
    assert any("312,000.5" in what for what in whats(window))


def test_a_date_in_a_table_is_never_shortened(window: QWidget, tmp_path: Path) -> None:
    table(tmp_path, window, Column(key="n", title="Start", text=lambda _: "2026-03-04 17:51", width=90))
    assert any("2026-03-04" in what for what in whats(window))


def test_a_state_without_room_is_found(window: QWidget, tmp_path: Path) -> None:
    pill = Pill("Waiting for the platform to answer", Tone.PENDING)
    column: Column[str] = Column(
        key="s", title="State", text=lambda _: pill.text, paint=lambda _: pill, tooltip=lambda _: "why", width=120
    )
    made = table(tmp_path, window, column)
    made.setItemDelegateForColumn(0, PillDelegate(made))
    assert any(pill.text in what for what in whats(window))


def test_a_heading_without_room_is_found(window: QWidget, tmp_path: Path) -> None:
    table(tmp_path, window, Column(key="n", title="Data read from the host", text=lambda _: "1", width=60))
    assert any("heading" in what for what in whats(window))
