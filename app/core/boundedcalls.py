"""Calls into other programs that may never return, each with a deadline."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from app.core.cancel import CancelToken

T = TypeVar("T")

_LOOK_S: Final = 0.1
"""How often a waiting caller looks whether it was cancelled."""


_GRACE_S: Final = 0.2
"""How long a call waits for its turn behind calls that are overdue: one of them may be ending right now."""


class CallTimedOut(Exception):
    """A call did not return in time; it may still return later, and its result is thrown away."""


class CallGivenUp(Exception):
    """The caller has given up waiting: the call may not change anything any more."""


class Call(Generic[T]):
    """One call, as the function that is called sees it. Thread: any."""

    def __init__(self, action: Callable[["Call[T]"], T]) -> None:
        self._action = action
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._is_given_up = False
        self._result: T | None = None
        self._error: BaseException | None = None

    def check(self) -> None:
        """Go on, or stop here: to be called before something is changed.

        Raises:
            CallGivenUp: the call was already reported as failed.
        """
        with self._lock:
            if self._is_given_up:
                raise CallGivenUp

    def give_up(self) -> None:
        """Note that no one waits any more."""
        with self._lock:
            self._is_given_up = True

    def carry_out(self) -> None:
        """Call the function and keep what it returns or raises."""
        try:
            self._result = self._action(self)
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            self._error = error
        finally:
            self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return False when the time was up first."""
        return self._ended.wait(seconds)

    def result(self) -> T:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # a function that returns None has T = None


class BoundedCalls:
    """Runs calls on its own threads, so that a caller waits no longer than a deadline.

    A call that never returns keeps its thread. No more than ``at_once`` can: while that many are stuck beyond
    their deadlines, a further call fails almost at once. The threads are daemons, so none of them keeps the
    program from ending.

    Thread: any.
    """

    def __init__(self, name: str, *, at_once: int = 1) -> None:
        self._name = name
        self._at_once = at_once
        self._changed = threading.Condition()
        self._running: dict[int, float] = {}
        """Deadlines (monotonic seconds) of the calls that run, by their numbers."""
        self._number = 0
        self._last_moment = math.inf
        """When no one waits any more (monotonic seconds)."""

    def close(self, within_s: float = 0.0) -> None:
        """Let no one wait any longer than this from now on: the program ends."""
        with self._changed:
            self._last_moment = min(self._last_moment, time.monotonic() + within_s)
            self._changed.notify_all()

    def run(self, action: Callable[[Call[T]], T], limit_s: float, cancel: CancelToken | None = None) -> T:
        """Call ``action`` and return what it returns; what it raises is raised here.

        Args:
            action: called with its :class:`Call` on another thread.
            limit_s: how long the caller waits, for its turn and for the end together.
            cancel: ends the waiting as well.

        Raises:
            CallTimedOut: the time was up.
            TaskCancelled: the task was stopped.
        """
        deadline = time.monotonic() + limit_s
        number = self._take_turn(deadline, cancel)
        call = Call(action)
        try:
            threading.Thread(
                target=self._carry_out, args=(number, call), name=f"{self._name}-{number}", daemon=True
            ).start()
        except BaseException:
            self._end_turn(number)
            raise
        try:
            while not call.wait(_pause_s(deadline)):
                _look(min(deadline, self._last_moment), cancel)
        except BaseException:
            call.give_up()
            raise
        return call.result()

    def _take_turn(self, deadline: float, cancel: CancelToken | None) -> int:
        with self._changed:
            while len(self._running) >= self._at_once:
                if all(until <= time.monotonic() for until in self._running.values()):
                    deadline = min(deadline, time.monotonic() + _GRACE_S)
                _look(min(deadline, self._last_moment), cancel)
                self._changed.wait(_pause_s(deadline))
            self._number += 1
            self._running[self._number] = deadline
            return self._number

    def _end_turn(self, number: int) -> None:
        with self._changed:
            del self._running[number]
            self._changed.notify_all()

    def _carry_out(self, number: int, call: Call[T]) -> None:
        try:
            call.carry_out()
        finally:
            self._end_turn(number)


def _pause_s(deadline: float) -> float:
    return max(0.0, min(_LOOK_S, deadline - time.monotonic()))


def _look(deadline: float, cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()
    if time.monotonic() >= deadline:
        raise CallTimedOut
