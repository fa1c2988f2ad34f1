"""The log as a file for people and spreadsheets."""

import csv
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Final

from app.domain.messages import LogLevel
from app.engine.history.errors import LogNotWritten
from app.engine.queries.history import LogEntryRow

COLUMNS: Final = ("Time", "Level", "Subject", "Action", "Message", "Task")
LEVELS: Final = {LogLevel.NORMAL: "Normal", LogLevel.WARNING: "Warning", LogLevel.ERROR: "Error"}
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


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
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("x", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([translations.get(name, name) for name in COLUMNS])
            count = 0
            for row in rows:
                writer.writerow([_harmless(cell) for cell in _cells(row, translations, zone)])
                count += 1
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise LogNotWritten(path=path, detail=error.strerror or str(error)) from error
    except BaseException:  # whatever stopped us, a half-written file must not stay
        with suppress(OSError):
            scratch.unlink()
        raise
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
    translated = translations.get(row.template)
    if translated is None:
        return row.line.text
    try:
        return translated.format_map(dict(row.line.params))
    except (KeyError, ValueError, IndexError):  # a translation that does not fit: English is better than nothing
        return row.line.text


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a VM's name for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_SIGNS) else cell
