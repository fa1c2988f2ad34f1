"""The log as a file for people and spreadsheets."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Final

from app.contract.log import LogEntryRow
from app.core.sheets import SheetFile
from app.domain.messages import LogLevel, sentence_if_possible
from app.domain.reasons import reason_of
from app.engine.history.errors import LogNotWritten

COLUMNS: Final = ("Time", "Level", "Subject", "Action", "Message", "Task")
LEVELS: Final = {LogLevel.NORMAL: "Normal", LogLevel.WARNING: "Warning", LogLevel.ERROR: "Error"}


def write_log(
    path: Path, rows: Iterable[LogEntryRow], translations: Mapping[str, str], zone: tzinfo | None
) -> int:
    """Write lines to a file, and return how many there were; a file that is there is replaced at the end.

    Args:
        path: the file.
        rows: the lines; they are read one by one.
        translations: words and message templates in the reader's language, by the English ones.
        zone: in which times are shown; None is the machine's.

    Raises:
        LogNotWritten: the system refused; the old file is still there.
    """
    count = 0
    try:
        with SheetFile(path) as sheet:
            sheet.write([[translations.get(name, name) for name in COLUMNS]])
            for row in rows:
                sheet.write([_cells(row, translations, zone)])
                count += 1
    except OSError as error:
        raise LogNotWritten(path=path, detail=reason_of(error)) from error
    return count


def _cells(row: LogEntryRow, translations: Mapping[str, str], zone: tzinfo | None) -> tuple[str, ...]:
    level = LEVELS[row.line.level]
    return (
        row.line.at.astimezone(zone).isoformat(sep=" ", timespec="milliseconds"),
        translations.get(level, level),
        row.subject,
        translations.get(row.action, row.action),
        _message(row, translations),
        row.task or "",
    )


def _message(row: LogEntryRow, translations: Mapping[str, str]) -> str:
    if not row.template:
        return row.line.text
    return sentence_if_possible(row.template, row.line.params, lambda text: translations.get(text, text))
