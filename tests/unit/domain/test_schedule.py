from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from app.domain.policies import LAST_DAY, OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit, Weekday
from app.domain.schedule import missed_run, next_run, upcoming_runs
from app.domain.states import BackupKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")


def plan(unit: PolicyUnit, *times: str, kind: BackupKind = BackupKind.INCREMENTAL, **more: object) -> Plan:
    at = tuple(time.fromisoformat(text) for text in times or ("17:51",))
    return Plan(unit=unit, kind=kind, times=at, **more)  # type: ignore[arg-type]


def policy(*plans: Plan) -> PeriodicPolicy:
    return PeriodicPolicy(plans=plans)


def local_runs(rule: PeriodicPolicy, after: str, zone: ZoneInfo, count: int) -> list[str]:
    start = datetime.fromisoformat(after).replace(tzinfo=zone).astimezone(UTC)
    return [f"{run.at.astimezone(zone):%Y-%m-%d %H:%M}" for run in islice(upcoming_runs(rule, start, zone), count)]


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        (policy(plan(PolicyUnit.DAILY)), "2026-03-01 17:50", ["2026-03-01 17:51", "2026-03-02 17:51"]),
        (policy(plan(PolicyUnit.DAILY)), "2026-03-01 17:51", ["2026-03-02 17:51"]),
        (
            policy(plan(PolicyUnit.DAILY, "23:00", "01:00")),
            "2026-12-31 02:00",
            ["2026-12-31 23:00", "2027-01-01 01:00"],
        ),
        (
            policy(plan(PolicyUnit.WEEKLY, weekdays=frozenset({Weekday.MONDAY, Weekday.SUNDAY}))),
            "2026-11-22 18:00",  # a Sunday, after the run
            ["2026-11-23 17:51", "2026-11-29 17:51", "2026-11-30 17:51"],
        ),
        (
            policy(plan(PolicyUnit.MONTHLY, month_day=LAST_DAY)),
            "2027-12-31 18:00",
            ["2028-01-31 17:51", "2028-02-29 17:51", "2028-03-31 17:51", "2028-04-30 17:51"],
        ),
        (
            policy(plan(PolicyUnit.MONTHLY, month_day=30)),
            "2026-02-01 00:00",
            ["2026-02-28 17:51", "2026-03-30 17:51"],
        ),
        (
            policy(plan(PolicyUnit.QUARTERLY, month_day=LAST_DAY, quarter_month=3)),
            "2026-01-01 00:00",
            ["2026-03-31 17:51", "2026-06-30 17:51", "2026-09-30 17:51", "2026-12-31 17:51", "2027-03-31 17:51"],
        ),
    ],
    ids=["daily", "strictly after", "two times over new year", "weekly", "last day", "day 30", "quarter end"],
)
def test_runs_come_when_the_policy_says(rule: PeriodicPolicy, after: str, expected: list[str]) -> None:
    assert local_runs(rule, after, SHANGHAI, len(expected)) == expected


def test_a_time_that_summer_time_skips_runs_right_after_the_gap() -> None:
    rule = policy(plan(PolicyUnit.DAILY, "02:30"))
    assert local_runs(rule, "2026-03-28 12:00", BERLIN, 2) == ["2026-03-29 03:00", "2026-03-30 02:30"]


def test_a_time_that_winter_time_repeats_runs_once() -> None:
    rule = policy(plan(PolicyUnit.DAILY, "02:30"))
    after = datetime(2026, 10, 24, 12, tzinfo=BERLIN).astimezone(UTC)
    first, second = islice(upcoming_runs(rule, after, BERLIN), 2)
    assert first.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert second.at == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_day_that_a_zone_skips_whole_runs_at_the_change() -> None:
    rule = policy(plan(PolicyUnit.DAILY, "12:00"))
    assert local_runs(rule, "2011-12-29 13:00", APIA, 2) == ["2011-12-31 00:00", "2011-12-31 12:00"]


def test_plans_that_fall_together_make_one_run_of_the_most_complete_kind() -> None:
    rule = policy(
        plan(PolicyUnit.DAILY, "01:00", kind=BackupKind.INCREMENTAL),
        plan(PolicyUnit.WEEKLY, "01:00", kind=BackupKind.FULL, weekdays=frozenset({Weekday.SUNDAY})),
    )
    after = datetime(2026, 11, 20, 12, tzinfo=UTC)
    runs = list(islice(upcoming_runs(rule, after, UTC), 3))
    assert [run.kind for run in runs] == [BackupKind.INCREMENTAL, BackupKind.FULL, BackupKind.INCREMENTAL]


def test_a_change_of_time_zone_moves_the_runs_with_the_wall_clock() -> None:
    rule = policy(plan(PolicyUnit.DAILY, "08:00"))
    after = datetime(2026, 7, 1, tzinfo=UTC)
    in_shanghai, in_berlin = next_run(rule, after, SHANGHAI), next_run(rule, after, BERLIN)
    assert in_shanghai is not None
    assert in_berlin is not None
    assert (in_shanghai.at, in_berlin.at) == (
        datetime(2026, 7, 2, 0, tzinfo=UTC),
        datetime(2026, 7, 1, 6, tzinfo=UTC),
    )


def test_a_one_time_policy_runs_once() -> None:
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    rule = OneTimePolicy(start=start)
    run = next_run(rule, start - timedelta(hours=1), SHANGHAI)
    assert run is not None
    assert (run.at, run.kind) == (start, BackupKind.FULL)
    assert next_run(rule, start, SHANGHAI) is None


def test_missed_runs_are_made_up_for_by_one_of_the_most_complete_kind() -> None:
    rule = policy(
        plan(PolicyUnit.DAILY, "01:00", kind=BackupKind.INCREMENTAL),
        plan(PolicyUnit.WEEKLY, "03:00", kind=BackupKind.DIFFERENTIAL, weekdays=frozenset({Weekday.SUNDAY})),
    )
    alive, now = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC)
    run = missed_run(rule, alive, now, UTC)
    assert run is not None
    assert (run.at, run.kind) == (now, BackupKind.DIFFERENTIAL)
    assert missed_run(rule, now, now + timedelta(hours=1), UTC) is None
