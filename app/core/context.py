"""What every engine function gets: the task it works for and how to report."""

from dataclasses import dataclass, field

from app.core.bus import EventBus
from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.core.progress import Progress
from app.core.tasklog import TaskLog
from app.domain.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What one running task works with: its cancel token, progress, clock and log."""

    task: TaskId
    clock: Clock
    bus: EventBus
    log: TaskLog
    cancel: CancelToken = field(default_factory=CancelToken)
    progress: Progress = field(default_factory=Progress)
