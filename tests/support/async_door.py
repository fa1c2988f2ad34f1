"""The asyncio door on an event loop of its own, for tests that wait for its answers on their thread."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from app.contract.asyncclient import AsyncDoor
from app.contract.base import Command, Query
from app.contract.reaching import PING_S, SILENCE_S
from app.domain.events import Event

R = TypeVar("R")


class AsyncDoorFromThreads:
    """An :class:`AsyncDoor` with the interface of :class:`app.contract.client.RemoteDoor`. Thread: any."""

    def __init__(self, folder: Path, *, ping_s: float = PING_S, silence_s: float = SILENCE_S) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asyncio")
        self._thread.start()
        self._telling = ThreadPoolExecutor(1, thread_name_prefix="asyncio-events")
        self._is_closed = False

        async def open_door() -> AsyncDoor:
            return AsyncDoor(folder, ping_s=ping_s, silence_s=silence_s)

        self.door = asyncio.run_coroutine_threadsafe(open_door(), self._loop).result()

    def run(self, work: Any) -> Any:
        """Run a coroutine on the loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def execute(self, command: Command[R]) -> R:
        answer: R = self.run(self.door.execute(command))
        return answer

    def ask(self, query: Query[R]) -> R:
        answer: R = self.run(self.door.ask(query))
        return answer

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        def announce(event: Event) -> None:
            self._telling.submit(listener, event)

        def end() -> None:
            self._loop.call_soon_threadsafe(unsubscribe)

        async def subscribe() -> Callable[[], None]:
            unsubscribe = self.door.subscribe(announce)
            await self.door.wait_until_subscribed()
            return unsubscribe

        unsubscribe = self.run(subscribe())
        return end

    @property
    def engine_pid(self) -> int | None:
        return self.door.engine_pid

    def wait_until_connected(self, timeout_s: float) -> None:
        self.run(self.door.wait_until_connected(timeout_s))

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True

        async def close() -> None:
            self.door.close()
            await self.door.wait_closed()

        self.run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._telling.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
