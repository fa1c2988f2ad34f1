"""Asking the engine without waiting for it on the GUI thread."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal, Slot

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


class _Reply(QObject):
    """Carries one answer from a pool thread to the GUI thread."""

    done = Signal(object)
    failed = Signal(object)


class _Call(QRunnable):
    def __init__(self, work: Callable[[], Any], reply: _Reply) -> None:
        super().__init__()
        self.setAutoDelete(True)
        self._work = work
        self._reply = reply

    def run(self) -> None:
        try:
            answer = self._work()
        except OperationalError as error:
            self._reply.failed.emit(error)
        except Exception as bug:  # noqa: BLE001 - one dialog and the log, never a dead window
            _log.exception("a request of the window failed")
            self._reply.failed.emit(Bug(type(bug).__name__, str(bug)))
        else:
            self._reply.done.emit(answer)


class _Delivery(QObject):
    """Hands one answer to its asker, unless the asker is gone.

    Thread: GUI; it is a child of the asking object, so it dies with it and a late answer goes nowhere.
    """

    def __init__(
        self, owner: QObject, on_done: Callable[[Any], None], on_failed: Callable[[Failure], None]
    ) -> None:
        super().__init__(owner)
        self._on_done = on_done
        self._on_failed = on_failed

    @Slot(object)
    def deliver(self, answer: object) -> None:
        """Give the answer to the asker."""
        self._close()
        self._on_done(answer)

    @Slot(object)
    def refuse(self, failure: object) -> None:
        """Give the failure to the asker."""
        self._close()
        assert isinstance(failure, OperationalError | Bug)
        self._on_failed(failure)

    def _close(self) -> None:
        self.setParent(None)
        self.deleteLater()


class Asker(QObject):
    """Runs calls on a few threads and brings each answer back to the GUI thread.

    An answer whose asker was destroyed meanwhile is dropped. Thread: GUI.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
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
        reply = _Reply()
        delivery = _Delivery(owner, on_done, on_failed)
        reply.done.connect(delivery.deliver, Qt.ConnectionType.QueuedConnection)
        reply.failed.connect(delivery.refuse, Qt.ConnectionType.QueuedConnection)
        # The pool thread holds the reply only until it has emitted; the queued event needs it no longer.
        self._pool.start(_Call(work, reply))

    def wait(self, timeout_ms: int) -> bool:
        """Wait until all calls have ended, for an orderly exit; return False when the time was up first."""
        return self._pool.waitForDone(timeout_ms)
