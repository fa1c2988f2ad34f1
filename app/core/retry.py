"""Trying again, where an error says that it may help."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.core.cancel import CancelToken
from app.domain.errors import OperationalError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after how long to try again; the delay grows by ``factor`` up to ``longest_s``."""

    attempts: int = 3
    first_delay_s: float = 1.0
    factor: float = 2.0
    longest_s: float = 30.0

    def delay_s(self, failures: int) -> float:
        """Return the pause after so many failures (1, 2, …)."""
        return min(self.longest_s, self.first_delay_s * self.factor ** (failures - 1))


def retry(
    action: Callable[[], T],
    policy: RetryPolicy,
    cancel: CancelToken,
    *,
    on_failure: Callable[[OperationalError, int], None] | None = None,
) -> T:
    """Run ``action`` until it succeeds, is not retryable, or the attempts are used up.

    Raises:
        OperationalError: the last failure.
        TaskCancelled: cancelled while waiting.
    """
    failures = 0
    while True:
        try:
            return action()
        except OperationalError as error:
            failures += 1
            if not error.retryable or failures >= policy.attempts:
                raise
            if on_failure is not None:
                on_failure(error, failures)
            cancel.wait(policy.delay_s(failures))
