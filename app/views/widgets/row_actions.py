"""What can be done with a row: icons in its last cell, and the same actions in its context menu."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import shiboken6
from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QCursor, QFontMetrics, QHelpEvent, QIcon, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from app.models.rows import ROW_ROLE
from app.views import style
from app.views.console import ThemeSwitch
from app.views.icons import Glyph, icon
from app.views.style import Colors
from app.views.widgets.itemstyle import draw_background, item_style
from app.views.widgets.plain import hide_tip, show_tip
from app.views.widgets.table import Table

Row = TypeVar("Row")

_FEWEST = 3
"""However narrow the table, so many places stay, the last of them for the rest."""


def _always(_row: Any) -> bool:  # noqa: ANN401 - rows of any kind
    return True


@dataclass(frozen=True, kw_only=True)
class RowAction(Generic[Row]):
    """One thing that can be done with a row."""

    glyph: Glyph
    text: str
    run: Callable[[Row], None] | None = None
    """None for an action that is a menu of others."""
    enabled: Callable[[Row], bool] = _always
    choices: tuple["RowAction[Row]", ...] = ()


def fill_menu(menu: QMenu, actions: Sequence[RowAction[Row]], row: Row, colors: Colors) -> None:
    """Put the actions of a row into a menu."""
    for action in actions:
        if action.choices:
            inner = menu.addMenu(icon(action.glyph, colors), action.text)
            inner.setEnabled(action.enabled(row))
            fill_menu(inner, action.choices, row, colors)
            continue
        entry = menu.addAction(icon(action.glyph, colors), action.text)
        entry.setEnabled(action.enabled(row))
        entry.triggered.connect(_runner(action, row))


def _runner(action: RowAction[Row], row: Row) -> Callable[[], None]:
    def run() -> None:
        if action.run is not None:
            action.run(row)

    return run


class RowActionsDelegate(QStyledItemDelegate, Generic[Row]):
    """Draws the actions of a row as icons; what has no room is in a menu behind the last one. Thread: GUI."""

    def __init__(
        self, actions: Sequence[RowAction[Row]], theme: ThemeSwitch, table: Table[Row], column: int
    ) -> None:
        super().__init__(table)
        self._actions = tuple(actions)
        self._table = table
        self._column = column
        self._theme = theme
        self._icons: list[QIcon] = []
        self._more = QIcon()
        self._pressed: tuple[int, int] | None = None
        theme.changed.connect(self._apply_colors)
        self._apply_colors()
        table.viewport().installEventFilter(self)
        table.room_changed.connect(self._fit)
        table.setItemDelegateForColumn(column, self)

    @property
    def full_width(self) -> int:
        """Return how wide the column is when every icon has room."""
        return len(self._actions) * style.ACTION_SIZE + 2 * style.SPACE_XS

    def place_of(self, text: str, cell: QRect) -> QPoint:
        """Return the middle of an action's icon in a cell."""
        place = next(at for at, action in enumerate(self._actions) if action.text == text)
        return self._box(cell, place).center()

    # --- drawing ----------------------------------------------------------------------------------------------

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        draw_background(self, painter, option, index)
        cell = item_style(option)
        row: Row = index.data(ROW_ROLE)
        pointer = self._table.viewport().mapFromGlobal(QCursor.pos())
        hovered = bool(cell.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place in range(self._shown(cell.rect)):
            box = self._box(cell.rect, place)
            action = self._action_at(cell.rect, place)
            usable = action is None or action.enabled(row)
            if hovered and usable and box.contains(pointer):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(self._theme.colors.border))
                painter.drawRoundedRect(box, style.SPACE_XS, style.SPACE_XS)
            picture = self._more if action is None else self._icons[place]
            mode = QIcon.Mode.Normal if usable else QIcon.Mode.Disabled
            inner = QRect(0, 0, style.ICON, style.ICON)
            inner.moveCenter(box.center())
            picture.paint(painter, inner, Qt.AlignmentFlag.AlignCenter, mode)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the room for all icons."""
        return QSize(self.full_width, super().sizeHint(option, index).height())

    def _shown(self, cell: QRect) -> int:
        return max(1, min(len(self._actions), (cell.width() - style.SPACE_XS) // style.ACTION_SIZE))

    def _action_at(self, cell: QRect, place: int) -> RowAction[Row] | None:
        """Return the action of a place; None for the one that opens the menu of all."""
        shown = self._shown(cell)
        return None if shown < len(self._actions) and place == shown - 1 else self._actions[place]

    def _box(self, cell: QRect, place: int) -> QRect:
        left = cell.left() + style.SPACE_XS + place * style.ACTION_SIZE
        top = cell.center().y() - style.ACTION_SIZE // 2
        return QRect(left, top, style.ACTION_SIZE, style.ACTION_SIZE)

    def _place_at(self, cell: QRect, position: QPoint) -> int | None:
        return next((at for at in range(self._shown(cell)) if self._box(cell, at).contains(position)), None)

    # --- pointer ----------------------------------------------------------------------------------------------

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Run the action whose icon is clicked."""
        del model
        if not isinstance(event, QMouseEvent) or event.button() != Qt.MouseButton.LeftButton:
            return False
        place = self._place_at(item_style(option).rect, event.position().toPoint())
        if place is None:
            return False
        if event.type() == QEvent.Type.MouseButtonPress:
            self._pressed = (index.row(), place)
        elif event.type() == QEvent.Type.MouseButtonRelease and self._pressed == (index.row(), place):
            self._pressed = None
            self._run(item_style(option).rect, place, index.data(ROW_ROLE))
        return False

    def _run(self, cell: QRect, place: int, row: Row) -> None:
        action = self._action_at(cell, place)
        if action is None or (action.choices and action.enabled(row)):
            menu = QMenu(self._table)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            fill_menu(menu, self._actions if action is None else action.choices, row, self._theme.colors)
            menu.popup(self._table.viewport().mapToGlobal(self._box(cell, place).bottomLeft()))
        elif action.run is not None and action.enabled(row):
            action.run(row)

    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Show what the icon under the pointer does."""
        del index
        place = self._place_at(item_style(option).rect, event.pos())
        if place is None:
            hide_tip()
            return False
        action = self._action_at(item_style(option).rect, place)
        text = self.tr("More…") if action is None else action.text
        show_tip(event.globalPos(), text, view)
        return True

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Redraw while the pointer moves over the icons."""
        if not shiboken6.isValid(self._table):
            # The table is being destroyed; its viewport still hears events then.
            return False
        if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            index = self._table.indexAt(event.position().toPoint())
            if index.isValid() and index.column() == self._column:
                self._table.update(index)
        return False

    def _fit(self) -> None:
        columns = self._table.rows.columns
        shown = [place for place in range(len(columns)) if not self._table.isColumnHidden(place)]
        others = sum(
            columns[place].width if columns[place].stretch else self._table.columnWidth(place)
            for place in shown
            if place != self._column
        )
        metrics = QFontMetrics(style.tabular_font(style.SECONDARY_PX))
        heading = metrics.horizontalAdvance(columns[self._column].title) + 2 * style.SPACE_S
        least = max(heading, _FEWEST * style.ACTION_SIZE + 2 * style.SPACE_XS)
        room = self._table.viewport().width() - others
        self._table.setColumnWidth(self._column, max(least, min(self.full_width, room)))

    def _apply_colors(self) -> None:
        colors = self._theme.colors
        self._icons = [icon(action.glyph, colors) for action in self._actions]
        self._more = icon(Glyph.MORE, colors)
