"""The log of a task, kept in the catalog line by line."""

import logging

from app.core.clock import Clock
from app.domain.ids import TaskId
from app.domain.messages import LogLevel, Message, MessageKind
from app.engine.ports import TaskStore
from app.engine.tasks.latewrites import LateWrites

_log = logging.getLogger(__name__)


class CatalogTaskLog:
    """Fulfils :class:`app.core.tasklog.TaskLog`. Never raises for a catalog that cannot be written.

    Cleaning up a production host writes lines too, and must not stop because this machine's disk is full.

    Thread: any.
    """

    def __init__(self, task: TaskId, store: TaskStore, clock: Clock, late: LateWrites) -> None:
        """Keep the lines of a task; ``late`` keeps those that the catalog cannot take now."""
        self._late = late
        self._task = task
        self._store = store
        self._clock = clock

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Write a normal line."""
        self._write(LogLevel.NORMAL, kind.fill(**params))

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Write a warning."""
        self._write(LogLevel.WARNING, kind.fill(**params))

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Write an error."""
        self._write(LogLevel.ERROR, kind.fill(**params))

    def write(self, level: LogLevel, message: Message) -> None:
        """Write a message that was made before."""
        self._write(level, message)

    def _write(self, level: LogLevel, message: Message) -> None:
        at = self._clock.now()
        _log.info("task %s: %s: %s", self._task, level.name.lower(), message)
        what = f"a log line of task {self._task}"
        self._late.write(lambda: self._store.log(self._task, at, level, message), what, may_be_lost=True)
