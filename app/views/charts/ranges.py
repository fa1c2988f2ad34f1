"""Which stretch of time a chart shows: what there is, and no weeks in which nothing was measured yet."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

_SHARE = 20
"""One part in so many stays free on each side of the data."""
_LEAST_PART = 48
"""At least one part in so many of the stretch is shown: half an hour of a day."""
ROLLING = timedelta(minutes=10)
LEAST_DAYS = 7


def fitted_range(moments: Iterable[datetime], start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the part of ``start`` to ``end`` in which there is data, with a margin.

    Ten minutes or less are a window that rolls with the time, and stay as they are.

    Args:
        moments: those that hold data; others outside of the stretch do not count.
        start: of what was asked for.
        end: of what was asked for.
    """
    known = [moment for moment in moments if start <= moment <= end]
    if not known or end - start <= ROLLING:
        return start, end
    first, last = min(known), max(known)
    least = (end - start) / _LEAST_PART
    margin = max((last - first) / _SHARE, (least - (last - first)) / 2)
    return max(start, first - margin), min(end, last + margin)


def fitted_days(days: Iterable[date], last_day: date, most: int) -> int:
    """Return how many days that end with ``last_day`` hold the data: a week at least, ``most`` at most."""
    first = min(days, default=last_day)
    return min(most, max(LEAST_DAYS, (last_day - first).days + 1))
