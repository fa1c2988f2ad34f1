"""Finds texts that are cut off, widgets outside of their parents and siblings that overlap, in a window on show.

What may be shortened is shortened by the design: a long name in a table's column, with the whole text in its
tooltip. Dates and figures never are, and states only in a window below the design's size.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QMainWindow,
    QMenuBar,
    QProgressBar,
    QScrollBar,
    QSizePolicy,
    QSplitterHandle,
    QStackedWidget,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStyleOptionSpinBox,
    QTabBar,
    QTableView,
    QTabWidget,
    QTreeView,
    QWidget,
)

from app.views import style
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.entries import EntryButton
from tests.support.fit_tables import SLACK, cells_cut, header_cut, lines_cut, plain, short

_BREAKS: Final = re.compile(r"[\s\u200b\u3000-\u9fff/]")
"""Where a line may end: blanks, after slashes, and anywhere between Chinese characters."""
_NEITHER: Final = (QScrollBar, QSplitterHandle, QHeaderView, QMenuBar)


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def misfits(window: QWidget) -> list[Misfit]:
    """Return everything in a window on show that is cut off, outside of its parent, or under a sibling."""
    return [Misfit(path_of(widget, window), what) for widget, what in _found(window)]


def path_of(widget: QWidget, window: QWidget) -> str:
    """Return a name for a widget that a reader can find."""
    names: list[str] = []
    here: QWidget | None = widget
    while here is not None and here is not window:
        if type(here) is not QWidget or here is widget:
            names.append(here.objectName() or type(here).__name__)
        here = here.parentWidget()
    return " > ".join((type(window).__name__, *reversed(names[:5])))


def _found(window: QWidget) -> Iterator[tuple[QWidget, str]]:
    shown = [widget for widget in window.findChildren(QWidget) if _is_shown(widget, window)]
    for widget in (window, *shown):
        for what in _texts_cut(widget):
            yield widget, what
        if widget is not window:
            yield from _outside(widget)
        yield from _overlapping(widget)
    least = QSize() if isinstance(window, QMainWindow) else window.minimumSizeHint()
    if least.width() > window.width() + SLACK or least.height() > window.height() + SLACK:
        yield window, f"needs {_words(least)}, has {_words(window.size())}"


def _is_shown(widget: QWidget, window: QWidget) -> bool:
    return widget.isVisible() and widget.window() is window and widget.width() > 0 and widget.height() > 0


# --- texts -------------------------------------------------------------------------------------------------------


def _texts_cut(widget: QWidget) -> Iterator[str]:
    for kind, check in _CHECKS:
        if isinstance(widget, kind):
            yield from check(widget)
            return
    if isinstance(widget, QMainWindow | QStackedWidget) or isinstance(widget.parentWidget(), QMainWindow):
        return  # they ask for the room of pages that are not shown; those that are, are looked at themselves
    least = widget.minimumSizeHint()
    # A widget that draws by itself says how much it needs.
    is_small = least.width() > widget.width() + SLACK or least.height() > widget.height() + SLACK
    if is_small and not isinstance(widget, QAbstractScrollArea):
        yield f"needs {_words(least)}, has {_words(widget.size())}"


def _elided(label: ElidedLabel) -> Iterator[str]:
    needed, room = label.fontMetrics().horizontalAdvance(label.text()), label.contentsRect().width()
    if needed > room and label.toolTip() != label.text():
        yield f"{short(label.text())}: shortened, without a tooltip"
    if needed > room < style.SPACE_XL * 2:
        yield f"{short(label.text())}: nothing of it can be read in {room}"


def _label(label: QLabel) -> Iterator[str]:
    text = label.text()
    if not text or not label.pixmap().isNull():
        return
    room = label.contentsRect().adjusted(label.margin(), label.margin(), -label.margin(), -label.margin())
    metrics = label.fontMetrics()
    if label.wordWrap():
        needed = label.heightForWidth(label.width())
        if needed > label.height() + SLACK:
            yield f"{short(text)}: needs a height of {needed}, has {label.height()}"
        words = _BREAKS.split(plain(text))
        longest = max((metrics.horizontalAdvance(word) for word in words), default=0)
        if longest > room.width() + SLACK:
            yield f"{short(text)}: a word needs {longest}, has {room.width()}"
    elif label.sizePolicy().horizontalPolicy() is not QSizePolicy.Policy.Ignored:
        needed_size = label.minimumSizeHint()
        if needed_size.width() > label.width() + SLACK:
            yield f"{short(text)}: needs {needed_size.width()}, has {label.width()}"
        if needed_size.height() > label.height() + SLACK:
            yield f"{short(text)}: needs a height of {needed_size.height()}, has {label.height()}"


def _button(button: QAbstractButton) -> Iterator[str]:
    if not button.text() and button.icon().isNull():
        return
    needed = button.sizeHint()
    if button.text() and needed.width() > button.width() + SLACK:
        yield f"{short(button.text())}: needs {needed.width()}, has {button.width()}"
    least = button.fontMetrics().height() if button.text() else button.iconSize().height()
    if least > button.height() + SLACK:
        yield f"{short(button.text())}: needs a height of {least}, has {button.height()}"


def _check_box(box: QCheckBox) -> Iterator[str]:
    option = QStyleOptionButton()
    box.initStyleOption(option)
    room = box.style().subElementRect(QStyle.SubElement.SE_CheckBoxContents, option, box)
    needed = box.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, box.text()).width()
    if box.text() and needed > min(room.width(), box.width() - room.left()) + SLACK:
        yield f"{short(box.text())}: needs {needed}, has {room.width()}"


def _entry(button: EntryButton) -> Iterator[str]:
    entry = button.entry
    if entry is None:
        return
    body, quiet = QFontMetrics(style.tabular_font()), QFontMetrics(style.tabular_font(style.SECONDARY_PX))
    room = button.width() - 2 * style.SPACE_S - style.ICON_ENTRY - style.SPACE_M
    right = quiet.horizontalAdvance(entry.right) + style.SPACE_M if entry.right else 0
    if body.horizontalAdvance(entry.title) > room - right + SLACK and entry.title not in button.toolTip():
        yield f"{entry.title}: needs {body.horizontalAdvance(entry.title)}, has {room - right}"
    if entry.detail and quiet.horizontalAdvance(entry.detail) > room - right + SLACK and not button.toolTip():
        yield f"{entry.detail}: shortened, without a tooltip"


def _tab_bar(bar: QTabBar) -> Iterator[str]:
    for place in range(bar.count()):
        rect, text = bar.tabRect(place), bar.tabText(place)
        if not bar.isTabVisible(place):
            continue
        needed = bar.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, text).width()
        if needed > rect.width() - 2 * style.SPACE_S + SLACK:
            yield f"{text}: needs {needed}, has {rect.width()}"
        if not bar.rect().adjusted(-SLACK, -SLACK, SLACK, SLACK).contains(rect):
            yield f"{text}: the tab is outside of the bar"


def _line_edit(line: QLineEdit) -> Iterator[str]:
    hint, metrics = line.placeholderText(), line.fontMetrics()
    is_inside = isinstance(line.parentWidget(), QAbstractSpinBox | QComboBox)
    needed = metrics.height() if is_inside else line.minimumSizeHint().height()
    if line.height() < needed - SLACK:
        yield f"needs a height of {needed}, has {line.height()}"
    if not hint or line.text():
        return
    icons = sum(1 for action in line.actions() if not action.icon().isNull() and action.isVisible())
    room = line.contentsRect().width() - 2 * style.SPACE_S - icons * (style.ICON + style.SPACE_S)
    if metrics.horizontalAdvance(hint) > room + SLACK:
        yield f"{hint}: needs {metrics.horizontalAdvance(hint)}, has {room}"


def _combo_box(box: QComboBox) -> Iterator[str]:
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    field = QStyle.SubControl.SC_ComboBoxEditField
    room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, box).width()
    text = box.currentText() or box.placeholderText()
    needed = box.fontMetrics().horizontalAdvance(text)
    if needed > room + SLACK and not box.toolTip():
        yield f"{text}: needs {needed}, has {room}"


def _spin_box(box: QAbstractSpinBox) -> Iterator[str]:
    option = QStyleOptionSpinBox()
    box.initStyleOption(option)
    line = box.findChild(QLineEdit)
    assert isinstance(line, QLineEdit)
    needed = box.fontMetrics().horizontalAdvance(box.text())
    margins = line.textMargins()
    room = line.contentsRect().width() - margins.left() - margins.right()
    if needed > room + SLACK:
        yield f"{box.text()}: needs {needed}, has {room}"
    if line.geometry().left() + margins.left() + 2 < style.SPACE_XS:
        yield f"{box.text()}: sticks to the frame"


def _progress(bar: QProgressBar) -> Iterator[str]:
    needed = bar.fontMetrics().horizontalAdvance(bar.text())
    if bar.isTextVisible() and needed > bar.width() + SLACK:
        yield f"{bar.text()}: needs {needed}, has {bar.width()}"


def _group(box: QGroupBox) -> Iterator[str]:
    needed = box.fontMetrics().horizontalAdvance(box.title()) + 2 * style.SPACE_M
    if box.title() and needed > box.width() + SLACK:
        yield f"{box.title()}: needs {needed}, has {box.width()}"


# --- places ------------------------------------------------------------------------------------------------------


def _outside(widget: QWidget) -> Iterator[tuple[QWidget, str]]:
    parent = widget.parentWidget()
    if parent is None or widget.isWindow() or isinstance(widget, _NEITHER) or _scrolls(parent):
        return
    room = parent.rect().adjusted(-SLACK, -SLACK, SLACK, SLACK)
    if not room.contains(widget.geometry()):
        yield widget, f"is at {_words(widget.geometry())}, outside of its parent's {_words(parent.size())}"


def _overlapping(parent: QWidget) -> Iterator[tuple[QWidget, str]]:
    if isinstance(parent, QAbstractScrollArea | QTabBar | QLineEdit | QComboBox | QAbstractSpinBox):
        return
    children = [
        child
        for child in parent.children()
        if isinstance(child, QWidget)
        and child.isVisible()
        and not child.isWindow()
        and not child.property("floats")
        and not isinstance(child, _NEITHER)
    ]
    for first, second in combinations(children, 2):
        shared = first.geometry().intersected(second.geometry())
        if shared.width() > SLACK and shared.height() > SLACK and not isinstance(parent, QTabWidget):
            names = f"{_name(first)} and {_name(second)}"
            yield parent, f"{names} overlap at {_words(shared)}"


def _scrolls(parent: QWidget) -> bool:
    area = parent.parentWidget()
    return isinstance(area, QAbstractScrollArea) and area.viewport() is parent


def _name(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    words = text() if callable(text) else ""
    return f"{type(widget).__name__} {short(words)!r}" if words else type(widget).__name__


def _words(place: QRect | QSize) -> str:
    if isinstance(place, QRect):
        return f"{place.x()},{place.y()} {place.width()}×{place.height()}"
    return f"{place.width()}×{place.height()}"


_CHECKS: Final[tuple[tuple[type[QWidget], Callable[[Any], Iterator[str]]], ...]] = (
    (EntryButton, _entry),
    (QCheckBox, _check_box),
    (QAbstractButton, _button),
    (ElidedLabel, _elided),
    (QLabel, _label),
    (QTabBar, _tab_bar),
    (QLineEdit, _line_edit),
    (QComboBox, _combo_box),
    (QAbstractSpinBox, _spin_box),
    (QProgressBar, _progress),
    (QGroupBox, _group),
    (QHeaderView, header_cut),
    (QTableView, cells_cut),
    (QTreeView, lines_cut),
    (QListView, lines_cut),
)
"""The first kind that a widget is of says how it is looked at."""
