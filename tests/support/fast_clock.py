"""A clock on which half an hour is a few seconds, for the simulator and the engine alike."""

from datetime import datetime, timedelta

from app.core.clock import SystemClock


class FastClock(SystemClock):
    """The machine's clock, running faster from its making on. Thread: any."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._began_s = super().monotonic()
        self._began = super().now()

    def monotonic(self) -> float:
        """Return the fast stopwatch."""
        return (super().monotonic() - self._began_s) * self._times

    def now(self) -> datetime:
        """Return the fast time."""
        return self._began + timedelta(seconds=self.monotonic())

    def sleep(self, seconds: float) -> None:
        """Wait for so many fast seconds."""
        super().sleep(seconds / self._times)
