"""Filling requests on several threads, and handing them out in their order.

Requests go in batches, so that handing over costs little beside reading. Who waits for the oldest batch does not
only wait: it fills another one that no thread has begun, or the oldest one itself.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final

from app.core.disks import ReadRequest

Fill = Callable[[Sequence[ReadRequest]], None]
"""Fills the buffers of some requests."""
_BATCH: Final = 8
"""Requests that one thread takes at once."""
_BATCHES: Final = 2
WINDOW: Final = _BATCH * _BATCHES
"""The most requests that are pulled ahead of the one handed out next."""
_HELPERS: Final = _BATCHES - 1


class _Batch:
    """Requests that one thread fills; ``done`` is held until they are filled or given up."""

    __slots__ = ("done", "error", "requests")

    def __init__(self, requests: list[ReadRequest]) -> None:
        self.requests = requests
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def work(self, fill: Fill) -> None:
        """Fill all of them, or keep why that did not work."""
        try:
            fill(self.requests)
        except BaseException as error:  # noqa: BLE001 - raised where the batch is handed out
            self.error = error
        finally:
            self.done.release()


class SideBySide:
    """Threads that fill requests beside the one that asks for them. Thread: one at a time."""

    def __init__(self, make_fill: Callable[[], Fill]) -> None:
        """Start nothing yet; ``make_fill`` returns what fills requests, once for each thread."""
        self._make_fill = make_fill
        self._own = make_fill()
        self._waiting: SimpleQueue[_Batch | None] = SimpleQueue()
        self._helpers: list[threading.Thread] = []

    def in_order(self, requests: Iterator[ReadRequest]) -> Generator[ReadRequest, None, None]:
        """Yield requests, in order, as they are filled.

        Raises:
            Exception: what filling a request raised, in its turn; those before it have been yielded.
        """
        self._start()
        running: deque[_Batch] = deque()
        try:
            while self._refill(running, requests):
                oldest = running[0]
                self._help_until(oldest)
                running.popleft()
                if oldest.error is None:
                    yield from oldest.requests
                else:
                    yield from self._one_by_one(oldest)
        finally:
            self._give_up(running)

    def alone(self, requests: Sequence[ReadRequest]) -> Iterator[ReadRequest]:
        """Yield requests, in order, that the caller's thread fills all together, which wakes no other.

        Raises:
            Exception: what filling a request raised, in its turn; those before it have been yielded.
        """
        try:
            self._own(requests)
        except Exception:  # noqa: BLE001 - raised by the one that it comes from
            yield from self._each(requests)
        else:
            yield from requests

    def close(self) -> None:
        """End the threads; no request may be under way."""
        for _ in self._helpers:
            self._waiting.put(None)
        for helper in self._helpers:
            helper.join()
        self._helpers.clear()

    # ---- inside ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        for number in range(len(self._helpers), _HELPERS):
            helper = threading.Thread(target=self._run, name=f"disk-reader-{number}", daemon=True)
            helper.start()
            self._helpers.append(helper)

    def _run(self) -> None:
        fill = self._make_fill()
        while (batch := self._waiting.get()) is not None:
            batch.work(fill)

    def _one_by_one(self, failed: _Batch) -> Generator[ReadRequest, None, None]:
        """Fill a batch again that failed, so that only what cannot be filled is missing."""
        if not isinstance(failed.error, Exception):
            assert failed.error is not None
            raise failed.error
        yield from self._each(failed.requests)

    def _each(self, requests: Sequence[ReadRequest]) -> Iterator[ReadRequest]:
        for request in requests:
            self._own((request,))
            yield request

    def _refill(self, running: deque[_Batch], requests: Iterator[ReadRequest]) -> bool:
        """Begin batches until enough are under way; return whether any is."""
        while len(running) < _BATCHES and (taken := list(islice(requests, _BATCH))):
            batch = _Batch(taken)
            running.append(batch)
            self._waiting.put(batch)
        return bool(running)

    def _help_until(self, oldest: _Batch) -> None:
        while not oldest.done.acquire(blocking=False):
            other = self._not_begun()
            if other is None:
                oldest.done.acquire()
                return
            other.work(self._own)

    def _not_begun(self) -> _Batch | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _give_up(self, running: deque[_Batch]) -> None:
        """Let nobody begin what is not begun, and wait for the rest: buffers are their owner's again."""
        while (batch := self._not_begun()) is not None:
            batch.done.release()
        for batch in running:
            batch.done.acquire()
