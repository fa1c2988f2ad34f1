"""What a notification says; names and reasons come from outside, and what is hidden in them is made visible."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from app.contract.errors import ErrorRow
from app.domain.display import visible
from app.domain.tasks import TaskRecord

_MOST_UNPROVEN: Final = 50


class NoticeKind(Enum):
    """Why a notification is sent."""

    FAILURE = "failure"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that failed."""

    record: TaskRecord
    error: ErrorRow

    def line(self) -> str:
        """Return it as one line."""
        rule = f" ({self.record.rule_name})" if self.record.rule_name else ""
        return visible(f"{self.record.kind.said()} of {self.record.vm_name}{rule}: {self.error.message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification, for whatever sink."""

    kind: NoticeKind
    at: datetime
    failures: tuple[Failure, ...] = ()
    succeeded: int = 0
    """For a digest."""
    failed: int = 0
    """For a digest; :attr:`failures` may hold fewer."""
    since: datetime | None = None
    """For a digest."""
    unproven: tuple[str, ...] = ()
    """For a digest: names of the VMs without a proof of restore for longer than their rules say."""

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        if self.kind is NoticeKind.TEST:
            return "Standfast: test notification"
        if self.kind is NoticeKind.DIGEST:
            return f"Standfast: {self.succeeded} tasks completed, {self.failed} failed"
        record = self.failures[0].record
        return visible(f"Standfast: {record.kind.said()} of {record.vm_name} failed")

    @property
    def text(self) -> str:
        """All of it, as plain text."""
        if self.kind is NoticeKind.TEST:
            return "Notifications of this Standfast arrive here."
        if self.kind is NoticeKind.FAILURE:
            return "\n".join(_details(self.failures[0]))
        since = f" since {self.since.astimezone():%Y-%m-%d %H:%M}" if self.since else ""
        lines = [f"Tasks that ended{since}: {self.succeeded} completed, {self.failed} failed."]
        lines += [f"- {failure.line()} {visible(failure.error.hint)}" for failure in self.failures]
        if self.failed > len(self.failures):
            lines.append(f"… and {self.failed - len(self.failures)} more.")
        if self.unproven:
            lines.append(f"VMs without a recent proof of restore: {len(self.unproven)}.")
            lines += [f"- {visible(name)}" for name in self.unproven[:_MOST_UNPROVEN]]
        return "\n".join(lines)


def _details(failure: Failure) -> list[str]:
    record, error = failure.record, failure.error
    ended = f"{record.ended_at.astimezone():%Y-%m-%d %H:%M:%S}" if record.ended_at else ""
    facts = (
        f"VM:     {record.vm_name}",
        f"Rule:   {record.rule_name}",
        f"Task:   {record.kind.said()} {record.id}",
        f"Ended:  {ended}",
        f"Reason: {error.message} ({error.code})",
        f"Remedy: {error.hint}",
    )
    return [visible(fact) for fact in facts]
