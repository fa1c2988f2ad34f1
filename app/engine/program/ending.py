"""The end of a program that consists of parts, any of which may hang."""

import logging
import time
from collections.abc import Callable, Iterable

from app.core.boundedcalls import BoundedCalls, CallTimedOut

_log = logging.getLogger(__name__)

_LEAST_S = 0.5
"""What each part gets even when the time is up: most need none of it."""


class Ending:
    """Ends parts one after the other, within one limit for all of them. Thread: one."""

    def __init__(self, limit_s: float) -> None:
        self._deadline = time.monotonic() + limit_s

    def left_s(self, *, reserved_s: float = 0.0, most_s: float | None = None) -> float:
        """Return how many seconds are left, without what is reserved for others and at most ``most_s``."""
        left_s = max(0.0, self._deadline - time.monotonic() - reserved_s)
        return left_s if most_s is None else min(left_s, most_s)

    def run(self, steps: Iterable[tuple[str, Callable[[], object]]], *, most_s: float) -> bool:
        """End each part; one that does not end in time is left to itself.

        Args:
            steps: names of the parts, and what ends them.
            most_s: how long one may take.

        Returns:
            False when one did not end.
        """
        ended = [self._end(name, step, most_s) for name, step in steps]
        return all(ended)

    def _end(self, name: str, step: Callable[[], object], most_s: float) -> bool:
        try:
            BoundedCalls(f"ending-{name}").run(lambda _: step(), max(_LEAST_S, self.left_s(most_s=most_s)))
        except CallTimedOut:
            _log.warning("%s did not end in time and is left to itself", name)
            return False
        except Exception as error:  # noqa: BLE001 - a part that fails must not keep the others from ending
            _log.error("%s could not be ended in order: %s", name, error, exc_info=error)
        return True
