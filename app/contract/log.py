"""The operator's log."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel, Params


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log lines are wanted; every condition given must hold."""

    start: datetime | None = None
    end: datetime | None = None
    at_least: LogLevel = LogLevel.NORMAL
    text: str = ""
    """Words that must appear in the subject, the action or the message, each somewhere."""
    translations: tuple[tuple[str, str], ...] = ()
    """What the reader sees in place of English message templates and of codes of actions: the words are looked for
    in them too. Only needed with ``text``, and when the log is exported."""
    rule: RuleId | None = None
    vm: VmId | None = None
    task: TaskId | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A line of a task's log: code and parameters for translation, and the English text."""

    id: int
    at: datetime
    level: LogLevel
    code: str
    params: Params
    text: str
    template: str = ""
    """The message's English template, which is the key of its translations; empty when it is not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntryRow:
    """A line of the log page: 时间, 日志等级, 操作, 操作内容."""

    line: LogRow
    subject: str
    """The VM, rule, platform or standby it is about."""
    action: str
    """Stable code of what was being done: ``backup``, ``restore``, ``rule.create`` …"""
    task: TaskId | None
    template: str = ""
    """The message's English template, for translation; empty for a code that this version does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Part of the log, newest first."""

    rows: tuple[LogEntryRow, ...]
    older: int | None
    """Cursor for the next page; None when there is no older line.

    Where words or errors are searched for, a page looks at a limited number of lines, so that it is always quick:
    it can be short, or even empty, while this is not None. Ask on from here.
    """
    searched_to: datetime | None = None
    """How far back this page looked; None when nothing older is left."""


class ReadLog(Query[LogPage], frozen=True, kw_only=True):
    """Return a page of log lines, newest first."""

    filter: LogFilter = LogFilter()
    before: int | None = None
    """Cursor of an earlier answer; None starts at the newest."""
    limit: int = 200
