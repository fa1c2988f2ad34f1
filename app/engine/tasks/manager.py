"""Tasks from the moment they are asked for until they have ended: waiting, running, cancelling, noting the end."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from app.core.bus import EventBus
from app.core.changes import ChangeFeed
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.tasklog import TaskLog
from app.domain.changes import Subject
from app.domain.errors import KeptError, OperationalError, TaskCancelled
from app.domain.events import TaskFailed, TaskStateChanged
from app.domain.ids import TaskId
from app.domain.progress import ProgressSample
from app.domain.states import TaskState
from app.domain.tasks import TaskRecord
from app.engine import messages
from app.engine.errors import InternalFailure, TaskUnknown
from app.engine.ports import TaskRunner, TaskStore
from app.engine.reasons import UNEXPECTED
from app.engine.tasks.dispatcher import Candidate, Limits, choose
from app.engine.tasks.latewrites import LateWrites
from app.engine.tasks.log import CatalogTaskLog
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import TaskSpec
from app.engine.tasks.stages import Stages

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTask:
    """A task that waits or runs."""

    record: TaskRecord
    spec: TaskSpec
    candidate: Candidate


PlanRetry = Callable[[TaskRecord, OperationalError, TaskLog], bool]
"""Decides about a task that failed just now; returns whether it is tried again by itself."""


class TaskWork(Protocol):
    """What the manager runs tasks with, on each task's own thread. Thread: any."""

    def run(self, live: RunningTask, spec: TaskSpec) -> None:
        """Do what a task has to do; raises ``OperationalError`` and ``TaskCancelled``."""
        ...

    def plan_retry(self, record: TaskRecord, error: OperationalError, log: TaskLog) -> bool:
        """Decide about a task that failed just now; return whether it is tried again by itself."""
        ...

    def tidy_up(self, record: TaskRecord) -> None:
        """Remove what a task has left, once it has ended and no longer counts as live; never raises."""
        ...


