"""Calls that may never return: deadlines, cancellation, and no more lost threads than agreed."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.core.boundedcalls import BoundedCalls, Call, CallTimedOut
from app.core.cancel import CancelToken
from app.domain.errors import TaskCancelled
from tests.support.waiting import wait_for_threads


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Give an event that calls may wait for; it is set when the test ends."""
    event = threading.Event()
    yield event
    event.set()
    wait_for_threads("calls-")


def test_results_and_errors_come_back_to_the_caller() -> None:
    calls = BoundedCalls("calls")
    assert calls.run(lambda _call: 42, 5.0) == 42

    def fail(_call: Call[None]) -> None:
        raise KeyError("a")

    with pytest.raises(KeyError):
        calls.run(fail, 5.0)


def test_a_call_that_does_not_return_is_left_to_itself(stuck: threading.Event) -> None:
    with pytest.raises(CallTimedOut):
        BoundedCalls("calls").run(lambda _call: stuck.wait(), 0.1)


def test_a_stopped_task_does_not_wait(stuck: threading.Event) -> None:
    cancel = CancelToken()
    threading.Timer(0.1, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(TaskCancelled):
        BoundedCalls("calls").run(lambda _call: stuck.wait(), 60.0, cancel)
    assert time.monotonic() - began < 5


def test_while_all_are_stuck_a_further_call_fails_at_once(stuck: threading.Event) -> None:
    calls = BoundedCalls("calls", at_once=2)
    for _ in range(2):
        with pytest.raises(CallTimedOut):
            calls.run(lambda _call: stuck.wait(), 0.05)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(CallTimedOut):
            calls.run(lambda _call: stuck.wait(), 60.0)
    assert time.monotonic() - began < 5
    assert sum(thread.name.startswith("calls-") for thread in threading.enumerate()) == 2


def test_a_call_sees_that_no_one_waits_for_it(stuck: threading.Event) -> None:
    changed: list[str] = []

    def change(call: Call[None]) -> None:
        stuck.wait()
        call.check()
        changed.append("changed")

    calls = BoundedCalls("calls")
    with pytest.raises(CallTimedOut):
        calls.run(change, 0.05)
    stuck.set()
    assert calls.run(lambda _call: True, 5.0)
    assert changed == []


def test_at_the_end_no_one_waits_any_longer(stuck: threading.Event) -> None:
    calls = BoundedCalls("calls")
    threading.Timer(0.1, calls.close).start()
    began = time.monotonic()
    with pytest.raises(CallTimedOut):
        calls.run(lambda _call: stuck.wait(), 60.0)
    assert time.monotonic() - began < 5
