"""A table model over frozen rows: columns are values, rows are replaced or patched by key."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.core.sheets import Cell
from app.domain.display import visible
from app.models.tips import tip_text

Row = TypeVar("Row")

ACTIONS_KEY: Final = "actions"
"""Key of the column with the icons of the row's actions, which holds no data."""
ROW_ROLE: Final = Qt.ItemDataRole.UserRole + 1
"""The whole frozen row."""
SORT_ROLE: Final = Qt.ItemDataRole.UserRole + 2
"""A value that sorts as the column should."""
PAINT_ROLE: Final = Qt.ItemDataRole.UserRole + 3
"""What a delegate draws instead of text: a pill, a bar, a size."""

Index = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()


def _nothing(_row: Any) -> None:  # noqa: ANN401 - rows of any kind
    return None


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column: how a row looks in it and how it sorts."""

    key: str
    """Stable name, for the remembered layout and the export."""
    title: str
    text: Callable[[Row], str]
    sort: Callable[[Row], Any] | None = None
    """None sorts by the text."""
    tooltip: Callable[[Row], str | None] = _nothing
    paint: Callable[[Row], object] = _nothing
    width: int = 120
    numeric: bool = False
    stretch: bool = False
    hidden: bool = False
    """Whether it starts hidden."""
    roomy: bool = False
    """Whether it is shown only while the table has room for all others, unless the operator chose otherwise."""
    unit: str = ""
    """What the numbers of ``sort`` count, for the title in an export: B, B/s, s."""
    value: Callable[[Row], Cell] | None = None
    """What an export writes; None takes ``sort`` where that is a number or a moment, else the text."""


class RowModel(QAbstractTableModel, Generic[Row]):
    """Rows in columns, with a check box in front when ``checkable``.

    Attributes:
        columns: The columns, in their first order.

    Signals:
        checked_changed: the set of checked rows is another.
    """

    checked_changed = Signal()

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], Hashable],
        *,
        checkable: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._key = key
        self._checkable = checkable
        self._rows: list[Row] = []
        self._place: dict[Hashable, int] = {}
        self._checked: set[Hashable] = set()

    # --- rows -------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """All rows, in model order."""
        return tuple(self._rows)

    def find(self, key: Hashable) -> QModelIndex:
        """Return the index of a row's first column, invalid when it is not there."""
        place = self._place.get(key)
        return QModelIndex() if place is None else self.index(place, 0)

    def get(self, key: Hashable) -> Row | None:
        """Return a row by its key, None when it is not there."""
        place = self._place.get(key)
        return None if place is None else self._rows[place]

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Show other rows. Where the keys are the same, in the same order, only changed cells are announced."""
        fresh = list(rows)
        keys = [self._key(row) for row in fresh]
        if keys == list(self._place):
            for place, row in enumerate(fresh):
                self._replace(place, row)
            return
        self.beginResetModel()
        self._rows = fresh
        self._place = {key: place for place, key in enumerate(keys)}
        gone = self._checked - self._place.keys()
        self._checked -= gone
        self.endResetModel()
        if gone:
            self.checked_changed.emit()

    def patch(self, row: Row) -> None:
        """Replace one row by its key, or append it."""
        key = self._key(row)
        place = self._place.get(key)
        if place is not None:
            self._replace(place, row)
            return
        end = len(self._rows)
        self.beginInsertRows(_ROOT, end, end)
        self._rows.append(row)
        self._place[key] = end
        self.endInsertRows()

    def remove(self, key: Hashable) -> None:
        """Take one row out; nothing happens when it is not there."""
        place = self._place.get(key)
        if place is None:
            return
        self.beginRemoveRows(_ROOT, place, place)
        del self._rows[place]
        self._place = {self._key(row): index for index, row in enumerate(self._rows)}
        was_checked = key in self._checked
        self._checked.discard(key)
        self.endRemoveRows()
        if was_checked:
            self.checked_changed.emit()

    def _replace(self, place: int, row: Row) -> None:
        if self._rows[place] != row:
            self._rows[place] = row
            self.dataChanged.emit(self.index(place, 0), self.index(place, len(self.columns) - 1))

    # --- checks -----------------------------------------------------------------------------------------------

    @property
    def checked_rows(self) -> Sequence[Row]:
        """The rows whose box is checked, in model order."""
        return tuple(row for row in self._rows if self._key(row) in self._checked)

    def tip(self, index: Index) -> str | None:
        """Return what a cell's own tooltip says, None when it has none."""
        return self.columns[index.column()].tooltip(self._rows[index.row()])

    # --- QAbstractTableModel ----------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's type
        """Return what one cell shows in one role."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(column.text(row))
        if role == SORT_ROLE:
            return (column.sort or column.text)(row)
        if role == PAINT_ROLE:
            return column.paint(row)
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            tip = self.tip(index)
            return None if tip is None else tip_text(tip)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.CheckStateRole and self._checkable and index.column() == 0:
            checked = self._key(row) in self._checked
            return (Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked).value
        return None

    def setData(
        self,
        index: Index,
        value: Any,  # noqa: ANN401 - Qt's type
        role: int = Qt.ItemDataRole.EditRole,
    ) -> bool:
        """Check or uncheck a row; nothing else can be edited in place."""
        if role != Qt.ItemDataRole.CheckStateRole or not self._checkable or index.column() != 0:
            return False
        key = self._key(self._rows[index.row()])
        if Qt.CheckState(value) is Qt.CheckState.Checked:
            self._checked.add(key)
        else:
            self._checked.discard(key)
        self.dataChanged.emit(index, index, [Qt.ItemDataRole.CheckStateRole])
        self.checked_changed.emit()
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return that rows can be selected, and checked where there are boxes."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if self._checkable and index.column() == 0:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401 - Qt's type
        """Return a column's title."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None
