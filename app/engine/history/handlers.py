"""Traffic, statistics and unviewed errors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from app.contract.rules import MarkErrorsViewed
from app.contract.statistics import (
    DayCount,
    ListStatisticsTasks,
    ReadStatistics,
    ReadTraffic,
    Statistics,
    StatisticsTaskRow,
    Traffic,
    TrafficPoint,
    TrafficRange,
)
from app.core.clock import Clock
from app.domain.ids import TaskId
from app.domain.periods import StatisticsPeriod
from app.domain.states import TaskKind
from app.domain.tasks import TaskRecord
from app.engine.handlers import handles
from app.engine.ports import Catalog
from app.engine.tasks.rows import kept_error_row
from app.engine.tasks.spec import BackupSpec
from app.engine.tasks.stored import readable_spec

SPANS: Final = {
    TrafficRange.LIVE: (1, timedelta(minutes=10)),
    TrafficRange.DAY: (60, timedelta(days=1)),
    TrafficRange.HISTORY: (3600, timedelta(days=2 * 365)),
}
"""Length of a slice in seconds, and how far back a chart goes."""

PERIOD_DAYS: Final = {StatisticsPeriod.WEEK: 7, StatisticsPeriod.MONTH: 30, StatisticsPeriod.YEAR: 365}
MOST_TASKS: Final = 1000
"""Rows of one page of tasks, whatever is asked for."""


class HistoryHandlers:
    """Answers about traffic and statistics. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        clock: Clock,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._zone = zone

    # --- traffic -----------------------------------------------------------------------------------------------

    @handles(ReadTraffic)
    def _traffic(self, query: ReadTraffic) -> Traffic:
        slice_s, span = SPANS[query.range]
        now_s = int(self._clock.now().timestamp())
        start_s = now_s - int(span.total_seconds())
        if query.since is not None:
            start_s = max(start_s, int(query.since.timestamp()) + 1)
        start_s -= start_s % slice_s
        found = self._catalog.traffic.read(slice_s, start_s, now_s + 1, rule=query.rule, vm=query.vm)
        points = []
        for row in found:
            lasted_s = max(1, min(slice_s, now_s + 1 - row.at_s))
            points.append(
                TrafficPoint(
                    at=datetime.fromtimestamp(row.at_s, UTC),
                    read_bytes_per_s=row.read_bytes / lasted_s,
                    written_bytes_per_s=row.written_bytes / lasted_s,
                )
            )
        return Traffic(
            start=datetime.fromtimestamp(start_s, UTC),
            end=datetime.fromtimestamp(now_s + 1, UTC),
            slice_s=slice_s,
            points=tuple(points),
        )

    # --- statistics --------------------------------------------------------------------------------------------

    @handles(ReadStatistics)
    def _statistics(self, query: ReadStatistics) -> Statistics:
        figures = self._catalog.figures
        today = self._clock.now().astimezone(self._zone()).date()
        since = today - timedelta(days=PERIOD_DAYS[query.period] - 1)
        days = figures.days(query.rule, query.vm, since=since)
        total = figures.total(query.rule, query.vm)
        return Statistics(
            days=tuple(
                DayCount(day=day.day, succeeded=day.succeeded, failed=day.failed, read_bytes=day.read_bytes)
                for day in days
            ),
            succeeded=total.succeeded,
            failed=total.failed,
            read_bytes=total.read_bytes,
            stored_bytes=total.stored_bytes,
            unviewed_errors=figures.unviewed(query.rule, query.vm),
        )

    @handles(ListStatisticsTasks)
    def _tasks(self, query: ListStatisticsTasks) -> tuple[StatisticsTaskRow, ...]:
        catalog = self._catalog
        records = catalog.tasks.ended(
            rule=query.rule,
            vm=query.vm,
            only_failed=query.only_failed,
            limit=max(1, min(query.limit, MOST_TASKS)),
            offset=max(0, query.offset),
        )
        unviewed = catalog.figures.unviewed_among([record.id for record in records])
        return tuple(statistics_row(record, unviewed) for record in records)

    @handles(MarkErrorsViewed)
    def _mark_viewed(self, command: MarkErrorsViewed) -> None:
        self._catalog.figures.mark_viewed(command.rule, command.vm)


def statistics_row(record: TaskRecord, unviewed: frozenset[TaskId]) -> StatisticsTaskRow:
    """Make the row of an ended task."""
    backup = record.kind is TaskKind.BACKUP
    spec = readable_spec(record) if backup else None
    lasted_s = 0.0
    if record.started_at is not None and record.ended_at is not None:
        lasted_s = (record.ended_at - record.started_at).total_seconds()
    return StatisticsTaskRow(
        task=record.id,
        rule_name=record.rule_name,
        result=record.state,
        kind=record.kind,
        backup_kind=spec.kind.value if isinstance(spec, BackupSpec) else "",
        vm_name=record.vm_name,
        source_kind="VMware vSphere" if backup else "Restore point",
        source_bytes=record.totals.total_bytes,
        written_bytes=record.totals.written_bytes,
        bytes_per_s=record.totals.read_bytes / lasted_s if lasted_s > 0 else 0.0,
        started_at=record.started_at,
        ended_at=record.ended_at,
        error=None if record.error is None else kept_error_row(record.error),
        viewed=record.id not in unviewed,
    )
