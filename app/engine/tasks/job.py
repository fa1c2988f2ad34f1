"""A task while it runs."""

from dataclasses import dataclass

from app.core.context import TaskContext
from app.domain.ids import TaskId
from app.engine.tasks.log import CatalogTaskLog
from app.engine.tasks.stages import Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One running task with its surroundings."""

    context: TaskContext
    log: CatalogTaskLog
    """The same log as the context's, which also takes finished messages."""
    stages: Stages

    @property
    def task(self) -> TaskId:
        """Key of the task."""
        return self.context.task
