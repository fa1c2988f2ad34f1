"""The way to an engine or a scripted door in this process, for pages that are tested without a socket."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from PySide6.QtCore import QObject

from app.contract.base import Command, Query
from app.contract.door import Door
from app.domain.events import Event
from app.workers.door import DoorClient

R = TypeVar("R")
_THREADS = 4


class LocalLine:
    """Fulfils :class:`app.workers.door.Line` with a few threads that wait for the answers."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-line")

    def request(self, request: Command[R] | Query[R]) -> Future[R]:
        """Ask or command on another thread."""
        if isinstance(request, Query):
            return self._threads.submit(self._door.ask, request)
        return self._threads.submit(self._door.execute, request)

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell every event from now on, on whatever thread."""
        return self._door.subscribe(listener)

    def close(self) -> None:
        """Wait for what was asked."""
        self._threads.shutdown(cancel_futures=True)


class LocalClient(DoorClient):
    """The window's side of a door in this process; closing it waits for what was asked as well."""

    def __init__(self, door: Door, parent: QObject | None = None) -> None:
        self._local = LocalLine(door)
        super().__init__(self._local, parent)

    def close(self, timeout_ms: int = 5000) -> bool:
        """Close the client and the line."""
        has_ended = super().close(timeout_ms)
        self._local.close()
        return has_ended
