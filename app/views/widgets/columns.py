"""The columns that most lists have: counts, sizes, moments, states. GUI thread."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from PySide6.QtCore import QCoreApplication

from app.models.rows import Column
from app.views import formatting, style
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
        key=key, title=title, text=lambda row: formatting.count(value(row)), sort=value, numeric=True, width=width
    )


def size_column(
    key: str,
    title: str,
    value: Callable[[Row], int | None],
    *,
    width: int = _SIZE_WIDTH,
    tooltip: Callable[[Row], str | None] = lambda _: None,
) -> Column[Row]:
    """Return a column of sizes in bytes; its tooltip says which quantity of the many it is."""
    return Column(
        key=key,
        title=title,
        text=lambda row: formatting.size(value(row)),
        sort=value,
        tooltip=tooltip,
        numeric=True,
        width=width,
        unit="B",
    )


def capacity_words() -> str:
    """Return what the size of a VM is, wherever it is shown."""
    return QCoreApplication.translate("Columns", "Capacity of all disks of the VM, as of its newest restore point")


def source_words() -> str:
    """Return what the source data of a run is, wherever it is shown."""
    return QCoreApplication.translate(
        "Columns", "What the run has to read: all data for a full backup, else what has changed"
    )


def written_words() -> str:
    """Return what the written data of a run is, wherever it is shown."""
    return QCoreApplication.translate(
        "Columns", "What the run added at the standby machine, after deduplication and compression"
    )


def time_column(
    key: str, title: str, value: Callable[[Row], datetime | None], *, width: int = _TIME_WIDTH
) -> Column[Row]:
    """Return a column of moments: relative while young, the exact time in the tooltip."""
    return Column(
        key=key,
        title=title,
        text=lambda row: formatting.short_time(value(row), datetime.now(UTC)),
        sort=value,
        tooltip=lambda row: formatting.exact_time(value(row)),
        width=width,
    )


def compact_time_column(
    key: str, title: str, value: Callable[[Row], datetime | None], *, width: int
) -> Column[Row]:
    """Return a narrow column of moments: as briefly as they stay clear, the exact time in the tooltip."""
    return Column(
        key=key,
        title=title,
        text=lambda row: formatting.compact_time(value(row), datetime.now(UTC)),
        sort=value,
        tooltip=lambda row: formatting.exact_time(value(row)),
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
