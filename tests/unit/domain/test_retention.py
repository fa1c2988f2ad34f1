from datetime import UTC, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PointId
from app.domain.moments import is_in_future
from app.domain.policies import GrandfatherFatherSon, OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit, Retention
from app.domain.retention import KeepReason, KeptPoint, believed_moments, decide, expires_at, preview
from app.domain.states import BackupKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONCE = OneTimePolicy(start=NOW)
F, I, D = BackupKind.FULL, BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL  # noqa: E741 - read as a row of letters


def daily(kind: BackupKind = I, retention: Retention | None = None) -> PeriodicPolicy:
    plan = Plan(unit=PolicyUnit.DAILY, kind=kind, times=(time(1),))
    return PeriodicPolicy(plans=(plan,), retention=retention or Retention())


def point(days_ago: float, kind: BackupKind = I, *, good: bool = True) -> KeptPoint:
    return KeptPoint(id=PointId(f"{days_ago}"), created_at=NOW - timedelta(days=days_ago), kind=kind, is_good=good)


def removed(points: list[KeptPoint], retention: Retention, policy: PeriodicPolicy | None = None) -> list[str]:
    return [point.id for point in decide(points, retention, policy or daily(), NOW, UTC).remove]


def test_points_older_than_the_period_go() -> None:
    points = [point(age) for age in (9, 8, 7, 6.9, 1)]
    assert removed(points, Retention(period=7)) == ["9", "8", "7"]


def test_the_newest_good_point_stays_however_old() -> None:
    assert removed([point(900), point(800)], Retention(period=1)) == ["900"]


def test_a_damaged_newest_point_does_not_cost_the_good_one_before_it() -> None:
    points = [point(900), point(800), point(0, good=False)]
    assert removed(points, Retention(period=1)) == ["900"]


def test_nothing_goes_while_no_point_is_good() -> None:
    assert removed([point(900, good=False), point(800, good=False)], Retention(period=1)) == []


def test_the_full_that_differentials_refer_to_stays() -> None:
    points = [point(40, F), point(30, F), point(20, D), point(1, D)]
    assert removed(points, Retention(period=7), daily(D)) == ["40", "20"]
    assert removed(points, Retention(period=7), daily(I)) == ["40", "20"]
    assert removed([point(30, F), point(1, I)], Retention(period=7), daily(I)) == ["30"]


def test_a_count_keeps_the_newest_whatever_their_age() -> None:
    assert removed([point(age) for age in (50, 40, 30, 20)], Retention(period=1, keep_newest=3)) == ["50"]


def test_a_count_beyond_the_number_of_points_keeps_all() -> None:
    assert removed([point(50), point(40), point(30)], Retention(period=1, keep_newest=4)) == []


def test_grandfather_father_son_keeps_the_newest_of_each_period() -> None:
    points = [point(days) for days in range(400, -1, -1)]
    gfs = GrandfatherFatherSon(days=3, weeks=2, months=2, years=2)
    decision = decide(points, Retention(period=1, gfs=gfs), daily(), NOW, UTC)
    kept = {point.created_at.date().isoformat(): reasons for point, reasons in decision.keep}
    assert set(kept) == {"2026-11-22", "2026-11-21", "2026-11-20", "2026-11-15", "2026-10-31", "2025-12-31"}
    assert kept["2026-11-15"] == {KeepReason.GFS_WEEK}
    assert kept["2025-12-31"] == {KeepReason.GFS_YEAR}


@pytest.mark.parametrize(
    ("unit", "period", "created", "expected"),
    [
        (PolicyUnit.DAILY, 64, "2026-01-01", "2026-03-06"),
        (PolicyUnit.WEEKLY, 2, "2026-01-01", "2026-01-15"),
        (PolicyUnit.MONTHLY, 1, "2026-01-31", "2026-02-28"),
        (PolicyUnit.QUARTERLY, 4, "2024-02-29", "2025-02-28"),
    ],
)
def test_the_period_counts_in_calendar_units(unit: PolicyUnit, period: int, created: str, expected: str) -> None:
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC)
    assert f"{expires_at(moment, Retention(period=period, unit=unit), UTC):%Y-%m-%d}" == expected


def test_the_preview_shows_which_points_exist_on_a_future_day() -> None:
    policy = daily(I, Retention(period=3))
    days = list(islice(preview([], policy.retention, policy, NOW, UTC), 10))
    assert [len(day.points) for day in days] == [0, 1, 2, 3, 3, 3, 3, 3, 3, 3]
    assert [point.kind for point in days[3].points] == [F, I, I]
    assert [point.created_at.day for point in days[9].points] == [29, 30, 1]


def test_the_preview_of_a_one_time_policy_stays_as_it_is() -> None:
    days = list(islice(preview([point(5, F)], Retention(period=1), ONCE, NOW, UTC), 30))
    assert all(len(day.points) == 1 for day in days)


# --- clocks that were wrong ------------------------------------------------------------------------------------


def numbered(moments: list[datetime]) -> list[KeptPoint]:
    return [
        KeptPoint(id=PointId(f"{place}"), created_at=moment, kind=F if place == 1 else I, sequence=place)
        for place, moment in enumerate(moments, 1)
    ]


def test_the_newest_point_is_the_last_in_sequence_whatever_its_time() -> None:
    points = numbered([NOW - timedelta(days=900), NOW.replace(year=2036), NOW - timedelta(days=800)])
    (expired,) = decide(points, Retention(period=1), daily(), NOW, UTC).remove[:1]
    assert expired.id == "1"
    assert "3" not in [point.id for point in decide(points, Retention(period=1), daily(), NOW, UTC).remove]


def test_a_point_from_the_future_expires_like_the_one_after_it() -> None:
    days = [NOW - timedelta(days=age) for age in (9, 8, 7, 6, 5)]
    days[2] = NOW.replace(year=2036)
    assert [point.id for point in decide(numbered(days), Retention(period=7), daily(), NOW, UTC).remove] == [
        "1",
        "2",
    ]
    later = NOW + timedelta(days=1)
    assert "3" in [point.id for point in decide(numbered(days), Retention(period=7), daily(), later, UTC).remove]


def test_a_point_that_is_dated_far_too_early_is_not_old() -> None:
    days = [NOW - timedelta(days=2), NOW.replace(year=1970), NOW - timedelta(days=1)]
    assert decide(numbered(days), Retention(period=7), daily(), NOW, UTC).remove == ()


MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@given(moments=st.lists(MOMENTS, max_size=12), now=MOMENTS)
def test_believed_moments_are_in_order_and_no_later_than_now_allows(
    moments: list[datetime], now: datetime
) -> None:
    found = believed_moments(numbered(moments), now)
    assert found == sorted(found)
    assert all(not is_in_future(moment, now) for moment in found)
    if moments == sorted(moments) and not any(is_in_future(moment, now) for moment in moments):
        assert found == moments


@given(ages=st.lists(st.integers(0, 400), min_size=2, max_size=12), wrong=MOMENTS, data=st.data())
def test_one_wrong_date_costs_no_point_that_would_have_stayed(
    ages: list[int], wrong: datetime, data: st.DataObject
) -> None:
    right = [NOW - timedelta(days=age) for age in sorted(ages, reverse=True)]
    place = data.draw(st.integers(0, len(right) - 1))
    mistaken = [*right[:place], wrong, *right[place + 1 :]]
    would_go = {point.id for point in decide(numbered(right), Retention(period=30), daily(), NOW, UTC).remove}
    goes = {point.id for point in decide(numbered(mistaken), Retention(period=30), daily(), NOW, UTC).remove}
    assert goes - {f"{place + 1}"} <= would_go
