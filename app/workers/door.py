"""The engine's door as the window uses it: ask and command without waiting, hear events on the GUI thread."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from app.contract.base import Command, Query
from app.domain.events import Event
from app.workers.answers import Answer, Answers, Failure, Waiting, failed_with
from app.workers.apart import Apart
from app.workers.pump import EventPump

R = TypeVar("R")

Coming = asyncio.Future[R] | concurrent.futures.Future[R]
"""An answer that is not there yet; cancelling it withdraws the request."""


class Line(Protocol):
    """The way to the engine: :class:`app.contract.asyncclient.AsyncDoor`. Thread: GUI."""

    def request(self, request: Command[R] | Query[R]) -> Coming[R]:
        """Ask or command at once, without waiting; the answer's future fails with an OperationalError."""
        ...

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell every event from now on; return the function that ends it."""
        ...


class OpenCall:
    """A question that has no answer yet, to be given up. Thread: GUI."""

    def __init__(self, answers: Answers, number: int) -> None:
        self._answers = answers
        self._number = number

    def cancel(self) -> None:
        """Give it up: no callback follows, and the engine stops looking for the answer where it can."""
        self._answers.withdraw(self._number)


class DoorClient(QObject):
    """The window's side of the door. Thread: GUI.

    What is asked for an owner is withdrawn when the owner is destroyed; a command that was sent is carried out.

    Signals:
        events: a tuple of events, oldest first.
    """

    events = Signal(tuple)

    def __init__(self, line: Line, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._line = line
        self._answers = Answers(self)
        self._apart = Apart(self)
        self._pump = EventPump(line.subscribe, self)
        self._pump.arrived.connect(self.events)

    def ask(
        self,
        query: Query[R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> OpenCall:
        """Ask; one of the callbacks follows on this thread, while ``owner`` lives and it is not cancelled."""
        return self._send(query, Waiting(owner, on_done, on_failed))

    def execute(
        self,
        command: Command[R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Command; one of the callbacks follows on this thread, while ``owner`` lives. Nothing takes it back."""
        self._send(command, Waiting(owner, on_done, on_failed))

    def run_apart(
        self,
        work: Callable[[], R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Do something that may wait for a disk; one of the callbacks follows on this thread."""
        self._apart.run(work, owner=owner, on_done=on_done, on_failed=on_failed)

    def waiting_owners(self) -> list[QObject]:
        """Return for whom something is asked or done that has no answer yet, once for each."""
        return self._answers.owners() + self._apart.answers.owners()

    def close(self, timeout_ms: int = 5000) -> bool:
        """Stop listening, asking and telling, and wait for work apart; return False when the time was up first."""
        self._pump.close()
        self._answers.close()
        return self._apart.close(timeout_ms)

    def _send(self, request: Command[R] | Query[R], waiting: Waiting) -> OpenCall:
        number = self._answers.expect(waiting)
        if self._answers.is_closed:
            self._answers.withdraw(number)
        else:
            coming = self._line.request(request)
            waiting.withdraw = partial(_cancel, coming)
            coming.add_done_callback(partial(self._on_come, number))
        return OpenCall(self._answers, number)

    def _on_come(self, number: int, come: Coming[Any]) -> None:
        # On the thread of the line. Told through Qt's queue: a callback may open a dialog, whose event loop must
        # not run inside that of asyncio.
        if not come.cancelled():
            self._answers.put(number, _answer_of(come))
            self._answers.deliver(number)


def _cancel(coming: Coming[Any]) -> None:
    coming.cancel()


def _answer_of(come: Coming[Any]) -> Answer:
    error = come.exception()
    return Answer(come.result()) if error is None else failed_with(error)
