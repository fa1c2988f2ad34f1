"""What the catalog cannot take for a while is written later, in its order, and never lost in silence."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.catalog.errors import CatalogUnavailable
from app.domain.events import TaskFailed
from app.domain.ids import TaskId
from app.domain.states import TaskState
from app.engine.tasks import latewrites
from app.engine.tasks.latewrites import LateWrites
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import TaskSpec
from tests.support.engine_lab import EngineLab, filled_vm
from tests.support.waiting import wait_until

LATER = "is written later"


def full() -> CatalogUnavailable:
    return CatalogUnavailable(location="catalog.db", detail="database or disk is full")


@pytest.mark.allows_log(LATER)
def test_writes_keep_their_order_and_nothing_overtakes_what_waits() -> None:
    done: list[int] = []
    is_full = threading.Event()
    is_full.set()
    late = LateWrites(pause_s=0.01)

    def writing(number: int) -> Callable[[], None]:
        def act() -> None:
            if is_full.is_set():
                raise full()
            done.append(number)

        return act

    assert not any(late.write(writing(number), f"number {number}") for number in range(50))
    is_full.clear()
    wait_until(lambda: len(done) == 50, what="all writes")
    assert done == list(range(50))
    wait_until(lambda: late.write(writing(50), "number 50"), what="a write at once")
    late.close(1)


@pytest.mark.allows_log(LATER)
def test_lines_beyond_the_limit_are_counted_and_ends_are_not_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latewrites, "MOST_LINES", 10)
    is_full, lost, done = threading.Event(), list[int](), list[str]()
    is_full.set()
    late = LateWrites(on_lost=lost.append, pause_s=0.01)

    def act(kind: str) -> None:
        if is_full.is_set():
            raise full()
        done.append(kind)

    for _ in range(25):
        late.write(lambda: act("line"), "a line", may_be_lost=True)
        late.write(lambda: act("end"), "an end")
    is_full.clear()
    wait_until(lambda: bool(lost), what="the word about what was lost")
    assert lost == [15]
    assert (done.count("line"), done.count("end")) == (10, 25)
    late.close(1)


@pytest.mark.allows_log(LATER)
def test_closing_while_a_write_takes_too_long_writes_nothing_twice_and_loses_nothing() -> None:
    done, entered, held, is_full = list[str](), threading.Event(), threading.Event(), [True]
    late = LateWrites(pause_s=0.01)

    def slow() -> None:
        if is_full:
            raise full()
        entered.set()
        held.wait()
        done.append("slow")

    late.write(slow, "slow")
    late.write(lambda: done.append("next"), "next")
    is_full.clear()
    assert entered.wait(10)
    closing = threading.Thread(target=late.close, args=(0.05,))
    closing.start()
    closing.join(1)
    assert not closing.is_alive()
    held.set()
    wait_until(lambda: "next" in done, what="the last one")
    assert done == ["slow", "next"]


@contextmanager
def full_catalog(lab: EngineLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the catalog refuse every change while the event is set."""
    is_full = threading.Event()
    database, _ = lab.catalog.databases
    write = database.write

    @contextmanager
    def refusing(committed: Callable[[], None] = lambda: None) -> Iterator[object]:
        if is_full.is_set():
            raise full()
        with write(committed) as connection:
            yield connection

    monkeypatch.setattr(database, "write", refusing)
    try:
        yield is_full
    finally:
        is_full.clear()


@pytest.mark.allows_log(LATER, "traffic could not be kept yet")
def test_the_end_of_a_task_outlives_a_full_disk_of_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EngineLab(tmp_path) as lab, full_catalog(lab, monkeypatch) as is_full:
        vm = filled_vm(lab)
        run = lab.engine.execution.run

        def fills_up(task: RunningTask, spec: TaskSpec) -> None:
            is_full.set()
            run(task, spec)

        monkeypatch.setattr(lab.engine.execution, "run", fills_up)
        task = lab.start_backup(vm)
        wait_until(lambda: any(isinstance(event, TaskFailed) for event in lab.events), what="the failure")
        assert state_of(lab, task) is TaskState.PENDING
        is_full.clear()
        wait_until(lambda: state_of(lab, task) is TaskState.FAILED, what="its end in the catalog")
        monkeypatch.setattr(lab.engine.execution, "run", run)
        assert lab.finished(lab.start_backup(vm)).task.state is TaskState.COMPLETED


def state_of(lab: EngineLab, task: TaskId) -> TaskState:
    record = lab.catalog.tasks.get(task)
    assert record is not None
    return record.state
