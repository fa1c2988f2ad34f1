"""Waiting for a platform that cannot be reached: a vCenter that restarts is away for minutes, not for good.

One :class:`Patience` belongs to one task and one platform. Everything that the task asks of the platform goes
through it, on whatever layer: nested waits count as one, and once the platform has been away for longer than
allowed, no call waits again until it has answered.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.domain.errors import OperationalError, PlatformUnreachable
from app.domain.messages import Param
from app.domain.reasons import reason_of

T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


def is_unreachable(error: Exception) -> bool:
    """Return whether an error says that the platform does not answer; a refused login is an answer."""
    return isinstance(error, PlatformUnreachable)


class Patience:
    """Repeats what failed because the platform was away, as long as a task may wait.

    Thread: any; the threads of a task share it, and each waits for itself.
    """

    def __init__(
        self,
        clock: Clock,
        cancel: CancelToken,
        limit_s: float,
        *,
        on_away: Callable[[Param], None] = lambda _detail: None,
        on_back: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Prepare.

        Args:
            clock: measures how long the platform has been away.
            cancel: ends a wait.
            limit_s: how long the platform may be away; 0 never waits.
            on_away: called once when the platform goes away, with the reason in words.
            on_back: called when it is back, with the seconds that it was away.
        """
        self._clock = clock
        self.cancel = cancel
        self.limit_s = limit_s
        self._on_away = on_away
        self._on_back = on_back
        self._lock = threading.Lock()
        self._away_since: tuple[float, float] | None = None
        """By the task's clock and by the machine's: a clock that stands still must not make a wait endless."""
        self._pause_s = FIRST_PAUSE_S
        self._given_up = False
        self._nested = threading.local()

    def through(self, action: Callable[[], T], is_outage: Callable[[Exception], bool] = is_unreachable) -> T:
        """Run an action, and again from its beginning while the platform is away.

        Raises:
            TaskCancelled: cancelled while waiting.
            Exception: what the action raised, when it is no outage or the platform was away for too long.
        """
        is_outermost = not getattr(self._nested, "inside", False)
        self._nested.inside = True
        try:
            result = self.repeat(action, is_outage)
        finally:
            self._nested.inside = not is_outermost
        if is_outermost:  # part of an action says little: a platform that starts answers some calls before others
            self.answered()
        return result

    def repeat(self, action: Callable[[], T], is_outage: Callable[[Exception], bool] = is_unreachable) -> T:
        """Run an action like :meth:`through`, but its success does not mean that the platform works again.

        Raises:
            TaskCancelled: cancelled while waiting.
            Exception: what the action raised, when it is no outage or the platform was away for too long.
        """
        while True:
            try:
                return action()
            except Exception as error:
                if not is_outage(error) or not self.wait_after(error):
                    raise

    def wait_after(self, error: Exception) -> bool:
        """Wait a moment after a failure to reach the platform; return False when it was away for too long.

        Raises:
            TaskCancelled: cancelled while waiting.
        """
        with self._lock:
            is_news = self._away_since is None
            if self._away_since is None:
                self._away_since, self._pause_s = self._now(), FIRST_PAUSE_S
            left_s = self.limit_s - self._seconds_since(self._away_since)
            if self._given_up or left_s <= 0:
                self._given_up = True
                return False
            pause_s = min(self._pause_s, left_s)
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
        if is_news:
            self._on_away(_detail_of(error))
        self.cancel.wait(pause_s)
        return True

    def answered(self) -> None:
        """Note that the platform answered: a later outage is another one."""
        with self._lock:
            since, self._away_since = self._away_since, None
            gave_up, self._given_up = self._given_up, False
        if since is not None and not gave_up:
            self._on_back(self._seconds_since(since))

    def _now(self) -> tuple[float, float]:
        return self._clock.monotonic(), time.monotonic()

    def _seconds_since(self, since: tuple[float, float]) -> float:
        return max(now - then for now, then in zip(self._now(), since, strict=True))


def _detail_of(error: Exception) -> Param:
    if isinstance(error, OperationalError):
        return error.params.get("detail") or error.said()
    return reason_of(error)
