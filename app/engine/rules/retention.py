"""What goes after a successful run, and the preview of it. The decisions are :mod:`app.domain.retention`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice, takewhile

from app.contract.rules import PreviewedDay, PreviewedPoint
from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.ids import PointId, RuleId, VmId
from app.domain.moments import is_in_future
from app.domain.policies import BackupPolicy, OneTimePolicy, PolicyUnit, Retention
from app.domain.retention import KeptPoint, PreviewDay, decide, preview
from app.domain.schedule import PlannedRun, upcoming_runs
from app.domain.states import BackupKind
from app.domain.tasks import KnownPoint, TaskRecord, VerificationState
from app.engine import messages
from app.engine.ports import RuleStore
from app.engine.program.clockwatch import ClockWatch
from app.engine.rules.points import RulePoints
from app.engine.tasks.running import RunningTask
from app.repository.errors import PointPinned

_KEEP_ALL = Retention(period=64, unit=PolicyUnit.QUARTERLY, keep_newest=1000)
_MOST_DAYS = 3660


class RetentionService:
    """Applies the retention of rules. Thread: any."""

    def __init__(
        self,
        *,
        rules: RuleStore,
        rule_points: RulePoints,
        clock_watch: ClockWatch,
        clock: Clock,
        zone: Callable[[], tzinfo],
        unfinished: Callable[[], Iterable[TaskRecord]],
    ) -> None:
        self._rules = rules
        self._rule_points = rule_points
        self._clock_watch = clock_watch
        self._clock = clock
        self._zone = zone
        self._unfinished = unfinished

    def apply(self, task: RunningTask, rule: RuleId, vm: VmId) -> None:
        """Remove the points of a VM that have expired, after a run of the rule that succeeded.

        Never raises for what the standby or the catalog refuse: the backup is made, and the next run tries again.
        """
        try:
            self._apply(task, rule, vm)
        except OperationalError as error:
            task.log.warning(messages.RETENTION_FAILED, detail=error)

    def _apply(self, task: RunningTask, rule: RuleId, vm: VmId) -> None:
        known = self._rules.get(rule)
        if known is None or isinstance(known.policy, OneTimePolicy):
            return
        points = self._rule_points.of_vm(known, vm)
        decision = decide(
            kept_points(points), known.policy.retention, known.policy, self._clock.now(), self._zone()
        )
        if not decision.remove or self._waits(task, points, len(decision.remove)):
            return
        used = self._used_points()
        by_id = {known.point.id: known for known in points}
        for expired in decision.remove:
            if expired.id in used:
                task.log.info(messages.POINT_IN_USE, point=expired.id)
                continue
            try:
                self._rule_points.delete(known, [by_id[expired.id]])
            except PointPinned as error:
                task.log.info(messages.POINT_PINNED, detail=error)
                continue
            task.log.info(messages.POINT_EXPIRED, point=expired.id)

    def _waits(self, task: RunningTask, newest_first: Sequence[KnownPoint], count: int) -> bool:
        """Return whether nothing is removed now because the clock cannot be believed; the log says so."""
        watch, now = self._clock_watch, self._clock.now()
        before = newest_first[1].point if len(newest_first) > 1 else None
        if before is not None and is_in_future(before.created_at, now):
            task.log.warning(messages.RETENTION_POINT_AHEAD, count=count, point=before.id)
            return True
        if before is not None:
            watch.note_point_before(before.created_at)
        if watch.is_believed():
            return False
        task.log.warning(messages.RETENTION_WAITS, count=count)
        return True

    def _used_points(self) -> set[PointId]:
        return {task.point for task in self._unfinished() if task.point is not None}

    def preview(
        self, policy: BackupPolicy, days: int, rule: RuleId | None = None, vm: VmId | None = None
    ) -> tuple[PreviewedDay, ...]:
        """Return which points will exist on each of the next days, if every run succeeds."""
        now, zone = self._clock.now(), self._zone()
        known = None if rule is None else self._rules.get(rule)
        points = () if known is None or vm is None else self._rule_points.of_vm(known, vm)
        retention = _KEEP_ALL if isinstance(policy, OneTimePolicy) else policy.retention
        wanted = max(1, min(days, _MOST_DAYS))
        until = now + timedelta(days=wanted + 1)
        runs = list(takewhile(lambda run: run.at <= until, upcoming_runs(policy, now, zone)))
        previewed = islice(preview(kept_points(points), retention, policy, now, zone), wanted)
        return tuple(_day_row(day, runs, zone) for day in previewed)


def kept_points(points: Iterable[KnownPoint]) -> list[KeptPoint]:
    """Return what retention needs to know of points, given newest first."""
    newest_first = list(points)
    return [
        KeptPoint(
            id=known.point.id,
            created_at=known.point.created_at,
            kind=known.point.kind,
            is_good=known.verification is not VerificationState.DAMAGED,
            sequence=len(newest_first) - place,
        )
        for place, known in enumerate(newest_first)
    ]


def _day_row(day: PreviewDay, runs: Iterable[PlannedRun], zone: tzinfo) -> PreviewedDay:
    return PreviewedDay(
        day=day.day,
        runs=tuple(_runs_of(day.day, runs, zone)),
        points=tuple(
            PreviewedPoint(
                id=None if point.id.startswith("planned/") else point.id,
                created_at=point.created_at,
                kind=point.kind,
            )
            for point in day.points
        ),
        removed_count=len(day.removed),
    )


def _runs_of(day: date, runs: Iterable[PlannedRun], zone: tzinfo) -> Iterable[tuple[datetime, BackupKind]]:
    return ((run.at, run.kind) for run in runs if run.at.astimezone(zone).date() == day)