class TaskManager:
    """Runs tasks as the dispatcher decides. Waiting tasks are rows in the catalog too: nothing is lost in a crash.

    Tasks wait until :meth:`begin` gives it what runs them.

    Thread: any. One lock guards what waits and what runs; it is never held while something is executed.
    """

    def __init__(
        self,
        *,
        store: TaskStore,
        runner: TaskRunner,
        clock: Clock,
        bus: EventBus,
        changes: ChangeFeed,
        limits: Limits,
        late: LateWrites,
    ) -> None:
        self._late = late
        self._store = store
        self._runner = runner
        self._clock = clock
        self._bus = bus
        self._changes = changes
        self._limits = limits
        self._work: TaskWork | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: dict[TaskId, QueuedTask] = {}
        self._live: dict[TaskId, tuple[QueuedTask, RunningTask]] = {}
        self._busy_threads = 0
        self._closing = False

    def begin(self, work: TaskWork, waiting: Iterable[QueuedTask] = ()) -> None:
        """Run tasks from now on; ``waiting`` are noted as pending already."""
        with self._lock:
            self._work = work
        self._wait_for_turn(waiting)

    # --- asking for tasks --------------------------------------------------------------------------------------

    def submit(self, queued: QueuedTask) -> TaskId:
        """Note a new task and start it as soon as the limits allow.

        Raises:
            CatalogUnavailable: it could not be noted, and does not run.
        """
        record = queued.record
        self._store.add(record)
        self._wait_for_turn([queued])
        return record.id

    def _wait_for_turn(self, waiting: Iterable[QueuedTask]) -> None:
        queued = list(waiting)
        with self._lock:
            self._pending.update((task.record.id, task) for task in queued)
        self._note(*(task.record for task in queued))
        self._dispatch()

    def aside(self, name: str, work: Callable[[], None]) -> None:
        """Run work that is no task and never raises, beside the tasks and outside their limits."""
        with self._lock:
            self._busy_threads += 1
        self._runner.start(name, lambda: self._run_aside(work))

    def _run_aside(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._thread_is_free()

    def _thread_is_free(self) -> None:
        with self._changed:
            self._busy_threads -= 1
            self._changed.notify_all()

    # --- changing what waits and runs ----------------------------------------------------------------------------

    @property
    def limits(self) -> Limits:
        """What may run at the same time."""
        with self._lock:
            return self._limits

    def set_limits(self, limits: Limits) -> None:
        """Let other limits hold from now on; what runs beyond smaller ones goes on to its end."""
        with self._lock:
            self._limits = limits
        self._dispatch()

    def promote(self, task: TaskId, priority: int) -> bool:
        """Let a waiting task go before those of lower priority; return False when it does not wait any more.

        Raises:
            CatalogUnavailable: it could not be noted.
        """
        with self._lock:
            waiting = self._pending.get(task)
            if waiting is None:
                return False
            if waiting.candidate.priority < priority:
                self._pending[task] = replace(
                    waiting,
                    record=replace(waiting.record, priority=priority),
                    candidate=replace(waiting.candidate, priority=priority),
                )
        self._store.set_priority(task, priority)
        self._dispatch()
        return True

    def wait_until_ended(self, wanted: Callable[[TaskRecord], bool], timeout_s: float) -> bool:
        """Wait until no task of a kind waits or runs; return False when the time was up first."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while any(wanted(queued.record) for queued in self._queued()):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
            return True

    def cancel(self, task: TaskId) -> None:
        """Ask a task to stop; one that has ended is left alone.

        Raises:
            TaskUnknown: there never was such a task.
        """
        with self._lock:
            waiting = self._pending.pop(task, None)
            running = self._live.get(task)
        if waiting is not None:
            self._end(self._new_live(waiting.record), waiting.record, TaskState.STOPPED)
        elif running is not None:
            running[1].context.cancel.cancel()
            self._note(running[0].record)
        elif not self._store.is_known(task):
            raise TaskUnknown(task=task)

    # --- looking at them ---------------------------------------------------------------------------------------

    def is_live(self, task: TaskId) -> bool:
        """Tell whether a task is running in this process."""
        with self._lock:
            return task in self._live

    def samples(self) -> dict[TaskId, ProgressSample]:
        """Return the counters of every running task."""
        with self._lock:
            return {task: live.context.progress.sample() for task, (_, live) in self._live.items()}

    def stopping(self) -> frozenset[TaskId]:
        """Return the running tasks that were asked to stop and have not ended yet."""
        with self._lock:
            return frozenset(task for task, (_, live) in self._live.items() if live.context.cancel.is_cancelled)

    def live(self) -> list[tuple[TaskRecord, ProgressSample]]:
        """Return every running task with its counters; its record is as it was when it was asked for."""
        with self._lock:
            return [(queued.record, live.context.progress.sample()) for queued, live in self._live.values()]

    def live_count(self) -> int:
        """Return how many tasks run."""
        with self._lock:
            return len(self._live)

    def pending_count(self) -> int:
        """Return how many tasks wait."""
        with self._lock:
            return len(self._pending)

    def unfinished(self) -> list[TaskRecord]:
        """Return the tasks that wait or run."""
        with self._lock:
            return [queued.record for queued in self._queued()]

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits or runs any more; return False when the time was up first."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._pending or self._busy_threads:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
            return True

    # --- the end -----------------------------------------------------------------------------------------------

    def close(self, timeout_s: float) -> bool:
        """Stop what runs, let it clean up, and start nothing more; what waits goes on at the next start.

        Returns:
            False when tasks were still cleaning up as the time was up.
        """
        with self._lock:
            self._closing = True
            running = list(self._live.values())
        for queued, live in running:
            live.context.cancel.cancel()
            self._note(queued.record)
        return self._runner.join(timeout_s)

    # --- inside ------------------------------------------------------------------------------------------------

    def _queued(self) -> list[QueuedTask]:
        """Return what waits, then what runs; the lock is held."""
        return [*self._pending.values(), *(queued for queued, _ in self._live.values())]

    def _dispatch(self) -> None:
        with self._lock:
            work = self._work
            if self._closing or work is None:
                return
            running = [queued.candidate for queued, _ in self._live.values()]
            waiting = [queued.candidate for queued in self._pending.values()]
            chosen = [self._pending.pop(task) for task in choose(waiting, running, self._limits)]
            started = [(queued, self._new_live(queued.record)) for queued in chosen]
            self._live.update((queued.record.id, (queued, live)) for queued, live in started)
            self._busy_threads += len(started)
        self._note(*(queued.record for queued, _ in started))
        for queued, live in started:
            self._start(work, queued, live)

    def _start(self, work: TaskWork, queued: QueuedTask, live: RunningTask) -> None:
        record = queued.record
        self._runner.start(f"{record.kind.value}-{record.vm_name}", lambda: self._run(work, queued, live))

    def _new_live(self, record: TaskRecord) -> RunningTask:
        log = CatalogTaskLog(record.id, self._store, self._clock, self._late)
        context = TaskContext(task=record.id, clock=self._clock, bus=self._bus, log=log)
        return RunningTask(
            context=context, log=log, stages=Stages(context=context, vm=record.vm, store=self._store)
        )

    def _run(self, work: TaskWork, queued: QueuedTask, live: RunningTask) -> None:
        record = queued.record
        try:
            self._carry_out(work, queued, live)
        finally:
            with self._changed:
                del self._live[record.id]
                self._changed.notify_all()
            self._note(record)
            try:
                work.tidy_up(record)
            finally:
                self._dispatch()
                self._thread_is_free()

    def _carry_out(self, work: TaskWork, queued: QueuedTask, live: RunningTask) -> None:
        record, began = queued.record, self._clock.monotonic()
        try:
            live.log.info(messages.TASK_STARTED, what=record.kind, vm=record.vm_name)
            work.run(live, queued.spec)
        except TaskCancelled:
            live.log.info(messages.TASK_STOPPED)
            self._end(live, record, TaskState.STOPPED)
        except OperationalError as error:
            self._fail(work, live, record, error)
        except Exception as bug:  # noqa: BLE001 - a bug ends its task, not the program; the traceback is kept
            _log.exception("task %s ended by a bug", record.id)
            self._fail(work, live, record, InternalFailure(detail=UNEXPECTED.fill(kind=type(bug).__name__)))
        else:
            live.log.info(messages.TASK_COMPLETED, seconds=f"{self._clock.monotonic() - began:.1f}")
            self._end(live, record, TaskState.COMPLETED)

    def _fail(self, work: TaskWork, live: RunningTask, record: TaskRecord, error: OperationalError) -> None:
        live.log.error(messages.TASK_FAILED, code=error.code, message=error, hint=error.remedy())
        is_tried_again = self._is_tried_again(work, live, record, error)
        self._late.write(
            lambda: self._store.set_error(record.id, KeptError.of(error)), f"the failure of task {record.id}"
        )
        self._end(live, record, TaskState.FAILED)
        self._bus.publish(failure_of(record, error, self._clock.now(), is_tried_again=is_tried_again))

    def _is_tried_again(
        self, work: TaskWork, live: RunningTask, record: TaskRecord, error: OperationalError
    ) -> bool:
        decided: list[bool] = []
        self._late.write(
            lambda: decided.append(work.plan_retry(record, error, live.log)), f"the next try of task {record.id}"
        )
        return any(decided)

    def _end(self, live: RunningTask, record: TaskRecord, state: TaskState) -> None:
        if not self._late.write(live.stages.noting(state), f"the end of task {record.id}"):
            self._bus.publish(TaskStateChanged(at=self._clock.now(), task=record.id, vm=record.vm, state=state))
        with self._changed:
            self._changed.notify_all()

    def _note(self, *records: TaskRecord) -> None:
        """Announce that tasks wait, run, stop or have ended now: their rows and those of their rules."""
        if records:
            self._changes.note(Subject.TASKS, [record.id for record in records])
        rules = [record.rule for record in records if record.rule is not None]
        if rules:
            self._changes.note(Subject.RULES, rules)


def failure_of(record: TaskRecord, error: OperationalError, at: datetime, *, is_tried_again: bool) -> TaskFailed:
    """Return what is reported of a task that failed."""
    return TaskFailed(
        at=at,
        task=record.id,
        vm=record.vm,
        code=error.code,
        message=error.message,
        hint=error.hint,
        is_tried_again=is_tried_again,
    )
