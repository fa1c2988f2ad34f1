"""What the history needs from the catalog."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

from app.domain.history import DayFigures, LogSearch, LogSlice, LogSubject, Moved, TrafficSlice
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel, Message


class LogStore(Protocol):
    """Remembers the log of everything. Thread: any."""

    def append(self, at: datetime, level: LogLevel, message: Message, subject: LogSubject) -> None:
        """Append a line that belongs to no task."""
        ...

    def page(self, search: LogSearch, *, before: int | None = None, limit: int) -> LogSlice:
        """Return a page of the lines that fit, newest first; it can be short where words are searched for."""
        ...

    def clear(self, search: LogSearch) -> int:
        """Delete the lines that fit; return how many there were."""
        ...


class FigureStore(Protocol):
    """Remembers what was backed up and how it ended. Thread: any."""

    def days(
        self, rule: RuleId | None = None, vm: VmId | None = None, *, since: date | None = None
    ) -> tuple[DayFigures, ...]:
        """Return the days with ended backups, oldest first: of a VM in a rule, of a rule, or of everything."""
        ...

    def total(self, rule: RuleId | None = None, vm: VmId | None = None) -> DayFigures:
        """Return the sum over all days."""
        ...

    def unviewed(self, rule: RuleId | None = None, vm: VmId | None = None) -> int:
        """Return how many failed tasks have not been viewed."""
        ...

    def unviewed_by_vm(self) -> dict[tuple[RuleId | None, VmId], int]:
        """Return how many failed tasks have not been viewed, for each VM in each rule that has any."""
        ...

    def unviewed_among(self, ids: Sequence[TaskId]) -> frozenset[TaskId]:
        """Return those of some tasks that failed and have not been viewed."""
        ...

    def make_up_for(self, task: TaskId) -> None:
        """Count a failed task no longer among those to look at: it is run again."""
        ...

    def mark_viewed(self, rule: RuleId | None = None, vm: VmId | None = None) -> int:
        """Note that the operator looked at the failed tasks; return how many were new."""
        ...

    def last_failures(self, limit: int, *, until: datetime | None = None) -> tuple[TaskId, ...]:
        """Return the newest failed backup of each VM whose last backup failed, newest first.

        What ended after ``until`` counts only for VMs that have nothing else.
        """
        ...

    def rules_since(self) -> dict[RuleId, datetime]:
        """Return since when each rule is there."""
        ...

    def forget_rule(self, rule: RuleId) -> None:
        """Delete a rule's figures, traffic and unviewed errors; its tasks stay as tasks of no rule."""
        ...


class TrafficStore(Protocol):
    """Remembers traffic over time. Thread: any."""

    def add(self, moved: Iterable[Moved]) -> None:
        """Add what was moved."""
        ...

    def roll_up(self, now_s: int) -> None:
        """Add the seconds of every minute that is over to minutes and hours, and forget seconds too old."""
        ...

    def forget_old(self, now_s: int) -> None:
        """Forget the minutes and hours that are older than they are kept."""
        ...

    def read(
        self, slice_s: int, start_s: int, end_s: int, *, rule: RuleId | None = None, vm: VmId | None = None
    ) -> tuple[TrafficSlice, ...]:
        """Return the slices of a stretch in which something ran, oldest first."""
        ...
