"""Listens to the engine and notifies people, with retries, on a thread of its own."""

import heapq
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.events import Event, TaskFailed
from app.domain.ids import TaskId
from app.domain.moments import believed
from app.domain.notifications import DIGEST_EVERY, SinkKind, WhenToNotify, is_digest_due
from app.domain.states import TaskState
from app.domain.tasks import TaskRecord
from app.engine.notify import messages
from app.engine.notify.digest import digest_of, failure_of
from app.engine.notify.notice import Notice, NoticeKind
from app.engine.notify.settings import NotificationSettingsStore

_log = logging.getLogger(__name__)

MAX_WAITING = 500
"""Failures, and deliveries of one sink, that may wait; of more only the number is logged."""
RETRY_PAUSES_S = (10.0, 60.0, 300.0, 1800.0)
"""Pauses before a failed delivery is tried again."""
_LONGEST_REST_S = 60.0
"""How long the other deliveries of a sink wait after one of them failed."""
_CLOSE_S = 5.0
"""How long the end of a delivery is waited for once it was cut."""
_LOOK_S = 20.0
"""How often it is looked whether a digest is due, in seconds."""


class Tasks(Protocol):
    """What is asked about tasks; ``app.engine.ports.TaskStore`` answers."""

    def get(self, task: TaskId) -> TaskRecord | None:
        """Return one, or None."""
        ...

    def find(self, *, states: frozenset[TaskState], limit: int, offset: int) -> tuple[TaskRecord, ...]:
        """Return tasks in these states, newest first."""
        ...


@dataclass(order=True, slots=True)
class _Delivery:
    due_s: float
    number: int
    tries: int = field(compare=False)
    sink: SinkKind = field(compare=False)
    notice: Notice = field(compare=False)


class Notifier:
    """Tells failures and digests to the sinks that the settings name.

    :meth:`start` begins to listen; :meth:`close` ends it, and what was not delivered by then is dropped: the log
    and the statistics know it. Thread: any; one of its own delivers.
    """

    def __init__(
        self,
        *,
        settings: NotificationSettingsStore,
        tasks: Tasks,
        bus: EventBus,
        clock: Clock,
        log: TaskLog,
        retry_pauses_s: tuple[float, ...] = RETRY_PAUSES_S,
        look_s: float = _LOOK_S,
        unproven: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """Prepare; ``unproven`` names the VMs whose proofs of restore are late, for digests."""
        self._settings = settings
        self._tasks = tasks
        self._bus = bus
        self._clock = clock
        self._log = log
        self._retry_pauses_s = retry_pauses_s
        self._look_s = look_s
        self._unproven = unproven
        self._changed = threading.Condition()
        self._failed: deque[TaskId] = deque()
        self._lost = 0
        self._closing = False
        self._deliveries: list[_Delivery] = []
        self._resting_until_s: dict[SinkKind, float] = {}
        self._number = 0
        self._unsubscribe: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._unsubscribe = self._bus.subscribe(self.hear)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and cut a delivery that is under way; a second call does nothing.

        A sink that does not end within some seconds is left to itself: its thread keeps no program from ending.
        """
        self._unsubscribe()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._settings.close()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_S)

    # --- listening ---------------------------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Take a failure to notify of; the bus calls it. What exceeds the room is counted only."""
        if not isinstance(event, TaskFailed) or event.is_tried_again:
            return
        with self._changed:
            if len(self._failed) >= MAX_WAITING:
                self._lost += 1
            else:
                self._failed.append(event.task)
            self._changed.notify_all()

    # --- delivering --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait():
            try:
                self._take_failures()
                self._look_for_digest()
                self._deliver_due()
            except OperationalError as error:
                _log.warning("notifications are held up: %s", error)
            except Exception:  # noqa: BLE001 - a bug costs a notification, not all that follow; it is logged
                _log.exception("a bug held notifications up")

    def _wait(self) -> bool:
        """Wait for something to do; return False when it is over."""
        with self._changed:
            if not self._closing and not self._failed:
                next_s = self._deliveries[0].due_s - self._clock.monotonic() if self._deliveries else self._look_s
                if next_s > 0:
                    self._changed.wait(min(self._look_s, next_s))
            return not self._closing

    def _take_failures(self) -> None:
        with self._changed:
            failed, lost = tuple(self._failed), self._lost
            self._failed.clear()
            self._lost = 0
        if lost:
            self._log.warning(messages.TOO_MANY, count=lost)
        wanted = self._settings.settings().wants(WhenToNotify.EACH_FAILURE)
        for task in failed if wanted else ():
            record = self._tasks.get(task)
            if record is None or record.error is None:
                continue
            self._queue(
                Notice(kind=NoticeKind.FAILURE, at=self._clock.now(), failures=(failure_of(record),)), wanted
            )

    def _look_for_digest(self) -> None:
        settings = self._settings.settings()
        wanted = settings.wants(WhenToNotify.DAILY)
        if not wanted:
            return
        last = self._settings.reported_until(self._clock.now)
        now = self._clock.now()
        if is_digest_due(settings, last, now.astimezone()):
            since = believed(last, now, DIGEST_EVERY) or now - DIGEST_EVERY
            notice = replace(digest_of(self._tasks, since, now), unproven=self._unproven())
            self._settings.note_reported(now)
            self._queue(notice, wanted)

    def _queue(self, notice: Notice, sinks: frozenset[SinkKind]) -> None:
        for sink in sorted(sinks, key=lambda kind: kind.value):
            self._number += 1
            delivery = _Delivery(self._clock.monotonic(), self._number, 0, sink, notice)
            if sum(waiting.sink is sink for waiting in self._deliveries) >= MAX_WAITING:
                self._log.warning(messages.TOO_MANY, count=1)
            else:
                heapq.heappush(self._deliveries, delivery)

    def _deliver_due(self) -> None:
        while self._deliveries and self._deliveries[0].due_s <= self._clock.monotonic() and not self._is_over():
            delivery = heapq.heappop(self._deliveries)
            if (rest_until_s := self._resting_until_s.get(delivery.sink, 0.0)) > self._clock.monotonic():
                delivery.due_s = rest_until_s  # so that a sink that hangs keeps the others waiting once only
                heapq.heappush(self._deliveries, delivery)
                continue
            settings = self._settings.settings()
            when = WhenToNotify.DAILY if delivery.notice.kind is NoticeKind.DIGEST else WhenToNotify.EACH_FAILURE
            if delivery.sink not in settings.wants(when):
                continue  # switched off meanwhile
            try:
                self._settings.sink(delivery.sink, settings).send(delivery.notice)
            except OperationalError as error:
                if self._is_over():
                    return
                self._try_later(delivery, error)

    def _is_over(self) -> bool:
        with self._changed:
            return self._closing

    def _try_later(self, delivery: _Delivery, error: OperationalError) -> None:
        if error.retryable and delivery.tries < len(self._retry_pauses_s):
            pause_s = self._retry_pauses_s[delivery.tries]
            now_s = self._clock.monotonic()
            delivery.due_s = now_s + pause_s
            self._resting_until_s[delivery.sink] = now_s + min(pause_s, _LONGEST_REST_S)
            delivery.tries += 1
            _log.info("a notification by %s is tried again: %s", delivery.sink.value, error)
            heapq.heappush(self._deliveries, delivery)
            return
        self._log.warning(messages.SINK_GAVE_UP, sink=delivery.sink.value, detail=error)
