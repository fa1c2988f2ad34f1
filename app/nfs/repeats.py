"""Requests that come once more get the answer that they got, also over another connection.

A client that lost its connection sends what was not answered again. A CREATE or REMOVE that is done twice would be
refused the second time, and a host would take a lock that it has won for one that it has lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from blake3 import blake3

_MOST: Final = 4096
_MOST_BYTES: Final = 8 << 20
Answer = Callable[[bytes | bytearray], None]
_Key = tuple[str, int, int, bytes]


@dataclass(slots=True)
class _Request:
    answer: bytes | bytearray | None = None
    waiting: list[Answer] = field(default_factory=list)


class RepeatedRequests:
    """Remembers the answers to what must not be done twice. Thread: the event loop's."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._requests: dict[_Key, _Request] = {}

    def once(
        self,
        client: str,
        xid: int,
        procedure: int,
        arguments: memoryview,
        do: Callable[[Answer], None],
        answer: Answer,
    ) -> None:
        """Do something unless it was done or is under way; ``answer`` gets the result anyway, now or later.

        What ``do`` raises is raised, and nothing is remembered.
        """
        key = (client, xid, procedure, blake3(arguments).digest())
        known = self._requests.get(key)
        if known is None:
            known = self._requests[key] = _Request(waiting=[answer])
            try:
                do(lambda result: self._done(key, result))
            except BaseException:
                del self._requests[key]
                raise
        elif known.answer is None:
            known.waiting.append(answer)
        else:
            answer(known.answer)

    def _done(self, key: _Key, result: bytes | bytearray) -> None:
        request = self._requests[key]
        request.answer = result
        self._bytes += len(result)
        waiting, request.waiting = request.waiting, []
        self._forget_oldest()
        for answer in waiting:
            answer(result)

    def _forget_oldest(self) -> None:
        for key in tuple(self._requests):
            if len(self._requests) <= self._most and self._bytes <= self._most_bytes:
                return
            oldest = self._requests[key]
            if oldest.answer is not None:
                self._bytes -= len(oldest.answer)
                del self._requests[key]
