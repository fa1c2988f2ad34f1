"""The columns of the list of migrations. GUI thread."""

from collections.abc import Callable
from dataclasses import replace

from app.contract.migration import MigrationRow
from app.models.rows import ACTIONS_KEY, Column
from app.views import formatting, style
from app.views.migration.words import (
    cut_over_text,
    cut_over_tip,
    migration_pill,
    rest_tip,
    state_tip,
    tr,
)
from app.views.widgets.columns import compact_time_column, count_column, pill_column, size_column


def migration_columns() -> tuple[Column[MigrationRow], ...]:
    """Return the columns of the list; what is hidden can be shown by the operator."""
    return (
        Column(key="name", title=tr("Name"), text=lambda row: row.name, width=116, stretch=True),
        pill_column("state", tr("State"), migration_pill, tooltip=state_tip),
        Column(key="vm", title=tr("Source VM"), text=lambda row: row.vm_name, width=92),
        Column(
            key="platform",
            title=tr("Source platform"),
            text=lambda row: row.platform_name or formatting.NOTHING,
            width=112,
        ),
        Column(
            key="target",
            title=tr("Target platform"),
            text=lambda row: row.target_name or formatting.NOTHING,
            width=112,
        ),
        *_figure_columns(),
        compact_time_column("since", tr("Start time"), lambda row: row.since, width=96),
        _hidden(compact_time_column("ended", tr("End time"), lambda row: row.ended_at, width=96)),
        Column(
            key=ACTIONS_KEY, title=tr("Actions"), text=lambda _: "", width=style.ACTION_SIZE * 6 + style.SPACE_S
        ),
    )


def _figure_columns() -> tuple[Column[MigrationRow], ...]:
    return (
        size_column("rest", tr("Data left"), lambda row: row.rest_bytes, tooltip=rest_tip, width=84),
        _speed_column("change", tr("Rate of change"), lambda row: row.change_bytes_per_s, width=108),
        _speed_column("copy", tr("Copy speed"), lambda row: row.copy_bytes_per_s, width=88, hidden=True),
        Column(
            key="cut_over",
            title=tr("Cut-over takes"),
            text=cut_over_text,
            sort=lambda row: row.cut_over_s,
            tooltip=cut_over_tip,
            numeric=True,
            unit="s",
            width=108,
        ),
        _hidden(count_column("passes", tr("Passes"), lambda row: row.passes, width=64)),
    )


def _speed_column(
    key: str, title: str, value: Callable[[MigrationRow], float | None], *, width: int, hidden: bool = False
) -> Column[MigrationRow]:
    return Column(
        key=key,
        title=title,
        text=lambda row: formatting.speed(value(row)),
        sort=value,
        numeric=True,
        unit="B/s",
        width=width,
        hidden=hidden,
    )


def _hidden(column: Column[MigrationRow]) -> Column[MigrationRow]:
    return replace(column, hidden=True)
