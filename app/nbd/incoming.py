"""Takes a client's requests off its connection: all that are there at once."""

import asyncio
from typing import Final

from app.nbd.wire import REQUEST_BYTES, CommandKind, Request

_MOST_BYTES: Final = 64 * 1024
_LAST: Final = frozenset({CommandKind.WRITE, CommandKind.DISCONNECT})
"""Behind these there may be something else than a request."""


class Incoming:
    """The requests of one client. Thread: the event loop's."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._received = bytearray()

    async def requests(self) -> list[Request]:
        """Return the requests that are there, at least one; a write or the end of the conversation is the last.

        Raises:
            ProtocolBroken: what is there is no request.
            ConnectionError, asyncio.IncompleteReadError: the client is gone.
        """
        while len(self._received) < REQUEST_BYTES:
            await self._receive()
        found: list[Request] = []
        end = len(self._received) - REQUEST_BYTES
        at = 0
        while at <= end and not (found and found[-1].kind in _LAST):
            found.append(Request.decode(self._received[at : at + REQUEST_BYTES]))
            at += REQUEST_BYTES
        del self._received[:at]
        return found

    async def skip(self, length_bytes: int) -> None:
        """Pass over the data of a write, a little at a time.

        Raises:
            ConnectionError, asyncio.IncompleteReadError: the client is gone.
        """
        left = length_bytes
        while left > len(self._received):
            left -= len(self._received)
            self._received.clear()
            await self._receive()
        del self._received[:left]

    async def _receive(self) -> None:
        more = await self._reader.read(_MOST_BYTES)
        if not more:
            raise asyncio.IncompleteReadError(bytes(self._received), REQUEST_BYTES)
        self._received += more
