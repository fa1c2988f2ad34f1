"""Schedules and retention: what must hold for every policy, zone and history."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PointId
from app.domain.policies import GrandfatherFatherSon, PeriodicPolicy, Plan, PolicyUnit, Retention, Weekday
from app.domain.retention import KeptPoint, decide, preview
from app.domain.schedule import next_run, upcoming_runs
from app.domain.states import BackupKind

ZONES = [
    ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")
]

times = st.lists(st.times().map(lambda at: time(at.hour, at.minute)), min_size=1, max_size=3, unique=True).map(
    tuple
)
plans = st.builds(
    Plan,
    unit=st.sampled_from(PolicyUnit),
    kind=st.sampled_from(BackupKind),
    times=times,
    weekdays=st.frozensets(st.sampled_from(Weekday), min_size=1),
    month_day=st.integers(1, 31),
    quarter_month=st.integers(1, 3),
)
retentions = st.builds(
    Retention,
    period=st.integers(1, 64),
    unit=st.sampled_from(PolicyUnit),
    keep_newest=st.integers(0, 5),
    gfs=st.builds(GrandfatherFatherSon, days=st.integers(0, 3), weeks=st.integers(0, 3), months=st.integers(0, 3)),
)
policies = st.builds(
    PeriodicPolicy, plans=st.lists(plans, min_size=1, max_size=3).map(tuple), retention=retentions
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
histories = st.lists(
    st.builds(
        lambda age, kind, good: (age, kind, good),
        st.integers(0, 900),
        st.sampled_from(BackupKind),
        st.booleans(),
    ),
    max_size=25,
    unique_by=lambda row: row[0],
)


def as_points(history: list[tuple[int, BackupKind, bool]], now: datetime) -> list[KeptPoint]:
    return [
        KeptPoint(id=PointId(str(age)), created_at=now - timedelta(days=age), kind=kind, is_good=good)
        for age, kind, good in history
    ]


@given(policies, moments, st.sampled_from(ZONES))
def test_runs_come_strictly_in_order_and_agree_with_next_run(
    policy: PeriodicPolicy, after: datetime, zone: ZoneInfo
) -> None:
    runs = list(islice(upcoming_runs(policy, after, zone), 6))
    assert runs[0].at > after
    assert all(left.at < right.at for left, right in pairwise(runs))
    for left, right in pairwise(runs):
        assert next_run(policy, left.at, zone) == right
        assert next_run(policy, right.at - timedelta(seconds=1), zone) == right


@given(policies, moments, st.sampled_from(ZONES))
def test_every_run_is_at_a_planned_wall_time_or_right_after_a_gap(
    policy: PeriodicPolicy, after: datetime, zone: ZoneInfo
) -> None:
    planned = {at for plan in policy.plans for at in plan.times}
    for run in islice(upcoming_runs(policy, after, zone), 6):
        local = run.at.astimezone(zone)
        second_before = (run.at - timedelta(seconds=1)).astimezone(zone)
        assert local.time() in planned or local.utcoffset() != second_before.utcoffset()


@given(histories, retentions, policies, moments, st.sampled_from(ZONES))
def test_retention_never_removes_what_it_must_keep(
    history: list[tuple[int, BackupKind, bool]],
    retention: Retention,
    policy: PeriodicPolicy,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    points = as_points(history, now)
    decision = decide(points, retention, policy, now, zone)
    kept = [point for point, _ in decision.keep]
    assert sorted([*kept, *decision.remove], key=lambda point: point.id) == sorted(
        points, key=lambda point: point.id
    )
    good = sorted((point for point in points if point.is_good), key=lambda point: point.created_at)
    if good:
        assert good[-1] in kept
        assert set(good[-retention.keep_newest :] if retention.keep_newest else []) <= set(kept)
    else:
        assert not decision.remove
    assert all(reasons for _, reasons in decision.keep)


@given(histories, retentions, policies, moments, st.sampled_from(ZONES))
def test_deciding_twice_removes_nothing_more(
    history: list[tuple[int, BackupKind, bool]],
    retention: Retention,
    policy: PeriodicPolicy,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    first = decide(as_points(history, now), retention, policy, now, zone)
    again = decide([point for point, _ in first.keep], retention, policy, now, zone)
    assert not again.remove


@given(policies, moments)
def test_the_preview_equals_running_the_policy_day_by_day(policy: PeriodicPolicy, now: datetime) -> None:
    present: list[KeptPoint] = []
    runs = upcoming_runs(policy, now, UTC)
    run = next(runs)
    for day in islice(preview([], policy.retention, policy, now, UTC), 20):
        while run.at.date() <= day.day:
            first_full = not any(point.kind is BackupKind.FULL for point in present)
            kind = BackupKind.FULL if first_full else run.kind
            planned = PointId(f"planned/{run.at.isoformat()}")
            sequence = max((point.sequence for point in present), default=0) + 1
            present.append(KeptPoint(id=planned, created_at=run.at, kind=kind, sequence=sequence))
            present = [point for point, _ in decide(present, policy.retention, policy, run.at, UTC).keep]
            run = next(runs)
        assert list(day.points) == present
