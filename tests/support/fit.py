"""Finds texts that are cut off, widgets outside of their parents and siblings that overlap, in a window on show.

What may be shortened is shortened by the design: a long name in a table's column, with the whole text in its
tooltip. Dates and figures never are, and states only in a window below the design's size.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QTextDocument
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
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
    QStyleOptionViewItem,
    QTabBar,
    QTableView,
    QTabWidget,
    QTreeView,
    QWidget,
)

from app.models.rows import PAINT_ROLE
from app.views import style
from app.views.entries import EntryButton
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.gauge import Gauge
from app.views.widgets.pill import Pill
from app.views.widgets.row_actions import RowActionsDelegate
from app.views.widgets.table import Table

_SLACK: Final = 1
"""Logical pixels by which rounding at fractional scales may be wrong."""
_ROWS: Final = 60
"""So many rows of a table are looked at."""
_TAG: Final = re.compile(r"<[a-zA-Z/]")
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
    shown = [one for one in window.findChildren(QWidget) if _is_shown(one, window)]
    for widget in (window, *shown):
        for what in _texts_cut(widget):
            yield widget, what
        if widget is not window:
            yield from _outside(widget)
        yield from _overlapping(widget)
    least = QSize() if isinstance(window, QMainWindow) else window.minimumSizeHint()
    if least.width() > window.width() + _SLACK or least.height() > window.height() + _SLACK:
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
    is_small = least.width() > widget.width() + _SLACK or least.height() > widget.height() + _SLACK
    if is_small and not isinstance(widget, QAbstractScrollArea):
        yield f"needs {_words(least)}, has {_words(widget.size())}"


def _elided(label: ElidedLabel) -> Iterator[str]:
    needed, room = label.fontMetrics().horizontalAdvance(label.text()), label.contentsRect().width()
    if needed > room and label.toolTip() != label.text():
        yield f"{_short(label.text())}: shortened, without a tooltip"
    if needed > room < style.SPACE_XL * 2:
        yield f"{_short(label.text())}: nothing of it can be read in {room}"


def _label(label: QLabel) -> Iterator[str]:
    text = label.text()
    if not text or not label.pixmap().isNull():
        return
    room = label.contentsRect().adjusted(label.margin(), label.margin(), -label.margin(), -label.margin())
    metrics = label.fontMetrics()
    if label.wordWrap():
        needed = label.heightForWidth(label.width())
        if needed > label.height() + _SLACK:
            yield f"{_short(text)}: needs a height of {needed}, has {label.height()}"
        plain = _plain(text)
        longest = max((metrics.horizontalAdvance(word) for word in _BREAKS.split(plain)), default=0)
        if longest > room.width() + _SLACK:
            yield f"{_short(text)}: a word needs {longest}, has {room.width()}"
    elif label.sizePolicy().horizontalPolicy() is not QSizePolicy.Policy.Ignored:
        needed_size = label.minimumSizeHint()
        if needed_size.width() > label.width() + _SLACK:
            yield f"{_short(text)}: needs {needed_size.width()}, has {label.width()}"
        if needed_size.height() > label.height() + _SLACK:
            yield f"{_short(text)}: needs a height of {needed_size.height()}, has {label.height()}"


def _button(button: QAbstractButton) -> Iterator[str]:
    if not button.text() and button.icon().isNull():
        return
    needed = button.sizeHint()
    if button.text() and needed.width() > button.width() + _SLACK:
        yield f"{_short(button.text())}: needs {needed.width()}, has {button.width()}"
    least = button.fontMetrics().height() if button.text() else button.iconSize().height()
    if least > button.height() + _SLACK:
        yield f"{_short(button.text())}: needs a height of {least}, has {button.height()}"


def _check_box(box: QCheckBox) -> Iterator[str]:
    option = QStyleOptionButton()
    box.initStyleOption(option)
    room = box.style().subElementRect(QStyle.SubElement.SE_CheckBoxContents, option, box)
    needed = box.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, box.text()).width()
    if box.text() and needed > min(room.width(), box.width() - room.left()) + _SLACK:
        yield f"{_short(box.text())}: needs {needed}, has {room.width()}"


def _entry(button: EntryButton) -> Iterator[str]:
    entry = button.entry
    if entry is None:
        return
    body, quiet = QFontMetrics(style.tabular_font()), QFontMetrics(style.tabular_font(style.SECONDARY_PX))
    room = button.width() - 2 * style.SPACE_S - style.ICON_ENTRY - style.SPACE_M
    right = quiet.horizontalAdvance(entry.right) + style.SPACE_M if entry.right else 0
    if body.horizontalAdvance(entry.title) > room - right + _SLACK and entry.title not in button.toolTip():
        yield f"{entry.title}: needs {body.horizontalAdvance(entry.title)}, has {room - right}"
    if entry.detail and quiet.horizontalAdvance(entry.detail) > room - right + _SLACK and not button.toolTip():
        yield f"{entry.detail}: shortened, without a tooltip"


def _tab_bar(bar: QTabBar) -> Iterator[str]:
    for place in range(bar.count()):
        rect, text = bar.tabRect(place), bar.tabText(place)
        if not bar.isTabVisible(place):
            continue
        needed = bar.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, text).width()
        if needed > rect.width() - 2 * style.SPACE_S + _SLACK:
            yield f"{text}: needs {needed}, has {rect.width()}"
        if not bar.rect().adjusted(-_SLACK, -_SLACK, _SLACK, _SLACK).contains(rect):
            yield f"{text}: the tab is outside of the bar"


def _line_edit(line: QLineEdit) -> Iterator[str]:
    hint, metrics = line.placeholderText(), line.fontMetrics()
    is_inside = isinstance(line.parentWidget(), QAbstractSpinBox | QComboBox)
    needed = metrics.height() if is_inside else line.minimumSizeHint().height()
    if line.height() < needed - _SLACK:
        yield f"needs a height of {needed}, has {line.height()}"
    if not hint or line.text():
        return
    icons = sum(1 for action in line.actions() if not action.icon().isNull() and action.isVisible())
    room = line.contentsRect().width() - 2 * style.SPACE_S - icons * (style.ICON + style.SPACE_S)
    if metrics.horizontalAdvance(hint) > room + _SLACK:
        yield f"{hint}: needs {metrics.horizontalAdvance(hint)}, has {room}"


def _combo_box(box: QComboBox) -> Iterator[str]:
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    field = QStyle.SubControl.SC_ComboBoxEditField
    room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, box).width()
    text = box.currentText() or box.placeholderText()
    needed = box.fontMetrics().horizontalAdvance(text)
    if needed > room + _SLACK and not box.toolTip():
        yield f"{text}: needs {needed}, has {room}"


def _spin_box(box: QAbstractSpinBox) -> Iterator[str]:
    option = QStyleOptionSpinBox()
    box.initStyleOption(option)
    line = box.findChild(QLineEdit)
    assert isinstance(line, QLineEdit)
    needed = box.fontMetrics().horizontalAdvance(box.text())
    margins = line.textMargins()
    room = line.contentsRect().width() - margins.left() - margins.right()
    if needed > room + _SLACK:
        yield f"{box.text()}: needs {needed}, has {room}"
    if line.geometry().left() + margins.left() + 2 < style.SPACE_XS:
        yield f"{box.text()}: sticks to the frame"


def _progress(bar: QProgressBar) -> Iterator[str]:
    needed = bar.fontMetrics().horizontalAdvance(bar.text())
    if bar.isTextVisible() and needed > bar.width() + _SLACK:
        yield f"{bar.text()}: needs {needed}, has {bar.width()}"


def _group(box: QGroupBox) -> Iterator[str]:
    needed = box.fontMetrics().horizontalAdvance(box.title()) + 2 * style.SPACE_M
    if box.title() and needed > box.width() + _SLACK:
        yield f"{box.title()}: needs {needed}, has {box.width()}"


# --- tables, trees and lists -------------------------------------------------------------------------------------


def _header(header: QHeaderView) -> Iterator[str]:
    if header.orientation() is not Qt.Orientation.Horizontal:
        return
    metrics = QFontMetrics(style.tabular_font(style.SECONDARY_PX))
    for place in range(header.count()):
        title = header.model().headerData(place, Qt.Orientation.Horizontal)
        room = header.sectionSize(place) - 2 * style.SPACE_S
        if title and not header.isSectionHidden(place) and metrics.horizontalAdvance(title) > room + _SLACK:
            yield f"heading {title}: needs {metrics.horizontalAdvance(title)}, has {room}"


def _table(table: QTableView) -> Iterator[str]:
    model = table.model()
    yield from _corner(table)
    for column in range(model.columnCount()):
        if table.isColumnHidden(column):
            continue
        for row in range(min(model.rowCount(), _ROWS)):
            yield from _cell(table, model.index(row, column))


def _cell(table: QTableView, index: QModelIndex) -> Iterator[str]:
    text, paint = str(index.data() or ""), index.data(PAINT_ROLE)
    body, quiet = QFontMetrics(style.tabular_font()), QFontMetrics(style.tabular_font(style.SECONDARY_PX))
    width = table.columnWidth(index.column())
    if isinstance(paint, Pill):
        box = min(style.PILL_WIDTH, width - 2 * style.SPACE_S)
        around = 0 if paint.fraction is not None else style.SPACE_L + 4 + style.SPACE_S
        needed, room = quiet.horizontalAdvance(paint.text), box - around
    elif isinstance(paint, Gauge):
        needed, room = quiet.horizontalAdvance(paint.text), width - style.SPACE_S - style.SPACE_L
    elif not text or isinstance(table.itemDelegateForIndex(index), _DRAWN_CELLS):
        return
    else:
        check = index.data(Qt.ItemDataRole.CheckStateRole) is not None
        box_width = style.ICON + style.SPACE_S + 2 if check else 0
        needed, room = body.horizontalAdvance(text), width - 2 * style.SPACE_S - box_width
        tooltip = _tip(table, index)
        if needed > room and _may_be_short(index) and (text in tooltip or _plain(text) in tooltip):
            return
    if isinstance(paint, Pill) and _tip(table, index).startswith(paint.text) and _is_small(table):
        return
    if needed > room + _SLACK:
        yield f"cell {_short(text)} in column {_title(index)}: needs {needed}, has {room}"


def _tip(table: QTableView, index: QModelIndex) -> str:
    return table.tip(index) if isinstance(table, Table) else str(index.data(Qt.ItemDataRole.ToolTipRole) or "")


def _is_small(widget: QWidget) -> bool:
    """Below the design's size a state may be shortened, where its tooltip has it whole."""
    return widget.window().width() < style.WINDOW_WIDTH


