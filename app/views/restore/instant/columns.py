"""The columns of the list of instant recoveries. GUI thread."""

from PySide6.QtCore import QCoreApplication

from app.contract.instant import InstantRow
from app.models.rows import ACTIONS_KEY, Column
from app.views import formatting, style
from app.views.restore.instant.words import (
    bandwidth,
    days_pill,
    days_text,
    instant_pill,
    operations,
    overlay_tip,
    per_second,
    point_text,
    point_tip,
    room_tip,
    state_tip,
    traffic_tip,
)
from app.views.widgets.columns import compact_time_column, pill_column, size_column


def instant_columns() -> tuple[Column[InstantRow], ...]:
    """Return the columns of the list; what is hidden can be shown by the operator."""
    since = QCoreApplication.translate("InstantList", "Since")
    actions = QCoreApplication.translate("InstantList", "Actions")
    return (
        Column(
            key="name",
            title=QCoreApplication.translate("InstantList", "Name"),
            text=lambda row: row.name,
            width=124,
            stretch=True,
        ),
        pill_column("state", QCoreApplication.translate("InstantList", "State"), instant_pill, tooltip=state_tip),
        *_origin_columns(),
        *_place_columns(),
        *_figure_columns(),
        compact_time_column("since", since, lambda row: row.since, width=96),
        Column(key=ACTIONS_KEY, title=actions, text=lambda _: "", width=style.ACTION_SIZE * 8 + style.SPACE_S),
    )


def _origin_columns() -> tuple[Column[InstantRow], ...]:
    return (
        Column(
            key="vm", title=QCoreApplication.translate("InstantList", "VM"), text=lambda row: row.vm_name, width=92
        ),
        Column(
            key="point",
            title=QCoreApplication.translate("InstantList", "Restore point"),
            text=point_text,
            sort=lambda row: row.point_at,
            tooltip=point_tip,
            width=100,
        ),
        Column(
            key="rule",
            title=QCoreApplication.translate("InstantList", "Rule"),
            text=lambda row: row.rule_name or formatting.NOTHING,
            width=104,
            hidden=True,
        ),
    )


def _place_columns() -> tuple[Column[InstantRow], ...]:
    return (
        Column(
            key="platform",
            title=QCoreApplication.translate("InstantList", "Virtual platform"),
            text=lambda row: row.platform_name or formatting.NOTHING,
            width=104,
            hidden=True,
        ),
        Column(
            key="host",
            title=QCoreApplication.translate("InstantList", "Host"),
            text=lambda row: row.host_name or formatting.NOTHING,
            width=104,
        ),
        Column(
            key="standby",
            title=QCoreApplication.translate("InstantList", "Standby machine"),
            text=lambda row: row.standby_name or formatting.NOTHING,
            width=104,
            hidden=True,
        ),
    )


def _figure_columns() -> tuple[Column[InstantRow], ...]:
    return (
        Column(
            key="operations",
            title=QCoreApplication.translate("InstantList", "IOPS"),
            text=lambda row: per_second(operations(row)),
            sort=operations,
            tooltip=traffic_tip,
            numeric=True,
            unit="1/s",
            width=64,
        ),
        Column(
            key="bandwidth",
            title=QCoreApplication.translate("InstantList", "Bandwidth"),
            text=lambda row: formatting.speed(bandwidth(row)),
            sort=bandwidth,
            tooltip=traffic_tip,
            numeric=True,
            unit="B/s",
            width=88,
        ),
        size_column(
            "overlay",
            QCoreApplication.translate("InstantList", "Overlay"),
            lambda row: row.overlay_bytes,
            tooltip=overlay_tip,
            width=84,
        ),
        Column(
            key="days",
            title=QCoreApplication.translate("InstantList", "Full in"),
            text=lambda row: days_text(row.days_left),
            sort=lambda row: row.days_left,
            paint=days_pill,
            tooltip=room_tip,
            width=88,
        ),
    )
