"""The requests after the handshake (``doc/proto.md``, "Transmission phase", "Structured reply messages")."""

import asyncio
import logging
import struct
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from app.domain.errors import OperationalError
from app.nbd.exports import Export, Range
from app.nbd.handshake import Agreement
from app.nbd.incoming import Incoming
from app.nbd.wire import (
    ALLOCATION_ID,
    LONGEST_REQUEST_BYTES,
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
_SMALL_BYTES: Final = 64 * 1024
"""Reads up to this size are answered together when they came together."""
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
        self._incoming = Incoming(reader)
        self._writer = writer
        self._small: list[Request] = []
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
                for request in await self._incoming.requests():
                    if request.kind == CommandKind.DISCONNECT:
                        self._begin_small(tasks)
                        return
                    if request.kind == CommandKind.WRITE:
                        await self._incoming.skip(request.length_bytes)
                    if self._slots.locked():
                        self._begin_small(tasks)
                    await self._slots.acquire()
                    if self._is_small(request):
                        self._small.append(request)
                    else:
                        tasks.create_task(self._answer(request))
                self._begin_small(tasks)

    def _is_small(self, request: Request) -> bool:
        """Return whether a request is answered together with others: a read of little, without holes."""
        return (
            request.kind == CommandKind.READ
            and request.length_bytes <= _SMALL_BYTES
            and self._refusal(request) is None
            and (not self._agreement.structured or self._export.is_data(request.offset, request.length_bytes))
        )

    def _begin_small(self, tasks: asyncio.TaskGroup) -> None:
        small, self._small = self._small, []
        if small:
            tasks.create_task(self._answer_together(small))

    async def _answer_together(self, requests: Sequence[Request]) -> None:
        """Answer small reads; those that came together are read on one thread and leave together."""
        parts = [(request.offset, request.length_bytes) for request in requests]
        try:
            found = await self._fetch(parts)
        except OperationalError:  # each by itself then, so that each gets its own answer
            await asyncio.gather(*(self._answer(request) for request in requests))
            return
        try:
            replies = zip(requests, found, strict=True)
            await self._send(b"".join(piece for request, data in replies for piece in (self._head(request), data)))
        except ConnectionError:
            pass  # the loop that takes requests ends for the same reason
        finally:
            for _ in requests:
                self._slots.release()

    def _head(self, request: Request) -> bytes:
        """Return what stands before the data of a read that has no holes."""
        if not self._agreement.structured:
            return simple_reply(request.cookie)
        head = chunk_head(request.cookie, ReplyKind.OFFSET_DATA, 8 + request.length_bytes, is_last=True)
        return head + struct.pack(">Q", request.offset)

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
            pass  # the loop that takes requests ends for the same reason
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
            (data,) = await self._fetch([(request.offset, request.length_bytes)])
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
        (data,) = await self._fetch([(start, length_bytes)])
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

    async def _fetch(self, parts: Sequence[tuple[int, int]]) -> list[bytearray]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._export.read_together, parts)

    async def _send(self, *pieces: bytes | bytearray) -> None:
        async with self._sending:
            for piece in pieces:
                self._writer.write(piece)
            await self._writer.drain()
