"""The event loop of asyncio inside the one that Qt runs for the window."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import qasync
from PySide6.QtCore import QAbstractEventDispatcher, QCoreApplication, QEventLoop, QTimer

_LAST_TASKS_S = 2.0
_STEP_MS = 10


class _Ending:
    """Calls who wants to know that asyncio's loop ends; the application's own signal comes too early for that."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def connect(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def emit(self) -> None:
        for listener in self._listeners:
            listener()


class _RunningApplication:
    """The application as qasync sees it: it runs already, in whatever loop of Qt, and is not qasync's to end.

    qasync would call ``QCoreApplication.exit``, after which no dialog could be shown any more.
    """

    def __init__(self, application: QCoreApplication) -> None:
        self._application = application
        self.aboutToQuit = _Ending()

    def exit(self) -> None:
        """Leave the application alone."""

    def eventDispatcher(self) -> QAbstractEventDispatcher:
        return self._application.eventDispatcher()


@contextmanager
def asyncio_in_qt(application: QCoreApplication) -> Iterator[asyncio.AbstractEventLoop]:
    """Let asyncio run inside the block wherever Qt's event loop runs, also in that of a dialog; ends its tasks.

    Thread: GUI.
    """
    running = _RunningApplication(application)
    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(running, already_running=True)
    try:
        yield loop
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        _live_until(lambda: all(task.done() for task in tasks))
        running.aboutToQuit.emit()
        loop.stop()
        asyncio._set_running_loop(None)  # noqa: SLF001 - qasync sets it and does not take it back
        loop.close()


def run_here(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end while the window lives. Thread: GUI, inside :func:`asyncio_in_qt`."""
    task = asyncio.get_running_loop().create_task(work)
    loop = QEventLoop()
    task.add_done_callback(lambda _: loop.quit())
    loop.exec()
    task.result()


def _live_until(is_true: Callable[[], bool]) -> None:
    """Let events be handled until something is true, but not for ever."""
    loop = QEventLoop()
    deadline = monotonic() + _LAST_TASKS_S
    while not is_true() and monotonic() < deadline:
        QTimer.singleShot(_STEP_MS, loop.quit)
        loop.exec()
