"""When a policy runs next: a pure function of the policy, a moment and a time zone.

What the clock does to local times is decided here, once:

- a local time that the change to summer time skips runs at the first moment after the gap;
- a local time that the change to winter time repeats runs once, the first time;
- a day that a month lacks (31 April) means that month's last day;
- two plans that fall on the same minute make one run, of the most complete kind.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from app.domain.policies import BackupPolicy, OneTimePolicy, Plan, PolicyUnit
from app.domain.states import BackupKind

_COMPLETENESS = {BackupKind.INCREMENTAL: 0, BackupKind.DIFFERENTIAL: 1, BackupKind.FULL: 2}
_HORIZON_DAYS = 400
"""Every unit comes round within a quarter; a year and a bit is beyond any gap."""


@dataclass(frozen=True, slots=True, order=True)
class PlannedRun:
    """A moment (aware UTC) at which a rule runs, and what it backs up."""

    at: datetime
    kind: BackupKind


def next_run(policy: BackupPolicy, after: datetime, zone: tzinfo) -> PlannedRun | None:
    """Return the first run strictly after a moment (aware UTC), or None when there is none any more."""
    return next(upcoming_runs(policy, after, zone), None)


def upcoming_runs(policy: BackupPolicy, after: datetime, zone: tzinfo) -> Iterator[PlannedRun]:
    """Yield all runs strictly after a moment (aware UTC), in order; endless for a valid periodic policy."""
    if isinstance(policy, OneTimePolicy):
        if policy.start > after:
            yield PlannedRun(policy.start.astimezone(UTC), BackupKind.FULL)
        return
    # A local date can hold moments of two UTC dates and, at zone changes, repeat; start a day early.
    day = after.astimezone(zone).date() - timedelta(days=1)
    quiet_days = 0
    last = after
    while quiet_days < _HORIZON_DAYS:
        runs = _runs_of_day(policy.plans, day, zone)
        for run in runs:
            if run.at > last:
                last = run.at
                yield run
        quiet_days = 0 if runs else quiet_days + 1
        if day == date.max:
            return
        day += timedelta(days=1)


def missed_run(policy: BackupPolicy, last_alive: datetime, now: datetime, zone: tzinfo) -> PlannedRun | None:
    """Return the one run that makes up for all that fell into ``(last_alive, now]``, or None.

    It is of the most complete kind among the missed ones, and it is due now.
    """
    kinds: list[BackupKind] = []
    for run in upcoming_runs(policy, last_alive, zone):
        if run.at > now:
            break
        kinds.append(run.kind)
        if run.kind is BackupKind.FULL:
            break
    return PlannedRun(now, max(kinds, key=_COMPLETENESS.__getitem__)) if kinds else None


def local_to_utc(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the moment a wall clock in ``zone`` shows a time: the first one, or the end of a skipped hour."""
    local = datetime.combine(day, at, tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    return _end_of_gap(moment, zone)


def _end_of_gap(moment: datetime, zone: tzinfo) -> datetime:
    # With fold=0 a skipped local time maps, by the offset before the change, to a moment behind the change;
    # the change itself is the last instant at which the offset switches, found by bisection to the second.
    early, late = moment - timedelta(days=1), moment
    new_offset = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == new_offset:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def _runs_of_day(plans: tuple[Plan, ...], day: date, zone: tzinfo) -> list[PlannedRun]:
    kinds: dict[datetime, BackupKind] = {}
    for plan in plans:
        if not _falls_on(plan, day):
            continue
        for at in plan.times:
            moment = local_to_utc(day, at, zone)
            known = kinds.get(moment, plan.kind)
            kinds[moment] = max(known, plan.kind, key=_COMPLETENESS.__getitem__)
    return [PlannedRun(moment, kinds[moment]) for moment in sorted(kinds)]


def _falls_on(plan: Plan, day: date) -> bool:
    if plan.unit is PolicyUnit.DAILY:
        return True
    if plan.unit is PolicyUnit.WEEKLY:
        return day.weekday() in plan.weekdays
    if plan.unit is PolicyUnit.QUARTERLY and (day.month - 1) % 3 + 1 != plan.quarter_month:
        return False
    return day.day == min(plan.month_day, calendar.monthrange(day.year, day.month)[1])
