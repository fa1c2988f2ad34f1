"""Which restore points stay and which go: a pure function, and a preview of it.

Retention only ever decides after a successful run. Three things it never removes, whatever the settings say:
the newest good point of a VM; any point that was damaged or is otherwise not known to be good while no newer
good one exists; and the newest good full while differentials refer to it.
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import Enum

from app.domain.ids import PointId
from app.domain.moments import believed
from app.domain.policies import BackupPolicy, GrandfatherFatherSon, OneTimePolicy, PolicyUnit, Retention
from app.domain.schedule import upcoming_runs
from app.domain.states import BackupKind


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPoint:
    """What retention needs to know of a point of one VM."""

    id: PointId
    created_at: datetime
    """Aware UTC."""
    kind: BackupKind
    is_good: bool = True
    """False when verification found damage."""
    sequence: int = 0
    """The newest point has the highest; of equal ones the times decide."""

    @property
    def order(self) -> tuple[int, datetime, str]:
        """What points are sorted by, oldest first."""
        return self.sequence, self.created_at, self.id


class KeepReason(Enum):
    """Why a point stays."""

    PERIOD = "period"
    NEWEST = "newest"
    COUNT = "count"
    GFS_DAY = "gfs_day"
    GFS_WEEK = "gfs_week"
    GFS_MONTH = "gfs_month"
    GFS_YEAR = "gfs_year"
    NEEDED_BY_DIFFERENTIALS = "needed_by_differentials"


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """The points to keep, each with every reason, and those to remove; both oldest first."""

    keep: tuple[tuple[KeptPoint, frozenset[KeepReason]], ...]
    remove: tuple[KeptPoint, ...]


def decide(
    points: Sequence[KeptPoint], retention: Retention, policy: BackupPolicy, now: datetime, zone: tzinfo
) -> RetentionDecision:
    """Split the points of one VM into those that stay and those that go at ``now`` (aware UTC).

    The order of the points is their sequence; their times give their age, as far as these can be believed.
    """
    ordered = sorted(points, key=lambda point: point.order)
    made_at = believed_moments(ordered, now)
    good = [point for point in ordered if point.is_good]
    reasons: dict[PointId, set[KeepReason]] = {point.id: set() for point in ordered}
    for point, moment in zip(ordered, made_at, strict=True):
        if expires_at(moment, retention, zone) > now:
            reasons[point.id].add(KeepReason.PERIOD)
    newest_good = good[-1:] or ordered
    for point in newest_good:
        reasons[point.id].add(KeepReason.NEWEST)
    for point in good[max(0, len(good) - retention.keep_newest) :]:
        reasons[point.id].add(KeepReason.COUNT)
    _mark_gfs(good, retention.gfs, zone, reasons)
    _mark_needed_full(good, policy, reasons)
    return RetentionDecision(
        keep=tuple((point, frozenset(reasons[point.id])) for point in ordered if reasons[point.id]),
        remove=tuple(point for point in ordered if not reasons[point.id]),
    )


def believed_moments(ordered: Sequence[KeptPoint], now: datetime) -> list[datetime]:
    """Return when points were made, as far as can be believed: never earlier than the points before them.

    A clock that was wrong makes no point old: one from the future counts as made when the next one after it was,
    or now; one that is dated before an older one counts as made with that.

    Args:
        ordered: the points in their sequence.
        now: the present.
    """
    moments: list[datetime] = []
    later = now
    for point in reversed(ordered):
        moment = believed(point.created_at, now)
        later = later if moment is None else moment
        moments.append(later)
    latest = datetime.min.replace(tzinfo=UTC)
    found: list[datetime] = []
    for moment in reversed(moments):
        latest = max(latest, moment)
        found.append(latest)
    return found


def expires_at(created_at: datetime, retention: Retention, zone: tzinfo) -> datetime:
    """Return the moment (aware UTC) from which the period alone no longer keeps a point."""
    local = created_at.astimezone(zone)
    if retention.unit is PolicyUnit.DAILY:
        later = local + timedelta(days=retention.period)
    elif retention.unit is PolicyUnit.WEEKLY:
        later = local + timedelta(weeks=retention.period)
    else:
        months = retention.period * (3 if retention.unit is PolicyUnit.QUARTERLY else 1)
        later = _add_months(local, months)
    return later.astimezone(UTC)


def _add_months(local: datetime, months: int) -> datetime:
    year, month0 = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(year, month0 + 1)[1])
    return local.replace(year=year, month=month0 + 1, day=day)


def _mark_gfs(
    good: Sequence[KeptPoint],
    gfs: GrandfatherFatherSon,
    zone: tzinfo,
    reasons: dict[PointId, set[KeepReason]],
) -> None:
    def day(local: date) -> object:
        return local

    def week(local: date) -> object:
        return local.isocalendar()[:2]

    def month(local: date) -> object:
        return local.year, local.month

    def year(local: date) -> object:
        return local.year

    for count, period_of, reason in (
        (gfs.days, day, KeepReason.GFS_DAY),
        (gfs.weeks, week, KeepReason.GFS_WEEK),
        (gfs.months, month, KeepReason.GFS_MONTH),
        (gfs.years, year, KeepReason.GFS_YEAR),
    ):
        seen: set[object] = set()
        for point in reversed(good):
            period = period_of(point.created_at.astimezone(zone).date())
            if period in seen:
                continue
            if len(seen) == count:
                break
            seen.add(period)
            reasons[point.id].add(reason)


def _mark_needed_full(
    good: Sequence[KeptPoint], policy: BackupPolicy, reasons: dict[PointId, set[KeepReason]]
) -> None:
    newest_full = next((point for point in reversed(good) if point.kind is BackupKind.FULL), None)
    if newest_full is None:
        return
    planned = not isinstance(policy, OneTimePolicy) and any(
        plan.kind is BackupKind.DIFFERENTIAL for plan in policy.plans
    )
    later = good[good.index(newest_full) + 1 :]
    kept = any(point.kind is BackupKind.DIFFERENTIAL and reasons[point.id] for point in later)
    if planned or kept:
        reasons[newest_full.id].add(KeepReason.NEEDED_BY_DIFFERENTIALS)


@dataclass(frozen=True, slots=True)
class PreviewDay:
    """The points that exist at the end of one local day."""

    day: date
    points: tuple[KeptPoint, ...]
    removed: tuple[KeptPoint, ...]
    """Those that went on that day."""


def preview(
    points: Sequence[KeptPoint],
    retention: Retention,
    policy: BackupPolicy,
    now: datetime,
    zone: tzinfo,
) -> Iterator[PreviewDay]:
    """Yield, for today and every later day, which points will exist, if every planned run succeeds.

    Endless. Planned points carry ids that start with ``planned/``.
    """
    present = list(points)
    runs = upcoming_runs(policy, now, zone)
    run = next(runs, None)
    day = now.astimezone(zone).date()
    while True:
        removed: list[KeptPoint] = []
        while run is not None and run.at.astimezone(zone).date() <= day:
            has_full = any(point.is_good and point.kind is BackupKind.FULL for point in present)
            kind = run.kind if has_full else BackupKind.FULL
            newest = max((point.sequence for point in present), default=0)
            planned = PointId(f"planned/{run.at.isoformat()}")
            present.append(KeptPoint(id=planned, created_at=run.at, kind=kind, sequence=newest + 1))
            decision = decide(present, retention, policy, run.at, zone)
            removed.extend(decision.remove)
            present = [point for point, _ in decision.keep]
            run = next(runs, None)
        yield PreviewDay(day, tuple(present), tuple(removed))
        day += timedelta(days=1)
