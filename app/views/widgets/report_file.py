"""Writes a report into a file that only its owner can read."""

from pathlib import Path

from app.core.durable import replace_durably
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of


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
    try:
        replace_durably(path, text.encode())
    except OSError as error:
        raise ReportNotWritten(path=path, detail=reason_of(error)) from error
