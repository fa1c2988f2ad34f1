"""Stored moments against the present: pure decisions for a clock that may have been wrong.

The clock of this machine may have been ahead when a moment was stored. Such a moment is in the future once the
clock is right again, and nothing may wait for it: it says only that the time is not known. A small lead is no
reason for doubt, because clocks are corrected by seconds all the time, and other consoles have their own.
"""

from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(hours=1)
"""Clocks that differ by no more are taken to be equal."""


def is_in_future(moment: datetime, now: datetime, tolerance: timedelta = TOLERANCE) -> bool:
    """Return whether a moment is so far in the future that the clock which noted it must have been wrong."""
    return moment - now > tolerance


def believed(moment: datetime | None, now: datetime, tolerance: timedelta = TOLERANCE) -> datetime | None:
    """Return a moment of the past that can be believed; None where there is none, or it is in the future."""
    return None if moment is None or is_in_future(moment, now, tolerance) else moment


def is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Return whether it is time for something again that has to happen every so often.

    It is due when it never happened, and when it is not known when it did because its moment is in the future.
    """
    known = believed(last, now)
    return known is None or now - known >= every


def has_age(moment: datetime, age: timedelta, now: datetime) -> bool:
    """Return whether something is so old that it may be removed; never where its moment is in the future."""
    return not is_in_future(moment, now) and now - moment >= age
