"""The thread that ticks: at once when woken, exactly when something is due, and else seldom."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.engine.rules.ticker import Ticker
from tests.support.waiting import wait_until

SELDOM_S = 3600.0


class Ticks:
    """Counts ticks, and lets a test say in how long something is due."""

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self.due_s: float | None = None

    def note(self) -> None:
        self.at_s.append(time.monotonic())

    def seconds_left(self) -> float | None:
        return None if self.due_s is None else self.due_s - time.monotonic()


@contextmanager
def ticking(ticks: Ticks, *calls: Callable[[], None], tick_s: float = SELDOM_S) -> Iterator[Ticker]:
    ticker = Ticker(tick_s, (*calls, ticks.note), ticks.seconds_left)
    ticker.start()
    try:
        yield ticker
    finally:
        ticker.stop()


def test_it_ticks_at_its_start_and_then_not_before_its_time() -> None:
    ticks = Ticks()
    with ticking(ticks):
        wait_until(lambda: len(ticks.at_s) == 1)
        time.sleep(0.2)
    assert len(ticks.at_s) == 1


def test_who_wakes_it_does_not_wait() -> None:
    ticks = Ticks()
    with ticking(ticks) as ticker:
        wait_until(lambda: len(ticks.at_s) == 1)
        ticker.wake()
        wait_until(lambda: len(ticks.at_s) == 2)


def test_a_call_that_wakes_it_while_it_ticks_is_not_lost() -> None:
    ticks, once = Ticks(), threading.Event()
    woken: list[Ticker] = []

    def wake_once() -> None:
        if woken and not once.is_set():
            once.set()
            woken[0].wake()

    with ticking(ticks, wake_once) as ticker:
        wait_until(lambda: len(ticks.at_s) == 1)
        woken.append(ticker)
        ticker.wake()
        wait_until(lambda: len(ticks.at_s) == 3)


def test_it_ticks_when_something_is_due_and_not_before() -> None:
    ticks = Ticks()
    ticks.due_s = time.monotonic() + 0.3
    with ticking(ticks):
        wait_until(lambda: len(ticks.at_s) == 2)
    assert ticks.at_s[1] >= ticks.due_s


def test_what_stays_due_is_tried_again_but_not_as_fast_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.rules.ticker._AGAIN_S", 0.1)
    ticks = Ticks()
    ticks.due_s = time.monotonic() - 60
    with ticking(ticks):
        wait_until(lambda: len(ticks.at_s) >= 4)
    pauses = [later - earlier for earlier, later in zip(ticks.at_s, ticks.at_s[1:], strict=False)]
    assert min(pauses) >= 0.09


@pytest.mark.allows_log("failed and is tried again")
def test_a_call_that_fails_keeps_no_other_from_its_turn() -> None:
    def fail() -> None:
        raise ValueError("a bug")

    ticks = Ticks()
    with ticking(ticks, fail) as ticker:
        wait_until(lambda: len(ticks.at_s) == 1)
        ticker.wake()
        wait_until(lambda: len(ticks.at_s) == 2)


def test_without_a_pace_nothing_happens_by_itself() -> None:
    ticks = Ticks()
    ticks.due_s = time.monotonic() - 60
    with ticking(ticks, tick_s=0.0) as ticker:
        ticker.wake()
        time.sleep(0.1)
        assert ticks.at_s == []
        ticker.tick()
        assert len(ticks.at_s) == 1


def test_it_ends_also_when_it_is_stopped_just_as_it_wakes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Ticker] = []

    class Slow(threading.Event):
        """Lets the other thread be first."""

        def clear(self) -> None:
            if stopped:
                stopped.pop().stop()
            super().clear()

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Slow)
        ticks = Ticks()
        ticker = Ticker(SELDOM_S, (ticks.note,), ticks.seconds_left)
    stopped.append(ticker)
    ticker.start()
    try:
        wait_until(lambda: not stopped and all(thread.name != "scheduler" for thread in threading.enumerate()))
    finally:
        ticker.stop()
