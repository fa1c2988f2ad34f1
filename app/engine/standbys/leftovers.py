"""Names to the operator what a repository could not delete."""

from app.core.tasklog import TaskLog
from app.engine import messages
from app.repository import Repository


def note_leftovers(repository: Repository, log: TaskLog) -> None:
    """Write a warning for each file that could not be deleted; each file is named once."""
    for path, reason in repository.take_leftovers().items():
        log.warning(messages.LEFTOVER, path=path, detail=reason)
