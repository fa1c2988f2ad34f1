"""Columns that are shown only while a table has room for them beside the others."""

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtWidgets import QTableView

from app.models.rows import ACTIONS_KEY, Column
from app.views.frame.memory import Memory

_SHOWN: Final = "shown"
_HIDDEN: Final = "hidden"


class RoomyColumns:
    """Shows and hides the roomy columns of a table; what the operator chose by hand stays. Thread: GUI."""

    def __init__(self, table: QTableView, columns: Sequence[Column[Any]], memory: Memory) -> None:
        self._table = table
        self._columns = columns
        self._memory = memory
        self._places = [place for place, column in enumerate(columns) if column.roomy]

    def choose(self, place: int, *, shown: bool) -> None:
        """Remember that the operator showed or hid a column; only of roomy ones that matters here."""
        if place in self._places:
            self._memory.remember(self._key(place), _SHOWN if shown else _HIDDEN)

    def fit(self) -> None:
        """Show those for which there is room, or which the operator wants; the first come first."""
        room = self._table.viewport().width() - self._others()
        for place in self._places:
            room -= self._columns[place].width
            chosen = self._memory.text(self._key(place))
            is_shown = chosen == _SHOWN or (chosen != _HIDDEN and room >= 0)
            self._table.setColumnHidden(place, not is_shown)

    def _others(self) -> int:
        """Return the width that all other columns need, with every icon of the rows' actions."""
        return sum(
            column.width if column.stretch or column.key == ACTIONS_KEY else self._table.columnWidth(place)
            for place, column in enumerate(self._columns)
            if place not in self._places and not self._table.isColumnHidden(place)
        )

    def _key(self, place: int) -> str:
        return f"roomy/{self._table.objectName()}/{self._columns[place].key}"
