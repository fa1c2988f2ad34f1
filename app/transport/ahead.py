"""Pulling read requests ahead of the answers, within a window of requests and of bytes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest


def check_on_disk(start: int, end: int, capacity_bytes: int) -> None:
    """Refuse a range that reaches beyond a disk.

    Raises:
        ValueError: it does.
    """
    if start < 0 or end > capacity_bytes:
        raise ValueError(f"bytes {start} to {end} are not all on a disk of {capacity_bytes} bytes")


class Pull:
    """A request that was pulled, and what is still missing of it."""

    __slots__ = ("bounce", "missing_bytes", "offset", "request", "view")

    def __init__(self, request: ReadRequest, capacity_bytes: int, unit_bytes: int) -> None:
        buffer = request.buffer
        self.request = request
        self.view = buffer if buffer.format == "B" and buffer.ndim == 1 else buffer.cast("B")
        self.offset = request.offset
        end = self.offset + len(self.view)
        check_on_disk(self.offset, end, capacity_bytes)
        self.bounce = False
        if unit_bytes > 1 and len(self.view) and (self.offset % unit_bytes or end % unit_bytes):
            self._widen(unit_bytes, capacity_bytes)
        self.missing_bytes = len(self.view)

    def _widen(self, unit_bytes: int, capacity_bytes: int) -> None:
        """Read whole units into a buffer of our own, as the transport wants it."""
        start = self.offset // unit_bytes * unit_bytes
        end = min(capacity_bytes, -(-(self.offset + len(self.view)) // unit_bytes) * unit_bytes)
        if (start, end) == (self.offset, self.offset + len(self.view)):
            return
        self.offset = start
        self.view = memoryview(bytearray(end - start))
        self.bounce = True

    def finish(self) -> ReadRequest:
        """Return the request with its buffer filled."""
        if self.bounce:
            target = self.request.buffer.cast("B")
            skipped = self.request.offset - self.offset
            target[:] = self.view[skipped : skipped + len(target)]
        return self.request


class ReadAhead:
    """Pulls requests lazily and keeps them in order.

    Thread: one at a time.
    """

    def __init__(
        self,
        requests: Iterable[ReadRequest],
        *,
        capacity_bytes: int,
        window: int,
        budget_bytes: int,
        unit_bytes: int = 1,
        cancel: CancelToken,
    ) -> None:
        self._source = iter(requests)
        self._exhausted = False
        self._held: Pull | None = None
        self._capacity_bytes = capacity_bytes
        self._window = window
        self.budget_bytes = budget_bytes
        """Most bytes that may be awaited at once; may be changed at any time."""
        self._unit_bytes = unit_bytes
        self._cancel = cancel
        self.pulled: deque[Pull] = deque()
        """What was handed out by :meth:`next_within` and not yet yielded, in order."""

    def next_within(self, open_bytes: int) -> Pull | None:
        """Return the next request if it may go out in addition to ``open_bytes`` that are still awaited.

        Raises:
            ValueError: the request reaches beyond the disk.
            TaskCancelled: the task was cancelled.
        """
        pull = self._held or self._pull()
        if pull is None:
            return None
        if open_bytes and open_bytes + pull.missing_bytes > self.budget_bytes:
            self._held = pull
            return None
        self._held = None
        self.pulled.append(pull)
        return pull

    def filled(self, ask: Callable[[], None], receive: Callable[[], None]) -> Iterator[ReadRequest]:
        """Yield each request, in order, when it is filled.

        Args:
            ask: asks for what :meth:`next_within` gives.
            receive: takes an answer.
        """
        while True:
            ask()
            if not self.pulled:
                return
            if self.pulled[0].missing_bytes:
                receive()
            else:
                yield self.pulled.popleft().finish()

    def _pull(self) -> Pull | None:
        if self._exhausted or len(self.pulled) >= self._window:
            return None
        self._cancel.check()
        request = next(self._source, None)
        if request is None:
            self._exhausted = True
            return None
        return Pull(request, self._capacity_bytes, self._unit_bytes)
