"""Finds what is cut off in tables, trees and lists; see ``fit``."""

import re
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QFontMetrics, QTextDocument
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListView,
    QMainWindow,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
    QWidget,
)

from app.models.rows import PAINT_ROLE
from app.views import style
from app.views.widgets.gauge import Gauge
from app.views.widgets.pill import Pill
from app.views.widgets.row_actions import RowActionsDelegate
from app.views.widgets.table import Table

SLACK: Final = 1
"""Logical pixels by which rounding at fractional scales may be wrong."""
_ROWS: Final = 60
"""So many rows of a table are looked at."""
_TAG: Final = re.compile(r"<[a-zA-Z/]")
_DRAWN_CELLS: Final = (RowActionsDelegate,)


def header_cut(header: QHeaderView) -> Iterator[str]:
    """Report headings without room."""
    if header.orientation() is not Qt.Orientation.Horizontal:
        return
    metrics = QFontMetrics(style.tabular_font(style.SECONDARY_PX))
    for place in range(header.count()):
        title = header.model().headerData(place, Qt.Orientation.Horizontal)
        room = header.sectionSize(place) - 2 * style.SPACE_S
        if title and not header.isSectionHidden(place) and metrics.horizontalAdvance(title) > room + SLACK:
            yield f"heading {title}: needs {metrics.horizontalAdvance(title)}, has {room}"


def cells_cut(table: QTableView) -> Iterator[str]:
    """Report cells whose text is cut off and stands in no tooltip."""
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
        if needed > room and _may_be_short(index) and (text in tooltip or plain(text) in tooltip):
            return
    if isinstance(paint, Pill) and _tip(table, index).startswith(paint.text) and _is_small(table):
        return
    if needed > room + SLACK:
        yield f"cell {short(text)} in column {_title(index)}: needs {needed}, has {room}"


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


def lines_cut(view: QListView | QTreeView) -> Iterator[str]:
    """Report lines of a list or tree that are wider than its view and cannot be read otherwise."""
    model, root = view.model(), view.rootIndex()
    if model is None or view.horizontalScrollBar().isVisible():
        return
    for row in range(min(model.rowCount(root), _ROWS)):
        index = model.index(row, 0, root)
        option = QStyleOptionViewItem()
        view.initViewItemOption(option)
        needed = view.itemDelegateForIndex(index).sizeHint(option, index).width()
        room = view.visualRect(index).width()
        if needed > room + SLACK and room > 0 and not index.data(Qt.ItemDataRole.ToolTipRole):
            yield f"line {short(str(index.data()))}: needs {needed}, has {room}"


def plain(text: str) -> str:
    """Return a text without its markup."""
    if _TAG.search(text) is None:
        return text
    document = QTextDocument()
    document.setHtml(text)
    return document.toPlainText()


def short(text: str) -> str:
    """Return the beginning of a text, for a message."""
    words = " ".join(plain(text).split())
    return words if len(words) <= 60 else f"{words[:57]}…"
