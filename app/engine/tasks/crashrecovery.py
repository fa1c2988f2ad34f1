"""Tidying up after a crash, and after a task whose own clean-up did not succeed.

What may be left is in the journals; each platform they name is visited on a thread of its own, so that one that
cannot be reached delays nothing else. What cannot be settled stays in the journal and is tried again before the
next backup on that platform and at the next start.
"""

import logging
import threading
from functools import partial

from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.errors import KeptError, OperationalError
from app.domain.events import TaskStateChanged
from app.domain.ids import PlatformId, TaskId, VmId
from app.domain.states import TaskState
from app.domain.tasks import RestoreTrace, TaskRecord
from app.engine import messages
from app.engine.backup.orphans import SnapshotRemover
from app.engine.errors import TaskInterrupted
from app.engine.log.journal import Journal
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.identification import note_created
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.succession import Successions
from app.engine.ports import Catalog
from app.engine.restore.cleanup import settle
from app.engine.tasks.errors import TaskNotReadable, TaskOfNewerVersion
from app.engine.tasks.factory import stored_task
from app.engine.tasks.log import CatalogTaskLog
from app.engine.tasks.manager import PlanRetry, QueuedTask, failure_of

_log = logging.getLogger(__name__)

UNFINISHED = tuple(state for state in TaskState if not state.is_final and state is not TaskState.PENDING)
"""States in which a crash may have caught a task."""


class CrashRecovery:
    """Settles what did not end as it should; visits of one platform take turns. Thread: any."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        remover: SnapshotRemover,
        attachments: Attachments,
        catalog: Catalog,
        successions: Successions,
        journal: Journal,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._remover = remover
        self._attachments = attachments
        self._catalog = catalog
        self._successions = successions
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._visiting: dict[PlatformId, threading.Lock] = {}

    def mark_interrupted(self, plan_retry: PlanRetry) -> None:
        """Note as failed every task that was running when the program ended.

        Args:
            plan_retry: decides which of them are tried again by themselves.
        """
        for record in self._catalog.tasks.find(states=UNFINISHED):
            log, error = self._log_of(record.id), TaskInterrupted()
            log.error(messages.TASK_INTERRUPTED)
            self._fail(record, error, is_tried_again=plan_retry(record, error, log))

    def waiting(self) -> list[QueuedTask]:
        """Return the tasks that still wait, the oldest first; note as failed those that cannot be read."""
        found: list[QueuedTask] = []
        for record in reversed(self._catalog.tasks.find(states=(TaskState.PENDING,))):
            try:
                found.append(stored_task(record))
            except (TaskNotReadable, TaskOfNewerVersion) as error:
                _log.warning("task %s cannot be read: %s", record.id, error.__cause__ or error)
                log = self._log_of(record.id)
                log.error(messages.TASK_FAILED, code=error.code, message=error, hint=error.remedy())
                self._fail(record, error, is_tried_again=False)
        return found

    def _fail(self, record: TaskRecord, error: OperationalError, *, is_tried_again: bool) -> None:
        at = self._clock.now()
        self._catalog.tasks.set_error(record.id, KeptError.of(error))
        self._catalog.tasks.enter(record.id, TaskState.FAILED, at)
        self._bus.publish(TaskStateChanged(at=at, task=record.id, vm=record.vm, state=TaskState.FAILED))
        self._bus.publish(failure_of(record, error, at, is_tried_again=is_tried_again))

    def platforms(self) -> set[PlatformId]:
        """Return the platforms on which tasks that do not run any more may have left something."""
        remover = self._remover
        traces = self._catalog.restore_journal.open_traces()
        left = remover.platforms() | self._attachments.platforms()
        return left | {trace.platform for trace in traces if not remover.is_live(trace.task)}

    def tidy_up_after(self, task: TaskId, platform: PlatformId) -> None:
        """Visit a task's platform when something is left there, of this task or of another; never raises."""
        try:
            left = platform in self.platforms()
        except OperationalError as error:
            _log.warning("what task %s may have left is looked for later: %s", task, error)
            return
        if left:
            self.visit(platform)

    def visit(self, platform: PlatformId) -> None:
        """Settle what is left on a platform; never raises, what fails is tried again later."""
        turn = self._visiting.setdefault(platform, threading.Lock())
        try:
            with turn, self._sessions.connect(platform) as hypervisor:
                self.settle_on(hypervisor, platform)
        except OperationalError as error:
            _log.warning("what may be left on platform %s is looked for later: %s", platform, error)

    def settle_on(self, hypervisor: Hypervisor, platform: PlatformId, *, unknown_too: bool = False) -> int:
        """Settle what is left on a platform over an open session; return how many snapshots were removed.

        Args:
            hypervisor: the session.
            platform: its key.
            unknown_too: True also removes snapshots of tasks that this catalog has never known.

        Raises:
            OperationalError: the platform failed.
        """
        self._attachments.detach_left(hypervisor, platform, log_of=self._log_of)
        journal = self._catalog.restore_journal
        for trace in journal.open_traces():
            if trace.platform == platform and not self._remover.is_live(trace.task):
                followed = partial(self._followed, hypervisor, trace)
                settle(hypervisor, trace, journal, self._log_of(trace.task), followed)
        return self._remover.remove_on_platform(hypervisor, platform, log_of=self._log_of, unknown_too=unknown_too)

    def _followed(self, hypervisor: Hypervisor, trace: RestoreTrace, old: VmId, new: VmId) -> None:
        self._successions.follow(trace.platform, old, new, trace.name)
        note_created(self._catalog.rules, self._sessions, trace.platform, hypervisor, new)

    def _log_of(self, task: TaskId) -> TaskLog:
        if not self._catalog.tasks.is_known(task):
            return self._journal.about("", "snapshot.sweep")
        return CatalogTaskLog(task, self._catalog.tasks, self._clock, self._journal.late)
