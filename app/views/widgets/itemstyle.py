"""What a delegate knows of the cell that it draws, with the types that the binding leaves out.

The stubs of PySide6 6.9 name the attributes of ``QStyleOption`` and ``QStyleOptionViewItem`` nowhere.
"""

from typing import Protocol, cast

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QFontMetrics, QIcon, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget


class ItemStyle(Protocol):
    """The attributes of a ``QStyleOptionViewItem`` that our delegates use."""

    rect: QRect
    state: QStyle.StateFlag
    text: str
    widget: QWidget
    icon: QIcon
    decorationSize: QSize
    features: QStyleOptionViewItem.ViewItemFeature
    fontMetrics: QFontMetrics


def item_style(option: QStyleOptionViewItem) -> ItemStyle:
    """Return an option as what it is; changes reach the option itself."""
    return cast(ItemStyle, option)


def draw_background(
    delegate: QStyledItemDelegate,
    painter: QPainter,
    option: QStyleOptionViewItem,
    index: QModelIndex | QPersistentModelIndex,
) -> None:
    """Draw a cell as the style does, without its text: hover, selection and focus."""
    blank = QStyleOptionViewItem(option)
    delegate.initStyleOption(blank, index)
    cell = item_style(blank)
    cell.text = ""
    cell.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, blank, painter, cell.widget)
