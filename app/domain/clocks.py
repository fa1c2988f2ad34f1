"""Whether this machine's clock can be believed: pure decisions, on which nothing is removed before they say yes.

A clock that jumped ahead makes everything old at once. So what is removed for its age is removed only while the
clock goes on from the moment at which it was last believed, and agrees with the clocks of platforms and standby
machines. Only the operator can say that a clock which jumped is right.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from app.domain.moments import TOLERANCE

LONGEST_SILENCE: Final = timedelta(days=10)
"""An engine that was not heard of for longer may have come back with another time."""


class ClockDoubtKind(Enum):
    """Why the clock is doubted."""

    AHEAD = "ahead"
    """It shows much more than has passed, as far as is known."""
    BEHIND = "behind"
    """It shows a time that was over already."""
    PLATFORM = "platform"
    """A platform's clock shows another time."""
    STANDBY = "standby"
    """The clock of a standby machine's file server shows another time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDoubt:
    """One reason not to believe the clock."""

    kind: ClockDoubtKind
    seconds: int
    """By how much our clock is ahead of what it is compared with; negative: behind."""
    subject: str = ""
    """Name of the platform or standby machine."""


def doubt_of(now: datetime, believed_at: datetime, elapsed: timedelta | None) -> ClockDoubt | None:
    """Return whether a clock goes on from the moment at which it was last believed.

    Args:
        now: what it shows.
        believed_at: what it showed then.
        elapsed: what has passed since by a stopwatch; None where none has run all the time.
    """
    gap = now - believed_at
    ahead = gap if elapsed is None else gap - elapsed
    if ahead < -TOLERANCE:
        return ClockDoubt(kind=ClockDoubtKind.BEHIND, seconds=int(ahead.total_seconds()))
    if gap > LONGEST_SILENCE or (elapsed is not None and ahead > TOLERANCE):
        unexplained = ahead if ahead > TOLERANCE else gap
        return ClockDoubt(kind=ClockDoubtKind.AHEAD, seconds=int(unexplained.total_seconds()))
    return None


def differs(ahead: timedelta, accepted: timedelta | None) -> bool:
    """Return whether another clock differs by more than the tolerance from what the operator accepted."""
    return abs(ahead) > TOLERANCE and (accepted is None or abs(ahead - accepted) > TOLERANCE)
