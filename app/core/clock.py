"""Time as a dependency, so that tests can turn it."""

import sys
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall clock, stopwatch and sleep."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; prefer :meth:`app.core.cancel.CancelToken.wait` inside a task."""
        ...


def uptime_s(clock: Clock) -> float:
    """Return a clock's stopwatch that goes on while the machine sleeps, where it has one."""
    return clock.uptime() if isinstance(clock, SystemClock) else clock.monotonic()


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def uptime(self) -> float:
        """Return seconds that never go back, and go on while the machine sleeps where the system counts them."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":  # there CLOCK_MONOTONIC counts sleep, and time.monotonic() does not
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
