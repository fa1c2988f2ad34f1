"""The requests after the handshake (``doc/proto.md``, "Transmission phase", "Structured reply messages")."""

import asyncio
import logging
import struct
from concurrent.futures import Executor

from app.domain.errors import OperationalError
from app.nbd.exports import Export, Range
from app.nbd.handshake import Agreement
from app.nbd.wire import (
    ALLOCATION_ID,
    LONGEST_REQUEST_BYTES,
    REQUEST_BYTES,
    CommandFlag,
    CommandKind,
    Errno,
    ReplyKind,
    Request,
    Status,
    chunk_head,
    error_chunk,
    simple_reply,
)

_log = logging.getLogger(__name__)

_IN_WORK = 16
_CHANGING = frozenset({CommandKind.WRITE, CommandKind.TRIM, CommandKind.WRITE_ZEROES})
_ANSWERED = frozenset({CommandKind.READ, CommandKind.FLUSH, CommandKind.CACHE, CommandKind.BLOCK_STATUS})
_MOST_STATES = 64 * 1024


class Transmission:
    """Answers one client's requests, several at once and in any order. Thread: the event loop's."""

    def __init__(
        self,
        agreement: Agreement,
        pool: Executor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        assert agreement.export is not None
        self._agreement = agreement
        self._export: Export = agreement.export
        self._pool = pool
        self._reader = reader
        self._writer = writer
        self._slots = asyncio.Semaphore(_IN_WORK)
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Answer until the client says goodbye or is gone.

        Raises:
            ProtocolBroken: the client does not speak the protocol.
            ConnectionError, asyncio.IncompleteReadError: it is gone.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                request = Request.decode(await self._reader.readexactly(REQUEST_BYTES))
                if request.kind == CommandKind.DISCONNECT:
                    return
                if request.kind == CommandKind.WRITE:
                    await self._swallow(request.length_bytes)
                await self._slots.acquire()
                tasks.create_task(self._answer(request))

    async def _swallow(self, length_bytes: int) -> None:
        """Read the data of a write that will be refused, a little at a time."""
        left = length_bytes
        while left:
            left -= len(await self._reader.readexactly(min(left, 1 << 16)))

    async def _answer(self, request: Request) -> None:
        try:
            error = self._refusal(request)
            if error is not None:
                await self._refuse(request, error, "")
            elif request.kind == CommandKind.READ:
                await self._read(request)
            elif request.kind == CommandKind.BLOCK_STATUS:
                await self._send(self._block_status(request))
            else:  # flush and cache have nothing to do here
                await self._acknowledge(request)
        except OperationalError as failure:
            _log.warning("a read for an NBD client failed: %s", failure.message)
            await self._refuse(request, Errno.EIO, failure.message)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the loop that reads requests ends for the same reason
        finally:
            self._slots.release()

    def _refusal(self, request: Request) -> Errno | None:
        if request.kind in _CHANGING:
            return Errno.EPERM
        if request.kind not in _ANSWERED:
            return Errno.EINVAL
        if request.kind == CommandKind.FLUSH:
            return None
        if request.length_bytes > LONGEST_REQUEST_BYTES and request.kind == CommandKind.READ:
            return Errno.EOVERFLOW
        if request.offset + request.length_bytes > self._export.capacity_bytes or not request.length_bytes:
            return Errno.EINVAL
        if request.kind == CommandKind.BLOCK_STATUS and not self._agreement.allocation:
            return Errno.EINVAL
        return None

    # --- answers ----------------------------------------------------------------------------------------------

    async def _read(self, request: Request) -> None:
        if not self._agreement.structured:
            data = await self._fetch(request.offset, request.length_bytes)
            await self._send(simple_reply(request.cookie), data)
            return
        ranges = self._export.ranges(request.offset, request.length_bytes)
        for place, part in enumerate(ranges):
            await self._send_range(request.cookie, part, is_last=place == len(ranges) - 1)

    async def _send_range(self, cookie: int, part: Range, *, is_last: bool) -> None:
        start, length_bytes = part.extent.start, part.extent.length_bytes
        if part.is_hole:
            head = chunk_head(cookie, ReplyKind.OFFSET_HOLE, 12, is_last=is_last)
            await self._send(head + struct.pack(">QI", start, length_bytes))
            return
        data = await self._fetch(start, length_bytes)
        head = chunk_head(cookie, ReplyKind.OFFSET_DATA, 8 + length_bytes, is_last=is_last)
        await self._send(head + struct.pack(">Q", start), data)

    def _block_status(self, request: Request) -> bytes:
        ranges = self._export.ranges(request.offset, request.length_bytes)
        count = 1 if request.flags & CommandFlag.REQ_ONE else _MOST_STATES
        states = b"".join(
            struct.pack(
                ">II", part.extent.length_bytes, Status.HOLE | Status.ZERO if part.is_hole else Status.DATA
            )
            for part in ranges[:count]
        )
        head = chunk_head(request.cookie, ReplyKind.BLOCK_STATUS, 4 + len(states), is_last=True)
        return head + struct.pack(">I", ALLOCATION_ID) + states

    async def _acknowledge(self, request: Request) -> None:
        if self._agreement.structured:
            await self._send(chunk_head(request.cookie, ReplyKind.NONE, 0, is_last=True))
        else:
            await self._send(simple_reply(request.cookie))

    async def _refuse(self, request: Request, error: Errno, message: str) -> None:
        if self._agreement.structured:
            await self._send(error_chunk(request.cookie, error, message))
        else:
            await self._send(simple_reply(request.cookie, error))

    async def _fetch(self, offset: int, length_bytes: int) -> bytearray:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._export.read, offset, length_bytes)

    async def _send(self, head: bytes, data: bytes | bytearray = b"") -> None:
        async with self._sending:
            self._writer.write(head)
            if data:
                self._writer.write(data)
            await self._writer.drain()
