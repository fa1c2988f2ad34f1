from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.views import formatting

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (None, "—"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_999, "1.00 MB"),
        (40_000_000_000, "40.0 GB"),
        (4_100_000_000_000, "4.10 TB"),
        (312_400_000, "312 MB"),
    ],
)
def test_sizes_have_three_figures(size_bytes: int | None, expected: str) -> None:
    assert formatting.size(size_bytes) == expected


@given(st.integers(0, 10**17))
def test_a_size_never_grows_longer_than_its_column(size_bytes: int) -> None:
    number, _, unit = formatting.size(size_bytes).partition(" ")
    assert len(number.replace(".", "")) <= 3
    assert unit in {"B", "kB", "MB", "GB", "TB", "PB"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(8, "8 s"), (59.6, "1 min 00 s"), (65, "1 min 05 s"), (3780, "1 h 03 min"), (187200, "2 d 4 h"), (-5, "0 s")],
)
def test_durations_show_their_two_largest_units(seconds: float, expected: str) -> None:
    assert formatting.duration(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("ago_s", "expected"),
    [(10, "just now"), (180, "3 min ago"), (7300, "2 h ago"), (-600, "in 10 min"), (-20, "just now")],
)
def test_young_moments_are_shown_relative_to_now(ago_s: int, expected: str) -> None:
    assert formatting.short_time(NOW - timedelta(seconds=ago_s), NOW) == expected


def test_old_moments_are_shown_by_local_date_and_time() -> None:
    moment = NOW - timedelta(days=3)
    assert (
        formatting.short_time(moment, NOW)
        == formatting.compact_time(moment, NOW)
        == f"{moment.astimezone():%m-%d %H:%M}"
    )
    assert formatting.exact_time(moment) == f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
    assert formatting.short_time(None, NOW) == formatting.exact_time(None) == "—"


def test_parts_and_counts_are_shown_as_people_write_them() -> None:
    assert formatting.percent(0.2484) == "24.8%"
    assert formatting.percent(1.0) == "100%"
    assert formatting.count(1234567) == "1,234,567"
