"""One connection of a client: records come in (RFC 5531, section 11), replies go out as they are ready."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, cast

from app.core.oncrpc import LAST_FRAGMENT, MARK_BYTES
from app.core.xdr import XdrError
from app.nfs.programs import Programs, large_reply_bytes
from app.nfs.reply import sealed
from app.nfs.transfers import MOST_TRANSFER_BYTES

_log = logging.getLogger(__name__)

_MOST_RECORD_BYTES: Final = MOST_TRANSFER_BYTES + 4096
_FIRST_BUFFER_BYTES: Final = 64 << 10
_MOST_PENDING: Final = 128
"""Calls that are not answered yet; more are not read before."""
_MOST_UNSENT_BYTES: Final = 8 << 20
"""Of replies that the client has not taken; before that is less no call is read."""
_JOINED_BYTES: Final = 16 << 10
"""Replies up to this size leave together when several are ready at once."""


def plain_address(address: str) -> str:
    """Return an address as people write it: one of IPv4 without what IPv6 puts before it."""
    return address.removeprefix("::ffff:")


class Connection(asyncio.BufferedProtocol):
    """Serves one client over TCP. Thread: the event loop's."""

    def __init__(
        self,
        programs: Programs,
        is_welcome: Callable[[str], bool],
        opened: Callable[["Connection"], None],
        closed: Callable[["Connection"], None],
    ) -> None:
        """Prepare.

        Args:
            programs: answer the calls.
            is_welcome: returns whether an address may connect.
            opened: is called when the connection is there.
            closed: is called when it is gone.
        """
        self._programs = programs
        self._is_welcome = is_welcome
        self._opened = opened
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._buffer = bytearray(_FIRST_BUFFER_BYTES)
        self._start = self._end = 0
        self._pieces = bytearray()
        """Of a record that comes in several fragments."""
        self._pending = 0
        self._owed: dict[int, int] = {}
        """How long the large replies are that are not sent yet, by the numbers of their calls."""
        self._owed_bytes = 0
        self._is_serving = False
        self._is_congested = False
        self._is_waiting = False
        """Whether calls are not read, because too much is to be answered first."""
        self._joined: list[bytes | bytearray] = []
        """Replies that leave together, at the end of this turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the client is not welcome."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername") or ("",)
        self._address = plain_address(str(peer[0]))
        if not self._is_welcome(self._address):
            _log.info("a connection from %s was refused", self._address)
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_MOST_UNSENT_BYTES)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        del exc
        self._transport = None
        self._closed(self)

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- receiving -----------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return room for what comes next."""
        del sizehint
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == len(self._buffer):
            self._make_room()
        return memoryview(self._buffer)[self._end :]

    def _make_room(self) -> None:
        """Move what was not taken yet to the front, of a larger buffer where it fills this one."""
        waiting = self._end - self._start
        size = len(self._buffer) if waiting <= len(self._buffer) // 2 else 2 * len(self._buffer)
        buffer = bytearray(min(size, _MOST_RECORD_BYTES + MARK_BYTES + _FIRST_BUFFER_BYTES))
        buffer[:waiting] = self._buffer[self._start : self._end]
        # Another one, not the same made larger: somebody may still hold a part of the old one.
        self._buffer, self._start, self._end = buffer, 0, waiting

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what came."""
        self._end += nbytes
        self._serve()

    def _serve(self) -> None:
        """Answer every call that is there whole, as long as not too many wait for their answers."""
        self._is_serving = True
        try:
            while self._takes_calls and (message := self._next_message()) is not None:
                self._call(message)
        except XdrError as error:
            _log.info("the connection of %s ends: %s", self._address, error)
            self.close()
        finally:
            self._is_serving = False
        self._mind_reading()

    @property
    def _takes_calls(self) -> bool:
        return not self._is_congested and self._pending < _MOST_PENDING and self._owed_bytes < _MOST_UNSENT_BYTES

    def _next_message(self) -> memoryview | None:
        """Take the next record; None while it is not there whole.

        Raises:
            XdrError: it is too long.
        """
        while self._end - self._start >= MARK_BYTES:
            mark = int.from_bytes(self._buffer[self._start : self._start + MARK_BYTES], "big")
            length = mark & ~LAST_FRAGMENT
            if length + len(self._pieces) > _MOST_RECORD_BYTES:
                raise XdrError(f"a record of {length + len(self._pieces)} bytes")
            end = self._start + MARK_BYTES + length
            if end > self._end:
                return None
            fragment = memoryview(self._buffer)[self._start + MARK_BYTES : end]
            self._start = end
            if mark & LAST_FRAGMENT and not self._pieces:
                return fragment
            self._pieces += fragment
            if mark & LAST_FRAGMENT:
                whole, self._pieces = self._pieces, bytearray()
                return memoryview(whole)
        return None

    def _call(self, message: memoryview) -> None:
        self._pending += 1
        owed = large_reply_bytes(message)
        if owed:
            xid = int.from_bytes(message[:4], "big")
            self._owed_bytes += owed - self._owed.get(xid, 0)
            self._owed[xid] = owed
        reply = self._programs.call(self._address, message, self._answer)
        if reply is not None:
            self._pending -= 1
            self._send((LAST_FRAGMENT | len(reply)).to_bytes(MARK_BYTES, "big") + reply)

    # --- sending -------------------------------------------------------------------------------------------------

    def _answer(self, xid: int, results: bytes | bytearray) -> None:
        self._pending -= 1
        if self._owed:
            self._owed_bytes -= self._owed.pop(xid, 0)
        self._send(sealed(xid, results))
        if not self._is_serving and self._is_waiting and self._takes_calls:
            self._serve()  # what was received meanwhile, and what comes next

    def _send(self, record: bytes | bytearray) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if len(record) > _JOINED_BYTES:
            self._flush()
            self._transport.write(memoryview(record))  # what is not sent at once is cut without a copy
            return
        if not self._joined:
            asyncio.get_running_loop().call_soon(self._flush)
        self._joined.append(record)

    def _flush(self) -> None:
        joined, self._joined = self._joined, []
        if joined and self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(joined)

    def pause_writing(self) -> None:
        """Read no more calls while the client does not take the replies."""
        self._is_congested = True
        self._mind_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        self._is_congested = False
        if not self._is_serving:
            self._serve()

    def _mind_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wants = self._takes_calls
        self._is_waiting = not wants
        if wants and not transport.is_reading():
            transport.resume_reading()
        elif not wants and transport.is_reading():
            transport.pause_reading()


class Datagrams(asyncio.DatagramProtocol):
    """Answers calls over UDP, of the port mapper. Thread: the event loop's."""

    def __init__(self, programs: Programs, is_welcome: Callable[[str], bool]) -> None:
        self._programs = programs
        self._is_welcome = is_welcome
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one call; what is none gets no answer."""
        address = plain_address(addr[0])
        if not self._is_welcome(address):
            return
        try:
            reply = self._programs.call(
                address, memoryview(data), lambda xid, results: self._send(sealed(xid, results)[MARK_BYTES:], addr)
            )
        except XdrError:
            return
        if reply is not None:
            self._send(reply, addr)

    def _send(self, reply: bytes | bytearray, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(reply, addr)
