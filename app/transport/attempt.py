"""Attempts to open a disk over a mode, and how often they are repeated."""

from dataclasses import dataclass
from typing import TypeVar

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.retry import RetryPolicy
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.messages import Sayable
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import messages
from app.transport.errors import ModeNotOffered
from app.transport.reasons import GIVEN_UP

E = TypeVar("E", bound=DiskAccessFailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is being done to which disk; every error and log line of a transport names these."""

    path: str
    mode: TransportMode
    operation: Done

    def error(self, kind: type[E], **more: object) -> E:
        """Return an error of this kind about this disk."""
        return kind(path=self.path, mode=self.mode.name, operation=self.operation, **more)

    def failed(self, detail: object) -> DiskAccessFailed:
        """Return the error that says why it did not work."""
        return self.error(DiskAccessFailed, detail=detail)


def not_offered(disk: DiskAddress, mode: TransportMode, operation: Done, detail: Sayable) -> ModeNotOffered:
    """Return the error that says why a mode is not there for a disk."""
    return Attempt(path=disk.path, mode=mode, operation=operation).error(ModeNotOffered, detail=detail)


class Recovery:
    """Counts failures in a row and decides when to give up.

    Thread: one at a time.
    """

    def __init__(self, attempt: Attempt, policy: RetryPolicy, log: TaskLog, cancel: CancelToken) -> None:
        self._attempt = attempt
        self._policy = policy
        self._log = log
        self._cancel = cancel
        self._failures = 0

    def progressed(self) -> None:
        """Note that something was achieved: the next failure is the first again."""
        self._failures = 0

    def pause_after(self, failure: Exception) -> None:
        """Wait before the next attempt, or give up.

        Raises:
            DiskAccessFailed: the attempts are used up.
            TaskCancelled: cancelled while waiting.
        """
        self._failures += 1
        if self._failures >= self._policy.attempts:
            raise self._attempt.failed(
                GIVEN_UP.fill(reason=reason_of(failure), attempts=self._failures)
            ) from failure
        delay_s = self._policy.delay_s(self._failures)
        self._log.warning(
            messages.CONNECTION_LOST,
            path=self._attempt.path,
            mode=self._attempt.mode.name,
            detail=reason_of(failure),
            attempt=self._failures + 1,
            attempts=self._policy.attempts,
            delay_s=f"{delay_s:g}",
        )
        self._cancel.wait(delay_s)