def _title(index: QModelIndex) -> str:
    return str(index.model().headerData(index.column(), Qt.Orientation.Horizontal))


def _may_be_short(index: QModelIndex) -> bool:
    """Names may be shortened where a tooltip has them; figures and dates not."""
    alignment = int(index.data(Qt.ItemDataRole.TextAlignmentRole) or 0)
    is_figure = bool(alignment & int(Qt.AlignmentFlag.AlignRight.value))
    return not is_figure and re.fullmatch(r"[\d:\- ]+", str(index.data())) is None


def _corner(view: QAbstractItemView) -> Iterator[str]:
    sideways = view.horizontalScrollBar()
    has_room = view.width() >= style.WINDOW_WIDTH - style.NAVIGATION_WIDTH
    if sideways.isVisible() and has_room and isinstance(view.window(), QMainWindow):
        yield f"scrolls sideways by {sideways.maximum()} in a window of the design's size"


def _lines(view: QListView | QTreeView) -> Iterator[str]:
    """Tell of lines of a list or tree that are wider than its view and cannot be read otherwise."""
    model, root = view.model(), view.rootIndex()
    if model is None or view.horizontalScrollBar().isVisible():
        return
    for row in range(min(model.rowCount(root), _ROWS)):
        index = model.index(row, 0, root)
        option = QStyleOptionViewItem()
        view.initViewItemOption(option)
        needed = view.itemDelegateForIndex(index).sizeHint(option, index).width()
        room = view.visualRect(index).width()
        if needed > room + _SLACK and room > 0 and not index.data(Qt.ItemDataRole.ToolTipRole):
            yield f"line {_short(str(index.data()))}: needs {needed}, has {room}"


