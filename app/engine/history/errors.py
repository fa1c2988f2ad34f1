"""Errors of the history."""

from app.domain.errors import OperationalError


class LogNotWritten(OperationalError):
    """The log could not be written to a file."""

    code = "history.log_not_written"
    message_template = "The log could not be written to {path}: {detail}."
    hint_template = "Choose a folder in which this account may write and that has space left."
