import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QCoreApplication, QObject, QThread
from pytestqt.qtbot import QtBot

from app.core.bus import EventBus
from app.domain.errors import LoginRefused
from app.domain.events import Event
from app.workers import threads
from app.workers.answers import Answer, Bug, Failure
from app.workers.apart import Apart, Call
from app.workers.pump import EventPump
from app.workers.threads import QtTaskRunner
from tests.support.logguard import LogGuard

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Listener(QObject):
    """Notes answers together with the thread they came on."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[object] = []
        self.failures: list[Failure] = []
        self.threads: list[QThread] = []

    def on_done(self, answer: object) -> None:
        self.answers.append(answer)
        self.threads.append(QThread.currentThread())

    def on_failed(self, failure: Failure) -> None:
        self.failures.append(failure)


def test_an_answer_comes_back_to_the_gui_thread(qtbot: QtBot) -> None:
    apart, listener, seen = Apart(), Listener(), []

    def work() -> int:
        seen.append(threading.current_thread() is threading.main_thread())
        return 42

    apart.run(work, owner=listener, on_done=listener.on_done, on_failed=listener.on_failed)
    qtbot.waitUntil(lambda: bool(listener.answers))
    assert (listener.answers, seen) == ([42], [False])
    assert listener.threads == [QThread.currentThread()]
    assert apart.wait(1000)


def test_an_operators_error_comes_back_as_it_is(qtbot: QtBot) -> None:
    apart, listener = Apart(), Listener()
    error = LoginRefused(address="vc-1", user="backup")

    def work() -> None:
        raise error

    apart.run(work, owner=listener, on_done=listener.on_done, on_failed=listener.on_failed)
    qtbot.waitUntil(lambda: bool(listener.failures))
    assert listener.failures == [error]
    assert apart.wait(1000)


def test_a_bug_is_logged_and_told_without_ending_anything(qtbot: QtBot, log_guard: LogGuard) -> None:
    log_guard.expect("a request of the window failed")
    apart, listener = Apart(), Listener()

    def work() -> None:
        raise ZeroDivisionError("oops")

    apart.run(work, owner=listener, on_done=listener.on_done, on_failed=listener.on_failed)
    qtbot.waitUntil(lambda: bool(listener.failures))
    assert listener.failures == [Bug("ZeroDivisionError", "oops")]
    assert apart.wait(1000)


def test_an_answer_for_a_closed_page_is_dropped(qtbot: QtBot) -> None:
    apart, page, other, may_go_on = Apart(), Listener(), Listener(), threading.Event()
    answers = page.answers

    def work() -> int:
        may_go_on.wait(10)
        return 1

    apart.run(work, owner=page, on_done=page.on_done, on_failed=page.on_failed)
    page.deleteLater()
    qtbot.wait(1)
    may_go_on.set()
    assert apart.wait(1000)
    apart.run(lambda: 2, owner=other, on_done=other.on_done, on_failed=other.on_failed)
    qtbot.waitUntil(lambda: bool(other.answers))
    assert answers == []


def test_an_answer_that_was_on_its_way_when_the_apart_closed_is_dropped(qtbot: QtBot) -> None:
    apart, told = Apart(), list[object]()
    apart.run(lambda: 1, owner=apart, on_done=told.append, on_failed=told.append)
    assert apart.close(5000)
    with qtbot.captureExceptions() as exceptions:
        QCoreApplication.sendPostedEvents(apart.answers)
    assert (told, exceptions) == ([], [])


class Thing:
    """What a call refers to."""


def failing_call(ended_on: list[int]) -> Callable[[], object]:
    thing = Thing()
    weakref.finalize(thing, lambda: ended_on.append(threading.get_ident()))

    def work() -> object:
        raise LoginRefused(address=str(thing), user="backup")

    return work


def test_what_a_failed_call_refers_to_does_not_end_on_its_thread() -> None:
    answers: dict[int, Answer] = {}
    ended_on: list[int] = []
    told, dropped = threading.Event(), threading.Event()

    def deliver(_number: int) -> None:
        told.set()
        dropped.wait(10)

    call = Call(1, failing_call(ended_on), answers.__setitem__, deliver)
    thread = threading.Thread(target=call.run)
    thread.start()
    assert told.wait(10)
    answers.clear()  # the GUI thread is done with it, while the thread of the pool is not
    before = list(ended_on)
    dropped.set()
    thread.join()
    assert before == [threading.get_ident()]


def test_a_burst_of_events_arrives_in_order_and_in_few_signals(qtbot: QtBot) -> None:
    bus = EventBus()
    pump = EventPump(bus.subscribe)
    batches: list[tuple[Event, ...]] = []
    pump.arrived.connect(batches.append)
    events = [Event(at=AT.replace(microsecond=n)) for n in range(1000)]

    def publish() -> None:
        for event in events:
            bus.publish(event)

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: sum(map(len, batches)) == len(events))
    assert [event for batch in batches for event in batch] == events
    assert len(batches) == 1
    pump.close()
    bus.publish(events[0])
    qtbot.wait(1)
    assert sum(map(len, batches)) == len(events)


def test_each_task_runs_on_a_thread_of_its_own(qtbot: QtBot) -> None:
    runner, names, both = QtTaskRunner(), [], threading.Barrier(2, timeout=10)

    def work() -> None:
        both.wait()
        names.append(threading.current_thread().name)

    runner.start("backup web-01", work)
    runner.start("backup db-01", work)
    assert runner.join(10)
    assert sorted(names) == ["backup db-01", "backup web-01"]


def test_waiting_for_tasks_ends_with_its_time(qtbot: QtBot, log_guard: LogGuard) -> None:
    log_guard.expect("the work of thread stubborn raised")
    runner, may_end = QtTaskRunner(), threading.Event()

    def work() -> None:
        may_end.wait(10)
        raise RuntimeError("a bug in a task")

    runner.start("stubborn", work)
    assert not runner.join(0.05)
    may_end.set()
    assert runner.join(10)
    assert runner.close() == ()


def test_threads_are_let_go_of_on_the_thread_of_the_loop(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_on: list[int] = []

    class Watched(threads.WorkThread):
        def __init__(self, name: str, work: Callable[[], None]) -> None:
            super().__init__(name, work)
            weakref.finalize(self, lambda: ended_on.append(threading.get_ident()))

    monkeypatch.setattr(threads, "WorkThread", Watched)
    runner = QtTaskRunner()

    def start_one_after_the_other() -> None:
        for number in range(20):
            done = threading.Event()
            runner.start(f"task {number}", done.set)
            assert done.wait(10)

    starting = threading.Thread(target=start_one_after_the_other)
    starting.start()
    starting.join()
    assert ended_on == []
    qtbot.waitUntil(lambda: len(ended_on) == 20)
    assert set(ended_on) == {threading.get_ident()}
    assert runner.close() == ()


def test_a_runner_names_what_still_runs_when_it_is_closed(qtbot: QtBot) -> None:
    runner, may_end = QtTaskRunner(), threading.Event()

    def work() -> None:
        may_end.wait(10)

    runner.start("stubborn", work)
    assert runner.close() == ("stubborn",)
    may_end.set()
    assert runner.join(10)
    assert runner.close() == ()
