"""A task while it runs."""

from dataclasses import dataclass

from app.core.context import TaskContext
from app.domain.ids import TaskId
from app.engine.tasks.log import CatalogTaskLog
from app.engine.tasks.stages import Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTask:
    """A task that runs, with what its run works with."""

    context: TaskContext
    log: CatalogTaskLog
    """The same log as the context's, which also takes finished messages."""
    stages: Stages

    @property
    def id(self) -> TaskId:
        """Key of the task."""
        return self.context.task
