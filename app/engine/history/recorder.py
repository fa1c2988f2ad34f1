"""Samples the counters of running tasks once a second and has them kept."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.events import Event, RuleRemoved, TaskStateChanged
from app.domain.history import Moved
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.progress import ProgressSample
from app.domain.states import TaskKind
from app.domain.tasks import TaskRecord
from app.engine.history.ports import TrafficStore
from app.engine.history.speeds import WINDOW_S, Speeds

_log = logging.getLogger(__name__)

Live = Callable[[], Sequence[tuple[TaskRecord, ProgressSample]]]
"""Returns the running tasks with their counters."""

MINUTE_S: Final = 60
_QUIET_S: Final = 60.0
"""Between two looks while nothing runs: older traffic is rolled up meanwhile."""
HOUR_S: Final = 3600
MOST_UNWRITTEN: Final = 10_000
"""Rows that are held back while the catalog cannot be written; older ones are given up then."""


class Recorder:
    """Turns counters into traffic. What a task moved last is added as it ends, so that no byte is missing.

    Traffic belongs to a rule only where a backup made it: restores and verifications count for everything.

    Thread: any; :meth:`start` adds one that samples. One lock over what was seen and is not written yet; the task
    manager's lock is taken inside it, never the other way round.
    """

    def __init__(
        self,
        live: Live,
        store: TrafficStore,
        clock: Clock,
        bus: EventBus,
        speeds: Speeds,
        may_forget: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare.

        Args:
            live: returns what runs.
            store: keeps traffic.
            clock: the time.
            bus: announces tasks and rules.
            speeds: is given the counters, to know how fast tasks are.
            may_forget: returns whether traffic may be forgotten for its age now.
        """
        self._live = live
        self._store = store
        self._clock = clock
        self._may_forget = may_forget
        self._lock = threading.Lock()
        self._seen: dict[TaskId, ProgressSample] = {}
        self._unwritten: dict[tuple[int, RuleId | None, VmId], tuple[int, int]] = {}
        self._forgotten: set[RuleId] = set()
        self._speeds = speeds
        self._read_bytes = 0
        """What all tasks together have read since the start."""
        self._rolled_minute = self._tidied_hour = -1
        self._moved_s: float | None = None
        """When something ran last, by the stopwatch."""
        self._ending = threading.Event()
        self._stirred = threading.Event()
        """A task has moved to another state, or the recorder is to end."""
        self._thread: threading.Thread | None = None
        self._unsubscribe = bus.subscribe(self._on_event)

    # --- life --------------------------------------------------------------------------------------------------

    def start(self, interval_s: float) -> None:
        """Sample from now on, once in ``interval_s`` seconds; where nothing runs, only to tidy up."""
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name="traffic-recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left, and stop."""
        self._unsubscribe()
        self._ending.set()
        self._stirred.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.sample()

    def _run(self, interval_s: float) -> None:
        while True:
            if self._is_quiet():
                self._stirred.wait(_QUIET_S)
            else:
                self._ending.wait(interval_s)
            self._stirred.clear()  # before the looks at what it may have been set for
            if self._ending.is_set():
                return
            try:
                self.sample()
            except Exception:  # noqa: BLE001 - a bug here costs a second of a chart, not the recorder
                _log.exception("a second of traffic was not recorded")

    def _is_quiet(self) -> bool:
        """Whether nothing runs, nothing is held back, and every speed that was seen is down to nothing."""
        with self._lock:
            has_moved = self._moved_s is not None and self._clock.monotonic() - self._moved_s <= WINDOW_S
            return not (self._seen or self._unwritten or has_moved)

    # --- sampling ----------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Look at every running task once; write down what moved, and roll up what is old enough."""
        now_s = int(self._clock.now().timestamp())
        with self._lock:
            self._look(now_s)
            rows = [
                Moved(at_s=at_s, rule=rule, vm=vm, read_bytes=read, written_bytes=written)
                for (at_s, rule, vm), (read, written) in self._unwritten.items()
            ]
            self._unwritten = {}
        try:
            self._store.add(rows)
        except OperationalError as error:
            _log.error("%d rows of traffic could not be kept yet: %s", len(rows), error)
            self._hold_back(rows)
            return
        self._tidy(now_s)

    def forget(self, rule: RuleId) -> None:
        """Count what still runs for a deleted rule as outside every rule."""
        with self._lock:
            self._forgotten.add(rule)
            self._unwritten = {key: value for key, value in self._unwritten.items() if key[1] != rule}

    def _look(self, now_s: int) -> None:
        live = self._live()
        if live:
            self._moved_s = self._clock.monotonic()
        for record, counters in live:
            self._note(now_s, record, counters)
        running = {record.id for record, _ in live}
        self._seen = {task: counters for task, counters in self._seen.items() if task in running}
        counts = {task: counters.read_bytes for task, counters in self._seen.items()}
        self._speeds.note(self._clock.monotonic(), counts, self._read_bytes)

    def _note(self, now_s: int, record: TaskRecord, counters: ProgressSample) -> None:
        """Add what a task moved since it was looked at last."""
        before = self._seen.get(record.id)
        read_bytes = counters.read_bytes - (before.read_bytes if before else 0)
        written_bytes = counters.written_bytes - (before.written_bytes if before else 0)
        self._seen[record.id] = counters
        rule = record.rule if record.kind is TaskKind.BACKUP and record.rule not in self._forgotten else None
        key = (now_s, rule, record.vm)
        read, written = self._unwritten.get(key, (0, 0))
        self._unwritten[key] = (read + read_bytes, written + written_bytes)
        self._read_bytes += read_bytes

    def _hold_back(self, rows: list[Moved]) -> None:
        with self._lock:
            for row in rows[-MOST_UNWRITTEN:]:
                key = (row.at_s, row.rule, row.vm)
                read, written = self._unwritten.get(key, (0, 0))
                self._unwritten[key] = (read + row.read_bytes, written + row.written_bytes)

    def _tidy(self, now_s: int) -> None:
        is_tidy = (now_s // MINUTE_S, now_s // HOUR_S) == (self._rolled_minute, self._tidied_hour)
        if is_tidy or not self._may_forget():
            return
        try:
            if now_s // MINUTE_S != self._rolled_minute:
                self._store.roll_up(now_s)
                self._rolled_minute = now_s // MINUTE_S
            if now_s // HOUR_S != self._tidied_hour:
                self._store.forget_old(now_s)
                self._tidied_hour = now_s // HOUR_S
        except OperationalError as error:
            _log.error("traffic could not be rolled up yet: %s", error)

    def _on_event(self, event: Event) -> None:
        """Take a task's last counters as it ends, on the task's thread, while the task still counts as live."""
        if isinstance(event, RuleRemoved):
            self.forget(event.rule)
        if not isinstance(event, TaskStateChanged):
            return
        self._stirred.set()
        if not event.state.is_final:
            return
        now_s = int(self._clock.now().timestamp())
        with self._lock:
            for record, counters in self._live():
                if record.id == event.task:
                    self._note(now_s, record, counters)
