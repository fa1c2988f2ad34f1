from datetime import UTC, datetime

import pytest

from app.core.bus import EventBus
from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.core.retry import RetryPolicy, retry
from app.domain.errors import LoginRefused, SnapshotFailed
from app.domain.events import Event
from app.domain.messages import MessageKind
from tests.support.logguard import LogGuard

AT = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = RetryPolicy(attempts=3, first_delay_s=0)


def refused() -> LoginRefused:
    return LoginRefused(address="vc-1", user="backup")


def busy() -> SnapshotFailed:
    return SnapshotFailed(vm="db-01", operation="created", detail="busy")


def test_every_listener_hears_an_event_even_next_to_a_broken_one(log_guard: LogGuard) -> None:
    bus = EventBus()
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("listener bug")

    bus.subscribe(broken)
    unsubscribe = bus.subscribe(heard.append)
    log_guard.expect("event listener failed on Event")
    bus.publish(Event(at=AT))
    unsubscribe()
    bus.publish(Event(at=AT))
    assert heard == [Event(at=AT)]


def test_retry_tries_again_only_what_may_succeed() -> None:
    calls: list[int] = []

    def succeeds_late() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise busy()
        return "done"

    assert retry(succeeds_late, QUICK, CancelToken()) == "done"

    def is_refused() -> str:
        calls.append(1)
        raise refused()

    calls.clear()
    with pytest.raises(LoginRefused):
        retry(is_refused, QUICK, CancelToken())
    assert len(calls) == 1


def test_retry_gives_up_after_its_attempts_and_reports_each_failure() -> None:
    failures: list[int] = []

    def never() -> None:
        raise busy()

    with pytest.raises(SnapshotFailed):
        retry(never, QUICK, CancelToken(), on_failure=lambda _error, count: failures.append(count))
    assert failures == [1, 2]


def test_delays_grow_to_a_limit() -> None:
    policy = RetryPolicy(first_delay_s=1, factor=3, longest_s=10)
    assert [policy.delay_s(n) for n in (1, 2, 3, 4)] == [1, 3, 9, 10]


def test_progress_shows_the_part_that_is_done() -> None:
    progress = Progress()
    assert progress.sample().fraction == 0
    progress.expect(200)
    progress.advance(done_bytes=50, read_bytes=40, written_bytes=10)
    sample = progress.sample()
    assert (sample.fraction, sample.read_bytes, sample.written_bytes) == (0.25, 40, 10)
    progress.advance(done_bytes=1000)
    assert progress.sample().fraction == 1


def test_a_message_keeps_its_parameters_with_the_sentence() -> None:
    kind = MessageKind("test.greeting", "{who} says hello to {whom}.")
    message = kind.fill(whom="you", who="I")
    assert str(message) == "I says hello to you."
    assert message.params == (("who", "I"), ("whom", "you"))
    with pytest.raises(KeyError):
        kind.fill(who="I")
