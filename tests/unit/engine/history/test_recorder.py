"""The recorder: every byte that a task moved is in the traffic, in the second in which it was seen."""

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.catalog.errors import CatalogUnavailable
from app.catalog.traffic import TrafficStore
from app.core.bus import EventBus
from app.core.progress import Progress
from app.domain.events import TaskStateChanged
from app.domain.history import Moved, TrafficSlice
from app.domain.ids import RuleId, StandbyId, TaskId, VmId
from app.domain.progress import ProgressSample
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine.history.recorder import Recorder
from app.engine.history.speeds import WINDOW_S, Speeds
from tests.support.fakes import TurnableClock
from tests.support.waiting import wait_until

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
START_S = int(START.timestamp())
R1 = RuleId("r1")


class SwitchedStore:
    """The catalog's traffic, which cannot be written while a test says so."""

    def __init__(self, traffic: TrafficStore) -> None:
        self.broken = False
        self._traffic = traffic
        self.roll_up = traffic.roll_up
        self.forget_old = traffic.forget_old
        self.read = traffic.read

    def add(self, moved: Iterable[Moved]) -> None:
        if self.broken:
            raise CatalogUnavailable(location="catalog.db", detail="disk full")
        self._traffic.add(moved)


class Stage:
    """A recorder over a real catalog, with tasks whose counters a test moves."""

    def __init__(self, path: Path) -> None:
        self.clock = TurnableClock(START)
        self.bus = EventBus()
        self.speeds = Speeds()
        self.path = path
        self.tasks: dict[TaskId, tuple[TaskRecord, Progress]] = {}
        self.catalog = Catalog.open(path, clock=self.clock)
        self.store = SwitchedStore(self.catalog.traffic)
        self.recorder = Recorder(self.live, self.store, self.clock, self.bus, self.speeds)

    def live(self) -> list[tuple[TaskRecord, ProgressSample]]:
        return [(record, progress.sample()) for record, progress in self.tasks.values()]

    def begin(
        self, name: str, *, rule: RuleId | None = R1, kind: TaskKind = TaskKind.BACKUP, vm: str = "vm-1"
    ) -> Progress:
        record = TaskRecord(
            id=TaskId(name),
            kind=kind,
            state=TaskState.PENDING,
            vm=VmId(vm),
            vm_name="web",
            platform=None,
            standby=StandbyId("s1"),
            rule=rule,
            rule_name="nightly",
            request="{}",
            created_at=START,
        )
        progress = Progress()
        self.tasks[record.id] = (record, progress)
        return progress

    def end(self, name: str) -> None:
        record, _ = self.tasks[TaskId(name)]
        event = TaskStateChanged(at=self.clock.now(), task=record.id, vm=record.vm, state=TaskState.COMPLETED)
        self.bus.publish(event)
        del self.tasks[TaskId(name)]

    def tick(self) -> None:
        self.clock.turn(1)
        self.recorder.sample()

    def read(self, *, rule: RuleId | None = None, slice_s: int = 1) -> tuple[TrafficSlice, ...]:
        return self.catalog.traffic.read(slice_s, START_S, START_S + 10_000, rule=rule)

    def restart(self) -> None:
        """Lose what was not written, as a kill does."""
        self.catalog.close()
        self.catalog = Catalog.open(self.path, clock=self.clock)
        self.bus = EventBus()
        self.tasks.clear()
        self.store = SwitchedStore(self.catalog.traffic)
        self.recorder = Recorder(self.live, self.store, self.clock, self.bus, self.speeds)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "catalog.db")
    yield made
    made.catalog.close()


def test_what_moved_between_two_looks_belongs_to_the_second_of_the_later_one(stage: Stage) -> None:
    progress = stage.begin("a")
    progress.advance(read_bytes=1000, written_bytes=400)
    stage.tick()
    stage.tick()
    progress.advance(read_bytes=500)
    stage.tick()
    assert stage.read(rule=R1) == (
        TrafficSlice(START_S + 1, 1000, 400),
        TrafficSlice(START_S + 2, 0, 0),
        TrafficSlice(START_S + 3, 500, 0),
    )
    assert stage.speeds.total() == 250, "500 bytes in the two seconds since the first look"


def test_seconds_without_tasks_are_gaps(stage: Stage) -> None:
    stage.begin("a")
    stage.tick()
    stage.end("a")
    for _ in range(5):
        stage.tick()
    stage.begin("b")
    stage.tick()
    assert [row.at_s - START_S for row in stage.read()] == [1, 7]


def test_what_a_task_moves_just_before_it_ends_is_not_lost(stage: Stage) -> None:
    progress = stage.begin("a")
    stage.tick()
    progress.advance(read_bytes=77)
    stage.end("a")
    stage.tick()
    assert sum(row.read_bytes for row in stage.read()) == 77


