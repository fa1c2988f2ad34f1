"""The operator's log for what belongs to no task: rules, platforms, standby machines, the program itself."""

import logging
from dataclasses import dataclass

from app.core.clock import Clock
from app.domain.history import LogSubject
from app.domain.ids import RuleId, VmId
from app.domain.messages import LogLevel, Message, MessageKind
from app.engine.history.messages import LINES_LOST
from app.engine.history.ports import LogStore
from app.engine.tasks.latewrites import LateWrites

_log = logging.getLogger(__name__)


class Journal:
    """Opens the log for subjects. Thread: any."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self.late = LateWrites(on_lost=self._report_lost)
        """What the catalog could not take, lines of the log and ends of tasks alike."""
        self._store = store
        self._clock = clock

    def about(self, name: str, action: str, *, rule: RuleId | None = None, vm: VmId | None = None) -> "SubjectLog":
        """Return the log of one subject.

        Args:
            name: what the operator calls it; empty for the program itself.
            action: stable code of what is being done, such as ``rule.create``.
            rule: the rule that it is, or belongs to.
            vm: the VM that it is about.
        """
        return SubjectLog(self, LogSubject(name=name, action=action, rule=rule, vm=vm))

    def write(self, level: LogLevel, message: Message, subject: LogSubject) -> None:
        """Write a line. Never raises for a catalog that cannot be written: the deed is done all the same."""
        at = self._clock.now()
        _log.info("%s %s: %s: %s", subject.action, subject.name, level.name.lower(), message)
        what = f"a log line about {subject.name or 'the program'}"
        self.late.write(lambda: self._store.append(at, level, message, subject), what, may_be_lost=True)

    def _report_lost(self, count: int) -> None:
        self.write(LogLevel.WARNING, LINES_LOST.fill(count=count), LogSubject(name="", action="program.log"))


@dataclass(frozen=True, slots=True)
class SubjectLog:
    """Fulfils :class:`app.core.tasklog.TaskLog` for one subject. Thread: any."""

    journal: Journal
    subject: LogSubject

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Write a normal line."""
        self.journal.write(LogLevel.NORMAL, kind.fill(**params), self.subject)

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Write a warning."""
        self.journal.write(LogLevel.WARNING, kind.fill(**params), self.subject)

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Write an error."""
        self.journal.write(LogLevel.ERROR, kind.fill(**params), self.subject)
