"""Commands about the log."""

from app.engine.commands.base import Command
from app.engine.queries.history import LogFilter


class ExportLog(Command[int], frozen=True, kw_only=True):
    """下载: write the lines that fit to a file on the engine's machine, newest first; return how many there were.

    The file is a table as spreadsheets read it (CSV, UTF-8 with a byte order mark). Words are translated by the
    filter's ``translations``; a file that is there already is replaced, once the new one is complete.
    """

    filter: LogFilter = LogFilter()
    path: str
    """Absolute path."""


class ClearLog(Command[int], frozen=True, kw_only=True):
    """清除: delete the lines that fit; return how many there were. Statistics and tasks stay."""

    filter: LogFilter = LogFilter()
