"""Errors of tasks that cannot be read."""

from app.domain.errors import OperationalError


class TaskNotReadable(OperationalError):
    """What a stored task has to do cannot be read."""

    code = "task.not_readable"
    message_template = "What the task of {vm} has to do cannot be read from the catalog."
    hint_template = (
        "Start it again from its page. Where tasks cannot be read again and again, the disk of the catalog may be "
        "damaged: check it."
    )


class TaskRowNotReadable(OperationalError):
    """All that is stored of a task cannot be read."""

    code = "task.row_not_readable"
    message_template = "The task {task} cannot be read from the catalog."
    hint_template = "Start it again from its page."


class TaskOfNewerVersion(OperationalError):
    """A newer program has stored a task in a form that this one does not know."""

    code = "task.newer_version"
    message_template = (
        "The task of {vm} was stored by a newer version of the program "
        "(form {version}; this version reads forms up to {known})."
    )
    hint_template = "Install the newer version again, or start the task again from its page."
