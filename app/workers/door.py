"""The engine's door as the window uses it: ask and command without waiting, hear events on the GUI thread."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from app.contract.base import Command, Query
from app.domain.events import Event
from app.workers.asker import Asker, Failure
from app.workers.pump import EventPump

R = TypeVar("R")


class Door(Protocol):
    """What is behind the door: the engine in this process, or the connection to one in another. Thread: any."""

    def execute(self, command: Command[R]) -> R:
        """Carry a command out.

        Raises:
            OperationalError: it could not be.
        """
        ...

    def ask(self, query: Query[R]) -> R:
        """Answer a query.

        Raises:
            OperationalError: it could not be answered.
        """
        ...

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell every event from now on; return the function that ends it."""
        ...


class DoorClient(QObject):
    """The window's side of the door. Thread: GUI.

    Signals:
        events: a tuple of events, oldest first.
    """

    events = Signal(tuple)

    def __init__(self, door: Door, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._door = door
        self._asker = Asker(self)
        self._pump = EventPump(door.subscribe, self)
        self._pump.arrived.connect(self.events)

    def ask(
        self,
        query: Query[R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Ask; one of the callbacks follows on this thread, while ``owner`` lives."""

        def work() -> R:
            return self._door.ask(query)

        self._asker.run(work, owner=owner, on_done=on_done, on_failed=on_failed)

    def execute(
        self,
        command: Command[R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Command; one of the callbacks follows on this thread, while ``owner`` lives."""

        def work() -> R:
            return self._door.execute(command)

        self._asker.run(work, owner=owner, on_done=on_done, on_failed=on_failed)

    def run_apart(
        self,
        work: Callable[[], R],
        *,
        owner: QObject,
        on_done: Callable[[R], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Do something that may wait for a disk; one of the callbacks follows on this thread."""
        self._asker.run(work, owner=owner, on_done=on_done, on_failed=on_failed)

    def close(self, timeout_ms: int = 5000) -> bool:
        """Stop listening, asking and telling, and wait for open calls; return False when the time was up first."""
        self._pump.close()
        return self._asker.close(timeout_ms)
