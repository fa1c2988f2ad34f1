"""The table of every list: check boxes, sorting, filter, hideable columns that are remembered, keys."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTableView, QWidget

from app.models.rows import ROW_ROLE, SORT_ROLE, Column, RowModel
from app.views import style
from app.views.frame.memory import Memory
from app.views.widgets.pause import Pause
from app.views.widgets.plain import show_tip
from app.views.widgets.roomy import RoomyColumns
from app.views.widgets.sheet_cells import has_data

Row = TypeVar("Row")


class _Proxy(QSortFilterProxyModel):
    """Sorts by the sort role and keeps rows in which any visible text contains the filter."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()
        self.setSortRole(SORT_ROLE)

    def set_filter(self, text: str) -> None:
        """Keep the rows in which every word of ``text`` appears."""
        self.beginFilterChange()
        self._words = tuple(text.casefold().split())
        self.invalidateRowsFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        """Return whether a row passes the filter."""
        if not self._words:
            return True
        model = self.sourceModel()
        texts = (
            model.data(model.index(source_row, column, source_parent)) for column in range(model.columnCount())
        )
        joined = " ".join(str(text) for text in texts if text).casefold()
        return all(word in joined for word in self._words)

    def lessThan(
        self,
        source_left: QModelIndex | QPersistentModelIndex,
        source_right: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Compare two cells; what has no value comes first."""
        left: Any = source_left.data(SORT_ROLE)
        right: Any = source_right.data(SORT_ROLE)
        if left is None or right is None:
            return left is None and right is not None
        return bool(left < right)


class Table(QTableView, Generic[Row]):
    """A list of rows.

    Attributes:
        rows: The model underneath.

    Signals:
        row_activated: Enter or a double click on a row; carries the row.
        current_changed: Another row is selected; carries it, or None.
        menu_wanted: The context menu of a row was asked for, by mouse or keyboard; carries the row and the global
            position.
        delete_wanted: The Delete key.
        room_changed: The table is wider or narrower; before the stretching column takes what is left.
    """

    row_activated = Signal(object)
    current_changed = Signal(object)
    menu_wanted = Signal(object, QPoint)
    delete_wanted = Signal()
    room_changed = Signal()

    def __init__(self, name: str, model: RowModel[Row], memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"table-{name}")
        self.rows = model
        self._name = name
        self._memory = memory
        model.setParent(self)
        self._proxy = _Proxy(self)
        self._proxy.setSourceModel(model)
        self.setModel(self._proxy)
        self._roomy = RoomyColumns(self, model.columns, memory)
        self._build_behaviour()
        self._build_header()

    def _build_behaviour(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(style.ROW_HEIGHT)
        self.activated.connect(self._on_activated)
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self._proxy.modelReset.connect(self._on_reset)

    def _build_header(self) -> None:
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setStretchLastSection(False)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_menu)
        for place, column in enumerate(self.rows.columns):
            self.setColumnWidth(place, column.width)
            self.setColumnHidden(place, column.hidden)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self._memory.restore_header(self._name, header)
        save = Pause(500, self)
        save.timeout.connect(self._on_layout_settled)
        header.sectionResized.connect(save.restart)
        header.sectionMoved.connect(save.restart)
        header.sortIndicatorChanged.connect(save.restart)

    # --- rows -------------------------------------------------------------------------------------------------

    def current_row(self) -> Row | None:
        """Return the row the keyboard is on, or None."""
        index = self.currentIndex()
        row: Row | None = index.data(ROW_ROLE) if index.isValid() else None
        return row

    def selected_rows(self) -> Sequence[Row]:
        """Return the selected rows, top to bottom."""
        indexes = sorted(self.selectionModel().selectedRows(), key=lambda index: index.row())
        return tuple(index.data(ROW_ROLE) for index in indexes)

    def shown_rows(self) -> Sequence[Row]:
        """Return the rows that pass the filter, as sorted."""
        return tuple(self._proxy.index(place, 0).data(ROW_ROLE) for place in range(self._proxy.rowCount()))

    def select(self, key: object) -> bool:
        """Put the keyboard on the row with this key; return False when it is not shown."""
        index = self._proxy.mapFromSource(self.rows.find(key))
        if not index.isValid():
            return False
        self.setCurrentIndex(index)
        self.scrollTo(index)
        return True

    def set_filter(self, text: str) -> None:
        """Show only the rows in which every word appears."""
        self._proxy.set_filter(text)

    def passes(self, row: Row, text: str) -> bool:
        """Return whether every word of a filter's text appears in a row, as :meth:`set_filter` would."""
        joined = " ".join(filter(None, (column.text(row) for column in self.rows.columns))).casefold()
        return all(word in joined for word in text.casefold().split())

    def shown_columns(self) -> tuple[Column[Row], ...]:
        """Return the columns with data that are shown, left to right."""
        header = self.horizontalHeader()
        places = sorted(range(len(self.rows.columns)), key=header.visualIndex)
        columns = [self.rows.columns[place] for place in places if not self.isColumnHidden(place)]
        return tuple(column for column in columns if has_data(column))

    # --- texts that have no room ------------------------------------------------------------------------------

    def tip(self, index: QModelIndex | QPersistentModelIndex) -> str:
        """Return what a cell's tooltip says: its own, or the whole text where the column is too narrow for it."""
        own = self.rows.tip(self._proxy.mapToSource(index))
        if own is not None:
            return own
        is_shortened = self.sizeHintForIndex(index).width() > self.columnWidth(index.column())
        return str(index.data() or "") if is_shortened else ""

    def viewportEvent(self, event: QEvent) -> bool:
        """Let a shortened text be read in a tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self.indexAt(event.pos())
            if index.isValid() and self.tip(index):
                show_tip(event.globalPos(), self.tip(index), self, self.visualRect(index))
                return True
        return super().viewportEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select the row that Qt puts the keyboard on, so that it is seen which one is meant."""
        super().focusInEvent(event)
        if self.currentIndex().isValid() and not self.selectionModel().hasSelection():
            self.selectRow(self.currentIndex().row())

    # --- keys and menus ---------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Delete ask, and Space check the row wherever in it the keyboard is."""
        index = self.currentIndex()
        if event.matches(QKeySequence.StandardKey.Delete):
            self.delete_wanted.emit()
        elif event.key() == Qt.Key.Key_Space and not event.modifiers() and index.isValid():
            self._toggle(index.siblingAtColumn(0))
        elif event.key() == Qt.Key.Key_F10 and event.modifiers() == Qt.KeyboardModifier.ShiftModifier:
            self._ask_for_menu(index)  # Qt makes a menu event of this key on Windows only
        else:
            super().keyPressEvent(event)

    def _toggle(self, first: QModelIndex) -> None:
        state = first.data(Qt.ItemDataRole.CheckStateRole)
        if state is not None:
            other = (
                Qt.CheckState.Unchecked if Qt.CheckState(state) is Qt.CheckState.Checked else Qt.CheckState.Checked
            )
            self.model().setData(first, other.value, Qt.ItemDataRole.CheckStateRole)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the row under the pointer; by keyboard, of the row the keyboard is on."""
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            self._ask_for_menu(self.currentIndex())
            return
        index = self.indexAt(self.viewport().mapFromGlobal(event.globalPos()))
        if index.isValid():
            self.setCurrentIndex(index)
            self.menu_wanted.emit(index.data(ROW_ROLE), event.globalPos())

    def _ask_for_menu(self, index: QModelIndex) -> None:
        if index.isValid():
            self.scrollTo(index)
            place = self.visualRect(index).bottomLeft()
            self.menu_wanted.emit(index.data(ROW_ROLE), self.viewport().mapToGlobal(place))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the stretching column the room that the others leave, but never less than its own width."""
        super().resizeEvent(event)
        self._roomy.fit()
        self.room_changed.emit()
        shown = [place for place in range(len(self.rows.columns)) if not self.isColumnHidden(place)]
        stretching = next((place for place in shown if self.rows.columns[place].stretch), None)
        if stretching is not None:
            others = sum(self.columnWidth(place) for place in shown if place != stretching)
            left = self.viewport().width() - others
            self.setColumnWidth(stretching, max(self.rows.columns[stretching].width, left))

    # --- slots ------------------------------------------------------------------------------------------------

    def _on_activated(self, index: QModelIndex) -> None:
        self.row_activated.emit(index.data(ROW_ROLE))

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self.current_changed.emit(current.data(ROW_ROLE) if current.isValid() else None)

    def _on_reset(self) -> None:
        self.current_changed.emit(None)

    def _on_header_menu(self, position: QPoint) -> None:
        self.column_menu().popup(self.horizontalHeader().mapToGlobal(position))

    def column_menu(self) -> QMenu:
        """Return a menu that shows and hides columns; the first always stays."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for place, column in enumerate(self.rows.columns):
            if not column.title:
                continue
            action = QAction(column.title, menu)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(place))
            action.setEnabled(place > 0)
            action.setData(place)
            action.toggled.connect(self._on_column_toggled)
            menu.addAction(action)
        return menu

    def _on_column_toggled(self, shown: bool) -> None:  # noqa: FBT001 - Qt's signal
        action = self.sender()
        if isinstance(action, QAction):
            self.setColumnHidden(int(action.data()), not shown)
            self._roomy.choose(int(action.data()), shown=shown)
            self._on_layout_settled()

    def _on_layout_settled(self) -> None:
        self._memory.save_header(self._name, self.horizontalHeader())
