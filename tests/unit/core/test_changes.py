"""What the feed of changes promises: few announcements, nothing lost, and the last one always announced."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.core.changes import MOST_KEYS, ChangeFeed, Keys
from app.domain.changes import Subject
from tests.support.logguard import LogGuard
from tests.support.waiting import wait_until

Told = list[tuple[Subject, Keys]]
SHORT_S = 0.02


@contextmanager
def told_by(feed: ChangeFeed) -> Iterator[Told]:
    told: Told = []
    feed.start(lambda subject, keys: told.append((subject, keys)))
    try:
        yield told
    finally:
        feed.close()


def test_a_burst_of_a_thousand_changes_is_announced_in_a_few_events_that_name_every_key() -> None:
    feed = ChangeFeed()
    wanted = {f"rule-{number % 100}" for number in range(1000)}
    with told_by(feed) as told:
        began_s = time.monotonic()
        for number in range(1000):
            feed.note(Subject.RULES, [f"rule-{number % 100}"])
        took_s = time.monotonic() - began_s
    assert set().union(*(keys or () for _, keys in told)) == wanted
    assert len(told) <= 2 + took_s / 0.05


def test_the_first_change_is_announced_at_once_and_the_next_ones_after_the_pause() -> None:
    feed = ChangeFeed(pause_s=30.0)
    with told_by(feed) as told:
        feed.note(Subject.TASKS, ["a"])
        wait_until(lambda: told, what="the first change")
        feed.note(Subject.TASKS, ["b"])
        feed.note(Subject.RULES, ["r"])
        wait_until(lambda: len(told) == 2, what="another subject, which has a pause of its own")
        assert told == [(Subject.TASKS, frozenset({"a"})), (Subject.RULES, frozenset({"r"}))]
    assert told[2:] == [(Subject.TASKS, frozenset({"b"}))], "closing announces what is left"


@pytest.mark.parametrize("first", [True, False])
def test_a_change_of_a_whole_subject_swallows_its_keys(first: bool) -> None:
    feed = ChangeFeed()
    for keys in [(), ("a",)] if first else [("a",), ()]:
        feed.note(Subject.TASKS, keys)
    with told_by(feed) as told:
        wait_until(lambda: told)
    assert told == [(Subject.TASKS, None)]


def test_more_keys_than_anybody_asks_for_one_by_one_are_the_whole_subject() -> None:
    feed = ChangeFeed()
    feed.note(Subject.TASKS, [str(number) for number in range(MOST_KEYS)])
    feed.note(Subject.TASKS, ["one more"])
    with told_by(feed) as told:
        wait_until(lambda: told)
    assert told == [(Subject.TASKS, None)]


def test_what_is_remembered_is_forgotten_before_anybody_hears_of_a_change() -> None:
    feed = ChangeFeed()
    order: list[str] = []
    feed.watch(lambda subject, keys: order.append(f"forget {subject.value} {sorted(keys or ())}"))
    feed.start(lambda subject, _keys: order.append(f"hear {subject.value}"))
    feed.note(Subject.RULES, ["r"])
    feed.close()
    assert order == ["forget rules ['r']", "hear rules"]


def test_a_listener_that_raises_costs_its_own_announcement_only(log_guard: LogGuard) -> None:
    feed = ChangeFeed(pause_s=SHORT_S)
    heard: list[Subject] = []

    def listen(subject: Subject, _keys: Keys) -> None:
        if subject is Subject.LOG:
            raise RuntimeError("listener bug")
        heard.append(subject)

    log_guard.expect("a change of log was not announced")
    feed.start(listen)
    feed.note(Subject.LOG)
    feed.note(Subject.TASKS)
    feed.close()
    assert heard == [Subject.TASKS]


@pytest.mark.parametrize("seed", range(8))
def test_who_asks_upon_a_change_sees_the_newest_state_whatever_the_threads_do(seed: int) -> None:
    """Several threads change values and note it; whoever asks whenever it hears ends with every newest value."""
    feed = ChangeFeed(pause_s=SHORT_S / 10)
    state = {f"key-{number}": 0 for number in range(20)}
    shown = dict(state)
    lock = threading.Lock()

    def ask(_subject: Subject, keys: Keys) -> None:
        for key in state if keys is None else keys:
            shown[key] = state[key]

    def change(chance: random.Random) -> None:
        for _ in range(300):
            key = chance.choice(list(state))
            with lock:
                state[key] += 1
            feed.note(Subject.TASKS, () if chance.random() < 0.02 else (key,))
            if chance.random() < 0.05:
                time.sleep(0.0005)

    feed.start(ask)
    threads = [threading.Thread(target=change, args=(random.Random(seed * 10 + number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: shown == state, deadline_s=2, what="the newest state, without a further change")
    feed.close()
    assert sum(shown.values()) == 1200
