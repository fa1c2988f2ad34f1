"""What the standby refuses under the VM of a volume at the moment, whatever the VM was answered."""

import errno
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from app.domain.errors import OperationalError, StandbyFull
from app.domain.reasons import reason_of
from app.nfs.failures import NO_ANSWER, StandbyAwayUnderVm, StandbyFullUnderVm, failure_of
from app.nfs.overlay.errors import OverlayFull, OverlayUnavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
PATIENCE_S: Final = 10.0
"""How long a standby may take to answer before it counts as away."""
_QUIET_S: Final = 2.0
"""A success ends a trouble when nothing was refused for so long: what works in part would end it each time."""


class Doing(Enum):
    """What was refused."""

    READING = "reading"
    WRITING = "writing"


class _Waiting:
    """A call of the system that a standby may answer late, or never; a context manager."""

    __slots__ = ("_trouble",)

    def __init__(self, trouble: "Trouble") -> None:
        self._trouble = trouble

    def __enter__(self) -> None:
        self._trouble.calls[id(self)] = self._trouble.now_s()

    def __exit__(self, *exc: object) -> None:
        self._trouble.calls.pop(id(self), None)


class Trouble:
    """Remembers refusals until what was refused succeeds. Thread: any; noting a success costs next to nothing.

    Attributes:
        now_s: returns the time, in seconds since some moment.
        calls: when each call was begun that the standby has not answered yet.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now_s = monotonic
        self.calls: dict[int, float] = {}
        self._lock = threading.Lock()
        self._refused: dict[Doing, tuple[Exception, float]] = {}

    def waiting(self) -> _Waiting:
        """Return a context manager around a call that may have to wait for the standby."""
        return _Waiting(self)

    def note(self, doing: Doing, error: Exception) -> None:
        """Take in that the standby refused."""
        with self._lock:
            self._refused[doing] = error, self.now_s()

    def note_success(self, doing: Doing) -> None:
        """Take in that the standby did what was asked of it."""
        if not self._refused:
            return
        with self._lock:
            known = self._refused.get(doing)
            if known is not None and self.now_s() - known[1] > _QUIET_S:
                del self._refused[doing]

    def end(self) -> None:
        """Forget all refusals: it was tried out that the standby takes and gives everything again."""
        with self._lock:
            self._refused.clear()

    def error(self) -> OperationalError | None:
        """Return what is wrong, in words; None where nothing is known to be."""
        begun = tuple(self.calls.values())
        if begun and self.now_s() - min(begun) > PATIENCE_S:
            return StandbyAwayUnderVm(detail=NO_ANSWER)
        with self._lock:
            known = self._refused.get(Doing.WRITING) or self._refused.get(Doing.READING)
        return None if known is None else trouble_of(known[0])


def trouble_of(error: Exception) -> OperationalError:
    """Return in words what a refusal of the standby means for a VM that runs."""
    refused = error if isinstance(error, OSError) else error.__cause__
    if isinstance(error, OverlayFull | StandbyFull) or (isinstance(refused, OSError) and refused.errno in _FULL):
        return StandbyFullUnderVm()
    if isinstance(error, OSError | OverlayUnavailable) and isinstance(refused, OSError):
        return StandbyAwayUnderVm(detail=reason_of(refused))
    return failure_of(error)
