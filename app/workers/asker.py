"""Asking the engine without waiting for it on the GUI thread."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal, Slot
from shiboken6 import isValid

from app.domain.errors import OperationalError

_log = logging.getLogger(__name__)
_THREADS = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that is no :class:`OperationalError`: a mistake of ours, told with its kind only."""

    kind: str
    detail: str


Failure = OperationalError | Bug


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a call came to, on its way to the GUI thread: a value, or with ``failure`` set what went wrong."""

    value: object
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits for an answer."""

    work: Callable[[], Any]
    """Held until the answer is here, so that what it refers to never ends on a thread of the pool."""
    owner: QObject
    on_done: Callable[[Any], None]
    on_failed: Callable[[Failure], None]


class _Call(QRunnable):
    def __init__(
        self, number: int, work: Callable[[], Any], answers: dict[int, _Answer], tell: Callable[[int], None]
    ) -> None:
        super().__init__()
        self.setAutoDelete(True)
        self._number = number
        self._work: Callable[[], Any] | None = work
        self._answers = answers
        self._tell = tell

    def run(self) -> None:
        # Only the number is told. A failure's traceback refers to this frame: an answer in a local of it would be
        # a cycle, and its end not the GUI thread's to choose.
        self._answers[self._number] = self._answer()
        self._work = None
        self._tell(self._number)

    def _answer(self) -> _Answer:
        assert self._work is not None
        try:
            return _Answer(self._work(), None)
        except OperationalError as error:
            return _Answer(None, error)
        except Exception as bug:  # noqa: BLE001 - one dialog and the log, never a dead window
            _log.exception("a request of the window failed")
            return _Answer(None, Bug(type(bug).__name__, str(bug)))


class Asker(QObject):
    """Runs calls on a few threads and brings each answer back to the GUI thread.

    An answer whose asker was destroyed meanwhile is dropped. Only plain values cross the threads: a Qt object that
    is made for one call would lose its last Python reference on a thread of the pool while the GUI thread deletes
    it, which crashes. Thread: GUI.
    """

    _answered = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[int, _Waiting] = {}
        self._answers: dict[int, _Answer] = {}
        self._number = 0
        self._is_closed = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(_THREADS)
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], T],
        *,
        owner: QObject,
        on_done: Callable[[T], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Run ``work`` on another thread; exactly one of the two callbacks follows, while ``owner`` lives."""
        if self._is_closed:
            return
        self._number += 1
        self._waiting[self._number] = _Waiting(work, owner, on_done, on_failed)
        self._pool.start(_Call(self._number, work, self._answers, self._answered.emit))

    def wait(self, timeout_ms: int) -> bool:
        """Wait until all calls have ended; return False when the time was up first."""
        return self._pool.waitForDone(timeout_ms)

    def close(self, timeout_ms: int) -> bool:
        """Take no more calls and tell no more answers; return False when open calls outlasted the time."""
        self._is_closed = True
        has_ended = self.wait(timeout_ms)
        if has_ended:
            self._waiting.clear()
            self._answers.clear()
        return has_ended

    @Slot(int)
    def _on_answered(self, number: int) -> None:
        waiting, answer = self._waiting.pop(number, None), self._answers.pop(number, None)
        if waiting is None or answer is None or self._is_closed or not isValid(waiting.owner):
            return
        if answer.failure is not None:
            waiting.on_failed(answer.failure)
        else:
            waiting.on_done(answer.value)
