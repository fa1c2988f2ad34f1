"""Work that may wait for a disk, on a few threads of its own."""

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QRunnable, QThreadPool

from app.workers.answers import Answer, Answers, Failure, Waiting, failed_with

_THREADS = 2

T = TypeVar("T")


class Call(QRunnable):
    """One piece of work on a thread of the pool."""

    def __init__(
        self,
        number: int,
        work: Callable[[], Any],
        put: Callable[[int, Answer], None],
        deliver: Callable[[int], None],
    ) -> None:
        super().__init__()
        self.setAutoDelete(True)
        self._number = number
        self._work: Callable[[], Any] | None = work
        self._put = put
        self._deliver = deliver

    def run(self) -> None:
        """Do the work and report its number."""
        # Only the number is reported. A failure's traceback refers to this frame: an answer in a local of it would
        # be a cycle, and its end not the GUI thread's to choose.
        self._put(self._number, self._answer())
        self._work = None
        self._deliver(self._number)

    def _answer(self) -> Answer:
        assert self._work is not None
        try:
            return Answer(self._work())
        except Exception as error:  # noqa: BLE001 - one dialog and the log, never a dead window
            return failed_with(error)


class Apart(QObject):
    """Runs work on a few threads and brings each answer back to the GUI thread.

    An answer whose owner was destroyed meanwhile is dropped. Only plain values cross the threads: a Qt object that
    is made for one call would lose its last Python reference on a thread of the pool while the GUI thread deletes
    it, which crashes. Thread: GUI.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.answers = Answers(self)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(_THREADS)

    def run(
        self,
        work: Callable[[], T],
        *,
        owner: QObject,
        on_done: Callable[[T], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Run ``work`` on another thread; exactly one of the two callbacks follows, while ``owner`` lives."""
        if self.answers.is_closed:
            return
        number = self.answers.expect(Waiting(owner, on_done, on_failed, held=work))
        self._pool.start(Call(number, work, self.answers.put, self.answers.deliver))

    def wait(self, timeout_ms: int) -> bool:
        """Wait until all work has ended; return False when the time was up first."""
        return self._pool.waitForDone(timeout_ms)

    def close(self, timeout_ms: int) -> bool:
        """Take no more work and deliver no more answers; return False when open work outlasted the time."""
        self.answers.close()
        return self.wait(timeout_ms)
