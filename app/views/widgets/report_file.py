"""Writes a report into a file that only its owner can read."""

from pathlib import Path

from app.domain.errors import OperationalError
from app.views.widgets.private_file import write_private


class ReportNotWritten(OperationalError):
    """The file for a report cannot be written."""

    code = "console.report_not_written"
    message_template = "The report could not be written to {path}: {detail}."
    hint_template = "Choose another folder, or free some space."


def write_report(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all. Thread: any.

    Raises:
        ReportNotWritten: the system refused.
    """
    write_private(path, text.encode(), ReportNotWritten)
