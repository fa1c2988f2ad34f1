"""What is remembered of the past: log lines, figures per day, traffic; and how it is looked for."""

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel, Message, Params


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSubject:
    """What log lines are about."""

    name: str
    """Name of the VM, rule, platform or standby; empty for the program itself."""
    action: str
    """Stable code of what was being done: ``backup``, ``restore``, ``rule.create`` …"""
    rule: RuleId | None = None
    vm: VmId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of the whole log: code and parameters are kept, the sentence is made for the reader."""

    id: int
    at: datetime
    level: LogLevel
    code: str
    params: Params = ()
    subject: LogSubject
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWord:
    """A word that is looked for in the log, and where it is known to occur.

    It is found in the subject, in the action, in the fixed words of the message and in the message's values.
    """

    text: str
    codes: frozenset[str] = frozenset()
    """Codes of the messages whose fixed words contain it, in the reader's language or in English."""
    templates: frozenset[str] = frozenset()
    """English templates whose words in the reader's language contain it, of messages inside of messages."""
    actions: frozenset[str] = frozenset()
    """Actions whose name in the reader's language contains it."""

    def occurs_in(self, entry: LogEntry) -> bool:
        """Return whether a line contains the word; the case of letters does not matter."""
        if entry.code in self.codes or entry.subject.action in self.actions:
            return True
        wanted = self.text.casefold()
        if any(wanted in text.casefold() for text in (entry.subject.name, entry.subject.action)):
            return True
        return self._is_among(entry.params, wanted)

    def _is_among(self, params: Params, wanted: str) -> bool:
        return any(
            value.kind.template in self.templates
            or wanted in value.kind.template.casefold()
            or self._is_among(value.params, wanted)
            if isinstance(value, Message)
            else wanted in value.casefold()
            for _, value in params
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearch:
    """Which log lines are wanted; every condition given must hold."""

    start: datetime | None = None
    """The first moment that belongs to it."""
    end: datetime | None = None
    """The first moment that does not belong to it any more."""
    at_least: LogLevel = LogLevel.NORMAL
    words: tuple[LogWord, ...] = ()
    rule: RuleId | None = None
    vm: VmId | None = None
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSlice:
    """Part of the log, newest first."""

    entries: tuple[LogEntry, ...]
    older: int | None
    """Where to go on; None when there is nothing older."""
    searched_to: datetime | None
    """How far back was looked; None when nothing older is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """Ended backups of one local day; bytes as in :class:`app.domain.tasks.TransferTotals`."""

    day: date
    succeeded: int
    failed: int
    read_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Bytes moved for one VM of a rule (or outside every rule) in one second."""

    at_s: int
    """The second, counted from 1970 in UTC."""
    rule: RuleId | None
    vm: VmId
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, slots=True, order=True)
class TrafficSlice:
    """Bytes moved in one slice of time."""

    at_s: int
    """The slice's first second, counted from 1970 in UTC."""
    read_bytes: int
    written_bytes: int
