"""The columns that most lists have: counts, sizes, moments, states. GUI thread."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from app.models import format as fmt
from app.models.rows import Column
from app.views import style
from app.views.widgets.pill import Pill

Row = TypeVar("Row")

_COUNT_WIDTH = 80
_SIZE_WIDTH = 104
_TIME_WIDTH = 130
_PILL_WIDTH = style.PILL_WIDTH + 2 * style.SPACE_S


def count_column(
    key: str, title: str, value: Callable[[Row], int | None], *, width: int = _COUNT_WIDTH
) -> Column[Row]:
    """Return a column of whole numbers."""
    return Column(
        key=key, title=title, text=lambda row: fmt.count(value(row)), sort=value, numeric=True, width=width
    )


def size_column(
    key: str, title: str, value: Callable[[Row], int | None], *, width: int = _SIZE_WIDTH
) -> Column[Row]:
    """Return a column of sizes in bytes."""
    return Column(
        key=key,
        title=title,
        text=lambda row: fmt.size(value(row)),
        sort=value,
        numeric=True,
        width=width,
        unit="B",
    )


def time_column(
    key: str, title: str, value: Callable[[Row], datetime | None], *, width: int = _TIME_WIDTH
) -> Column[Row]:
    """Return a column of moments: relative while young, the exact time in the tooltip."""
    return Column(
        key=key,
        title=title,
        text=lambda row: fmt.short_time(value(row), datetime.now(UTC)),
        sort=value,
        tooltip=lambda row: fmt.exact_time(value(row)),
        width=width,
    )


def pill_column(
    key: str,
    title: str,
    value: Callable[[Row], Pill],
    *,
    tooltip: Callable[[Row], str | None],
    width: int = _PILL_WIDTH,
) -> Column[Row]:
    """Return a column of states; its cells need a ``PillDelegate``."""
    return Column(
        key=key, title=title, text=lambda row: value(row).text, paint=value, tooltip=tooltip, width=width
    )
