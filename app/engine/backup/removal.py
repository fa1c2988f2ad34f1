"""Removing a snapshot of ours on a production VM, however long that takes, where the operator sees it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError, SnapshotRemovalRuns
from app.domain.ids import SnapshotId, TaskId, VmId
from app.engine import messages
from app.engine.ports import SnapshotJournal
from app.engine.program.settings import EngineSettings

_log = logging.getLogger(__name__)

_PAUSE_GROWTH, _LONGEST_PAUSE_S = 1.5, 60.0
"""Of the pauses between attempts to remove a snapshot: a host may lock a disk for half an hour after a crash."""
_SAY_EVERY_S = 600.0
"""How often the log says that a removal goes on."""


@dataclass(slots=True)
class ShownRemoval:
    """Says how far a removal is, and leaves it to the platform some time after the task was asked to stop.

    Thread: the one that waits for the removal.
    """

    cancel: CancelToken
    clock: Clock
    log: TaskLog
    after_stop_s: float
    """How long the removal is still waited for once its task was asked to stop."""
    show: Callable[[int | None], None] = lambda _percent: None
    """Shows the percentage of a task."""
    _since: datetime = field(init=False)
    _said_at: float = field(init=False)
    _stopped_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._since, self._said_at = self.clock.now(), self.clock.monotonic()

    def moved(self, percent: int | None) -> None:
        """Show the percentage, and write it to the log now and then."""
        self.show(percent)
        now = self.clock.monotonic()
        if now - self._said_at < _SAY_EVERY_S:
            return
        self._said_at = now
        since = f"{self._since:%Y-%m-%d %H:%M:%S}"
        if percent is None:
            self.log.info(messages.REMOVAL_GOES_ON, since=since)
        else:
            self.log.info(messages.REMOVAL_GOES_ON_AT, since=since, percent=percent)

    def is_left(self) -> bool:
        """Return whether the task was asked to stop long enough ago."""
        if not self.cancel.is_cancelled:
            return False
        now = self.clock.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
        return now - self._stopped_at >= self.after_stop_s


class NotWaitedFor:
    """Begins a removal, and leaves it to the platform when it takes longer than a moment. Thread: one."""

    def __init__(self, clock: Clock, moment_s: float) -> None:
        self._clock = clock
        self._until = clock.monotonic() + moment_s

    def moved(self, percent: int | None) -> None:
        """Do nothing."""

    def is_left(self) -> bool:
        """Return whether the moment is over."""
        return self._clock.monotonic() >= self._until


def shown_removal(context: TaskContext, settings: EngineSettings) -> ShownRemoval:
    """Return what follows a removal for a task."""
    return ShownRemoval(
        context.cancel,
        context.clock,
        context.log,
        settings.removal_after_stop_s,
        context.progress.show_platform,
    )


def remove_patiently(
    hypervisor: Hypervisor,
    vm: VmId,
    snapshot: SnapshotId,
    *,
    context: TaskContext,
    settings: EngineSettings,
) -> None:
    """Remove a snapshot for a task, trying again until the deadline of the settings has passed.

    Raises:
        SnapshotRemovalRuns: the task was asked to stop meanwhile; the removal goes on.
        OperationalError: the snapshot is still there.
    """
    clock, watch = context.clock, shown_removal(context, settings)
    deadline, pause_s = clock.monotonic() + settings.snapshot_removal_deadline_s, settings.snapshot_removal_pause_s
    try:
        while True:
            try:
                _remove(hypervisor, vm, snapshot, deadline - clock.monotonic(), watch)
            except OperationalError as error:
                if not error.retryable or clock.monotonic() + pause_s >= deadline:
                    raise
                context.log.warning(messages.SNAPSHOT_REMOVAL_AGAIN, snapshot=snapshot, detail=error)
                clock.sleep(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * _PAUSE_GROWTH)
            else:
                return
    finally:
        context.progress.show_platform(None)


def _remove(
    hypervisor: Hypervisor, vm: VmId, snapshot: SnapshotId, deadline_s: float, watch: RemovalWatch
) -> None:
    hypervisor.remove_snapshot(vm, snapshot, deadline_s=max(1.0, deadline_s), watch=watch)


def say_left(log: TaskLog, snapshot: SnapshotId, error: OperationalError) -> None:
    """Write to a task's log that its snapshot is not removed, and what becomes of it."""
    if isinstance(error, SnapshotRemovalRuns):
        log.warning(messages.REMOVAL_LEFT, snapshot=snapshot)
    else:
        log.error(messages.SNAPSHOT_LEFT, snapshot=snapshot, detail=error)


def close_entry(journal: SnapshotJournal, task: TaskId) -> None:
    """Take a snapshot that is gone out of the journal; an entry that stays for now does no harm."""
    try:
        journal.closed(task)
    except OperationalError as error:
        _log.error("the snapshot journal could not be written: %s", error)
