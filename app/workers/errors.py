"""Errors of the window's own work with files."""

from app.domain.errors import OperationalError


class ListNotWritten(OperationalError):
    """The file for a list cannot be written."""

    code = "console.list_not_written"
    message_template = "The list could not be written to {path}: {detail}."
    hint_template = "Choose another place, or make room on the disk. A file that was there is untouched."
    retryable = True