# --- places ------------------------------------------------------------------------------------------------------


def _outside(widget: QWidget) -> Iterator[tuple[QWidget, str]]:
    parent = widget.parentWidget()
    if parent is None or widget.isWindow() or isinstance(widget, _NEITHER) or _scrolls(parent):
        return
    room = parent.rect().adjusted(-_SLACK, -_SLACK, _SLACK, _SLACK)
    if not room.contains(widget.geometry()):
        yield widget, f"is at {_words(widget.geometry())}, outside of its parent's {_words(parent.size())}"


def _overlapping(parent: QWidget) -> Iterator[tuple[QWidget, str]]:
    if isinstance(parent, QAbstractScrollArea | QTabBar | QLineEdit | QComboBox | QAbstractSpinBox):
        return
    children = [
        one
        for one in parent.children()
        if isinstance(one, QWidget)
        and one.isVisible()
        and not one.isWindow()
        and not one.property("floats")
        and not isinstance(one, _NEITHER)
    ]
    for first, second in combinations(children, 2):
        shared = first.geometry().intersected(second.geometry())
        if shared.width() > _SLACK and shared.height() > _SLACK and not isinstance(parent, QTabWidget):
            names = f"{_name(first)} and {_name(second)}"
            yield parent, f"{names} overlap at {_words(shared)}"


def _scrolls(parent: QWidget) -> bool:
    area = parent.parentWidget()
    return isinstance(area, QAbstractScrollArea) and area.viewport() is parent


def _name(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    words = text() if callable(text) else ""
    return f"{type(widget).__name__} {_short(words)!r}" if words else type(widget).__name__


def _plain(text: str) -> str:
    if _TAG.search(text) is None:
        return text
    document = QTextDocument()
    document.setHtml(text)
    return document.toPlainText()


def _short(text: str) -> str:
    plain = " ".join(_plain(text).split())
    return plain if len(plain) <= 60 else f"{plain[:57]}…"


def _words(place: QRect | QSize) -> str:
    if isinstance(place, QRect):
        return f"{place.x()},{place.y()} {place.width()}×{place.height()}"
    return f"{place.width()}×{place.height()}"


_DRAWN_CELLS: Final = (RowActionsDelegate,)
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
    (QHeaderView, _header),
    (QTableView, _table),
    (QTreeView, _lines),
    (QListView, _lines),
)
"""The first kind that a widget is of says how it is looked at."""
