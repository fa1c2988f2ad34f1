"""Moments that a wrong clock stored keep nothing from happening, and make nothing old."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clocks import ClockDoubtKind, differs, doubt_of
from app.domain.engines import EngineBeat
from app.domain.moments import TOLERANCE, believed, has_age, is_due, is_in_future

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
DAY = timedelta(days=1)

moments = st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def test_a_small_lead_is_no_reason_for_doubt() -> None:
    assert not is_in_future(NOW + TOLERANCE, NOW)
    assert is_in_future(NOW + TOLERANCE + timedelta(seconds=1), NOW)
    assert believed(NOW + timedelta(minutes=5), NOW) == NOW + timedelta(minutes=5)
    assert believed(NOW + DAY, NOW) is None
    assert believed(None, NOW) is None


def test_what_was_done_in_the_future_is_due_now() -> None:
    assert is_due(NOW.replace(year=2035), DAY, NOW)
    assert is_due(None, DAY, NOW)
    assert is_due(NOW - DAY, DAY, NOW)
    assert not is_due(NOW - DAY / 2, DAY, NOW)
    assert not is_due(NOW + timedelta(minutes=1), DAY, NOW)


def test_what_was_made_in_the_future_is_not_old() -> None:
    assert has_age(NOW - DAY, DAY, NOW)
    assert not has_age(NOW.replace(year=2035), DAY, NOW)
    assert not has_age(NOW.replace(year=2035), -10_000 * DAY, NOW)


@given(last=moments, now=moments, every=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_nothing_waits_longer_than_its_interval_and_the_tolerance(
    last: datetime, now: datetime, every: timedelta
) -> None:
    assert is_due(last, every, now) or now - last < every
    assert is_due(last, every, now) or last - now <= TOLERANCE


def test_an_engine_whose_last_beat_is_in_the_future_is_not_taken_to_be_alive() -> None:
    beat = EngineBeat(id="e", host="h", pid=1, started_at=NOW, beat_at=NOW.replace(year=2035))
    assert not beat.is_alive(NOW)
    assert beat.is_alive(beat.beat_at)


# --- doubts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "elapsed", "kind"),
    [
        (timedelta(days=3), None, None),  # the program was off over the weekend
        (timedelta(days=60), None, ClockDoubtKind.AHEAD),
        (timedelta(hours=-2), None, ClockDoubtKind.BEHIND),
        (timedelta(minutes=-30), None, None),
        (timedelta(days=3), timedelta(days=3), None),  # the machine slept
        (timedelta(hours=2), timedelta(seconds=1), ClockDoubtKind.AHEAD),
        (timedelta(hours=-2), timedelta(seconds=1), ClockDoubtKind.BEHIND),
        (timedelta(seconds=1), timedelta(hours=2), ClockDoubtKind.BEHIND),
    ],
)
def test_a_clock_goes_on_from_when_it_was_last_believed(
    gap: timedelta, elapsed: timedelta | None, kind: ClockDoubtKind | None
) -> None:
    found = doubt_of(NOW + gap, NOW, elapsed)
    assert (None if found is None else found.kind) is kind


def test_another_clock_may_differ_by_what_was_accepted() -> None:
    assert differs(timedelta(hours=8), None)
    assert differs(timedelta(hours=-8), timedelta(hours=8))
    assert not differs(timedelta(hours=8, minutes=10), timedelta(hours=8))
    assert not differs(timedelta(0), timedelta(hours=8)), "it was put right since"
