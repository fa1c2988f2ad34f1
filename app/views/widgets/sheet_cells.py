"""Rows of a list as cells of a spreadsheet.

Sizes are whole bytes, speeds bytes per second, durations seconds, each with its unit in the column's title;
moments keep their whole precision where the list shows "3 min ago". Everything else is written as it is shown, in
the reader's language. GUI thread: texts are translated.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from app.core.sheets import Cell
from app.models.rows import ACTIONS_KEY, Column
from app.views.formatting import NOTHING

Row = TypeVar("Row")


def has_data(column: Column[Row]) -> bool:
    """Return whether a column belongs into an export."""
    return column.key != ACTIONS_KEY and bool(column.title)


def sheet_title(column: Column[Row]) -> str:
    """Return a column's title with the unit of its numbers."""
    return f"{column.title} ({column.unit})" if column.unit else column.title


def sheet_cell(column: Column[Row], row: Row) -> Cell:
    """Return what stands for a row in a column."""
    if column.value is not None:
        return column.value(row)
    if column.sort is not None:
        value = column.sort(row)
        if isinstance(value, datetime) or (_is_number(value) and column.numeric):
            # Thousandths of a byte are noise.
            cell: Cell = round(value) if column.unit == "B/s" and isinstance(value, float) else value
            return cell
        if value is None and (column.numeric or column.unit):
            return None
    text = column.text(row)
    return None if text == NOTHING else text


def sheet_row(columns: Sequence[Column[Row]], row: Row) -> tuple[Cell, ...]:
    """Return what stands for a row in each column."""
    return tuple(sheet_cell(column, row) for column in columns)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | timedelta) and not isinstance(value, bool)
