"""Which VMs have no point as new as their policy wants: a decision on values, without effects."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

from app.contract.overview import OverdueVm
from app.domain.ids import VmId
from app.domain.moments import believed, is_in_future
from app.domain.policies import BackupPolicy
from app.domain.rules import BackupRule
from app.domain.schedule import next_run

TIME_TO_FINISH: Final = timedelta(hours=6)
"""How long a run may take before its point is missed; a run that follows sooner ends this time."""

_LOOK_BACK: Final = tuple(timedelta(days=days) for days in (2, 10, 40, 120))
"""One after the other, longer than the gaps that days, weeks, months and quarters leave."""


def point_wanted(policy: BackupPolicy, covered_until: datetime, now: datetime, zone: tzinfo) -> datetime | None:
    """Return by when a newer point was expected; None while nothing is missed.

    Args:
        policy: when the VM is backed up.
        covered_until: moment of its newest point, or of its entry into the rule while it has none. One in the
            future was noted by a clock that was wrong: then not even the last run is known to have made a point.
        now: the present.
        zone: the operator's time zone.
    """
    if is_in_future(covered_until, now):
        latest = last_run(policy, now, zone)
        if latest is None:
            return None
        covered_until = latest - timedelta(seconds=1)
    run = next_run(policy, covered_until, zone)
    if run is None or run.at > now:
        return None
    following = next_run(policy, run.at, zone)
    expected_by = run.at + TIME_TO_FINISH
    if following is not None:
        expected_by = min(expected_by, following.at)
    return expected_by if expected_by <= now else None


class _Wanted:
    """Remembers the answers of :func:`point_wanted` for one policy: all moments between two runs have the same."""

    def __init__(self, policy: BackupPolicy, now: datetime, zone: tzinfo) -> None:
        self._policy = policy
        self._now = now
        self._zone = zone
        self._known: list[tuple[datetime, datetime, datetime | None]] = []

    def after(self, covered_until: datetime) -> datetime | None:
        """Return what :func:`point_wanted` returns."""
        for first, end, expected_by in self._known:
            if first <= covered_until < end:
                return expected_by
        expected_by = point_wanted(self._policy, covered_until, self._now, self._zone)
        run = next_run(self._policy, covered_until, self._zone)
        if run is not None:
            self._known.append((covered_until, run.at, expected_by))
        return expected_by


def last_run(policy: BackupPolicy, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the newest planned run up to now; None when none is known of the last months."""
    for back in _LOOK_BACK:
        found: datetime | None = None
        run = next_run(policy, now - back, zone)
        while run is not None and run.at <= now:
            found = run.at
            run = next_run(policy, run.at, zone)
        if found is not None:
            return found
    return None


def overdue_vms(
    rule: BackupRule,
    newest_points: Mapping[VmId, datetime],
    entered_at: datetime,
    now: datetime,
    zone: tzinfo,
    *,
    busy: Iterable[VmId] = (),
) -> list[OverdueVm]:
    """Return the started VMs of a rule whose newest point is older than its policy wants, by name.

    Args:
        rule: the rule.
        newest_points: moment of the newest point of each VM that has any.
        entered_at: since when the rule is there.
        now: the present.
        zone: the operator's time zone.
        busy: VMs that are waiting to be backed up, or are being backed up: they are late, not forgotten.
    """
    latest = last_run(rule.policy, now, zone)
    skipped = set(busy)
    found: list[OverdueVm] = []
    wanted = _Wanted(rule.policy, now, zone)
    for vm in rule.vms:
        newest = newest_points.get(vm.vm)
        covered_until = believed(newest, now) or entered_at
        is_covered = latest is not None and covered_until >= latest and not is_in_future(covered_until, now)
        if not vm.is_started or vm.vm in skipped or is_covered:
            continue
        expected_by = wanted.after(covered_until)
        if expected_by is not None:
            found.append(
                OverdueVm(
                    rule=rule.id,
                    vm=vm.vm,
                    name=vm.name,
                    newest_point=believed(newest, now),
                    expected_by=expected_by,
                )
            )
    return sorted(found, key=lambda row: (row.name, row.vm))