def test_a_task_that_is_shorter_than_a_second_is_seen(stage: Stage) -> None:
    stage.begin("a").advance(read_bytes=9, written_bytes=3)
    stage.end("a")
    stage.recorder.sample()
    assert stage.read(rule=R1) == (TrafficSlice(START_S, 9, 3),)


def test_only_backups_count_for_their_rule(stage: Stage) -> None:
    stage.begin("a").advance(read_bytes=1)
    stage.begin("b", kind=TaskKind.RESTORE).advance(read_bytes=10)
    stage.begin("c", rule=None).advance(read_bytes=100)
    stage.tick()
    assert stage.read(rule=R1)[0].read_bytes == 1
    assert stage.read()[0].read_bytes == 111


def test_what_still_runs_for_a_deleted_rule_brings_its_traffic_not_back(stage: Stage) -> None:
    progress = stage.begin("a")
    progress.advance(read_bytes=1)
    stage.tick()
    stage.catalog.figures.forget_rule(R1)
    stage.recorder.forget(R1)
    progress.advance(read_bytes=2)
    stage.tick()
    stage.clock.turn(120)
    stage.tick()
    for slice_s in (1, 60, 3600):
        assert stage.read(rule=R1, slice_s=slice_s) == ()


@pytest.mark.allows_log("rows of traffic could not be kept yet")
def test_a_catalog_that_cannot_be_written_for_a_while_costs_nothing(stage: Stage) -> None:
    progress = stage.begin("a")
    stage.store.broken = True
    for _ in range(3):
        progress.advance(read_bytes=5)
        stage.tick()
    stage.store.broken = False
    stage.tick()
    assert [row.read_bytes for row in stage.read()] == [5, 5, 5, 0]


def test_the_thread_samples_and_ends(stage: Stage) -> None:
    stage.recorder.start(0.001)
    stage.begin("a").advance(read_bytes=5)
    stage.recorder.close()
    assert sum(row.read_bytes for row in stage.read()) == 5


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["move", "tick", "wait", "end", "kill"]), max_size=40))
def test_a_kill_loses_at_most_what_moved_since_the_last_second(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    stage = Stage(tmp_path_factory.mktemp("recorder") / "catalog.db")
    try:
        progress = stage.begin("t0")
        written = unsure = 0
        for number, step in enumerate(steps, 1):
            if step == "move":
                progress.advance(read_bytes=number)
                unsure += number
            elif step in ("tick", "wait"):
                stage.clock.turn(0 if step == "tick" else 70)
                stage.tick()
                written, unsure = written + unsure, 0
            else:
                if step == "kill":
                    unsure = 0
                    stage.restart()
                else:
                    stage.end(next(iter(stage.tasks)))
                progress = stage.begin(f"t{number}")
        for slice_s in (1, 60, 3600):
            kept = stage.catalog.traffic.read(slice_s, START_S, START_S + 10_000)
            if slice_s > 1 or stage.clock.now().timestamp() - START_S < 600:
                assert sum(row.read_bytes for row in kept) == written
    finally:
        stage.catalog.close()


def test_where_nothing_runs_nothing_is_looked_at_until_a_task_stirs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    inner = stage.recorder.sample

    def look() -> None:
        looks.append(time.monotonic())
        inner()

    monkeypatch.setattr(stage.recorder, "sample", look)
    stage.recorder.start(0.01)
    time.sleep(0.2)
    assert looks == []
    progress = stage.begin("t1")
    progress.advance(read_bytes=1000)
    stage.bus.publish(
        TaskStateChanged(at=stage.clock.now(), task=TaskId("t1"), vm=VmId("vm-1"), state=TaskState.RUNNING)
    )
    wait_until(lambda: len(looks) > 5)
    stage.end("t1")
    stage.clock.turn(WINDOW_S + 1)
    seen = len(looks)
    wait_until(lambda: len(looks) > seen)
    time.sleep(0.1)
    at_rest = len(looks)
    time.sleep(0.2)
    assert len(looks) == at_rest
    stage.recorder.close()
    assert sum(piece.read_bytes for piece in stage.read()) == 1000


def test_it_ends_also_when_it_is_closed_just_as_it_wakes_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    closers: list[threading.Thread] = []

    class Slow(threading.Event):
        """Lets the other thread be first."""

        def clear(self) -> None:
            if closers and not closers[0].is_alive():
                closers[0].start()
                closers[0].join(0.5)  # it waits for this thread, once it has said that it is to end
            super().clear()

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Slow)
        recorder = Recorder(stage.live, stage.store, stage.clock, stage.bus, stage.speeds)
    closers.append(threading.Thread(target=recorder.close))
    recorder.start(0.001)
    stage.bus.publish(
        TaskStateChanged(at=stage.clock.now(), task=TaskId("t"), vm=VmId("vm"), state=TaskState.RUNNING)
    )
    wait_until(lambda: closers[0].ident is not None)
    closers[0].join(10)
    assert not closers[0].is_alive()
