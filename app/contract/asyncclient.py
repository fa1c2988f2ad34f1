"""The door of an engine in another process, for a program with an event loop of asyncio."""

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from app.contract.asynclink import Link, Open
from app.contract.base import Command, Query
from app.contract.endpoint import Endpoint, read_endpoint
from app.contract.errors import EngineAway
from app.contract.frames import BadFrame, Ended
from app.contract.handshake import OtherVersion, UntrustedPeer
from app.contract.pieces import decode_long_answer
from app.contract.reaching import (
    CONNECT_S,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    PING_S,
    SILENCE_S,
    not_connected,
    not_let_in,
)
from app.contract.reasons import BEING_MADE, CLOSED_HERE, LOST, LOST_BEFORE_ANSWER
from app.contract.wire import UnreadableMessage, decode_answer, encode_request
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.errors import OperationalError
from app.domain.events import Event

_log = logging.getLogger(__name__)

R = TypeVar("R")

LONG_ANSWER_BYTES = 64 * 1024
"""What is longer is decoded on another thread, piece by piece."""

Listener = Callable[[Event], None]


class AsyncDoor:
    """Asks and commands an engine over one socket, without a thread that waits for it.

    It connects, and reconnects while the engine is away; requests fail with :class:`EngineAway` then,
    at once, and no request is ever repeated. Listeners hear ``EngineLost`` when the engine goes, and
    ``EngineFound`` when it is back: in between they may have missed events, so they read again what they show.

    Requests beyond what an engine takes at once wait here. A request is withdrawn by cancelling its future: one
    that waits is never sent; of a query that was sent the engine hears that the answer is not wanted, and stops
    where it can.

    Thread: that of the event loop, which has to run.
    """

    def __init__(self, folder: Path, *, ping_s: float = PING_S, silence_s: float = SILENCE_S) -> None:
        """Begin to connect to the engine whose door is in a data folder.

        Args:
            folder: the data folder.
            ping_s: how often the engine is asked whether it is there.
            silence_s: how long it may be silent.
        """
        self._folder = folder
        self._ping_s = ping_s
        self._silence_s = silence_s
        self._listeners: tuple[Listener, ...] = ()
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._sockets: set[asyncio.Future[None]] = set()
        """One for each that is open, done when it is closed."""
        self._refusal: OperationalError = EngineAway(detail=BEING_MADE)
        self._has_told_lost = False
        self._is_closing = False
        self._changed: asyncio.Future[None] = self._loop.create_future()
        # For what may wait for a disk, and for what takes long to decode.
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="door-client")
        self._keeping = self._loop.create_task(self._keep())

    # --- the door ----------------------------------------------------------------------------------------------

    def request(self, request: Command[R] | Query[R]) -> "asyncio.Future[R]":
        """Ask or command at once; the future has the answer, or an OperationalError."""
        future: asyncio.Future[R] = self._loop.create_future()
        if self._link is None:
            future.set_exception(self._refusal)
            return future
        is_query = isinstance(request, Query)
        opened = Open(encode_request(request), lambda reply: self._take(request, future, reply), is_query=is_query)
        link = self._link
        link.request(opened)

        def withdraw(ended: "asyncio.Future[R]") -> None:
            if ended.cancelled():
                link.withdraw(opened)

        future.add_done_callback(withdraw)
        return future

    async def ask(self, query: Query[R]) -> R:
        """Answer a query.

        Raises:
            EngineAway: the engine is away, or went away before it had answered.
            OperationalError: it could not be answered.
        """
        return await self.request(query)

    async def execute(self, command: Command[R]) -> R:
        """Carry a command out.

        Raises:
            EngineAway: the engine is away, or went away before it had answered.
            OperationalError: it could not be carried out.
        """
        return await self.request(command)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener for every event from now on; return the function that ends it.

        What is asked afterwards is answered with what was before the first event, or later. While the engine is
        away, the listener hears ``EngineLost`` first.
        """
        is_first = not self._listeners
        self._listeners = (*self._listeners, listener)
        if self._link is not None and is_first:
            self._link.subscribe()
        elif self._link is None and self._has_told_lost:
            self._loop.call_soon(self._announce_to, listener, EngineLost(at=datetime.now(UTC)))

        def unsubscribe() -> None:
            self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    # --- its life ----------------------------------------------------------------------------------------------

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine; None while it is away."""
        return None if self._link is None else self._link.engine_pid

    async def wait_until_connected(self, timeout_s: float) -> None:
        """Wait for the engine.

        Raises:
            EngineAway: it was not there in time.
            OperationalError: it cannot be used.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._link is None and self._refusal.retryable and not self._is_closing:
                    await asyncio.shield(self._changed)
        except TimeoutError:
            pass
        if self._link is None:
            raise self._refusal

    async def wait_until_subscribed(self) -> None:
        """Wait until the engine sends events to subscribers; not at all while it is away."""
        if self._link is not None and self._listeners:
            await asyncio.wait([self._link.subscribed])

    def close(self) -> None:
        """Give the connection up; who waits for an answer hears so. A second call does nothing."""
        self._is_closing = True
        self._refusal = EngineAway(detail=CLOSED_HERE)
        if self._link is not None:
            self._link.cut()
        self._keeping.cancel()
        self._note_change()

    async def wait_closed(self) -> None:
        """Wait until nothing of it is left, after it was closed."""
        await asyncio.wait([self._keeping, *self._sockets])

    async def __aenter__(self) -> "AsyncDoor":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()
        await self.wait_closed()

    # --- keeping the connection --------------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            await self._keep_connected()
        finally:
            self._aside.shutdown(wait=False, cancel_futures=True)

    async def _keep_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._is_closing:
            began = self._loop.time()
            link = await self._connected()
            if link is not None:
                await self._use(link)
            if self._loop.time() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            self._note_lost()
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _use(self, link: Link) -> None:
        """Let requests go over a connection until its end."""
        try:
            self._note_found(link)
            await asyncio.shield(link.ended)
        except (BadFrame, Ended, UnreadableMessage, OSError) as error:
            _log.debug("the connection to the engine ended: %r", error)
        finally:
            self._link = None
            if not self._is_closing:
                self._refusal = EngineAway(detail=LOST)
            link.lose()

    async def _connected(self) -> Link | None:
        try:
            endpoint = await self._loop.run_in_executor(self._aside, read_endpoint, self._folder)
            async with asyncio.timeout(CONNECT_S):
                link = await self._open(endpoint)
        except (OperationalError, OSError) as error:
            self._refuse(not_connected(error))
            return None
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.shield(link.welcomed)
        except (OtherVersion, UntrustedPeer, Ended, OSError) as error:
            link.cut()
            self._refuse(not_let_in(error))
            return None
        except asyncio.CancelledError:
            link.cut()
            raise
        return link

    async def _open(self, endpoint: Endpoint) -> Link:
        link = Link(
            endpoint.secret,
            on_event=self._announce,
            ping_s=self._ping_s,
            silence_s=self._silence_s,
            loop=self._loop,
        )
        if endpoint.unix_path and sys.platform != "win32":
            await self._loop.create_unix_connection(lambda: link, endpoint.unix_path)
        else:
            await self._loop.create_connection(lambda: link, "127.0.0.1", endpoint.port)
        self._sockets.add(link.closed)
        link.closed.add_done_callback(self._sockets.discard)
        return link

    def _refuse(self, error: OperationalError) -> None:
        if not self._is_closing:
            self._refusal = error
        self._note_change()

    def _note_change(self) -> None:
        changed, self._changed = self._changed, self._loop.create_future()
        changed.set_result(None)

    # --- answers and events ------------------------------------------------------------------------------------

    def _take(
        self, request: Command[R] | Query[R], future: "asyncio.Future[R]", reply: bytes | bytearray | None
    ) -> None:
        if future.done():
            return
        if reply is None:
            future.set_exception(EngineAway(detail=LOST_BEFORE_ANSWER))
        elif len(reply) <= LONG_ANSWER_BYTES:
            _settle(future, lambda: decode_answer(request, reply))
        elif not self._is_closing:
            decoding = self._loop.run_in_executor(self._aside, decode_long_answer, request, reply)
            decoding.add_done_callback(lambda decoded: _settle(future, decoded.result))

    def _note_found(self, link: Link) -> None:
        self._link = link
        if self._listeners:
            link.subscribe()
        self._note_change()
        if self._has_told_lost:
            self._has_told_lost = False
            self._announce(EngineFound(at=datetime.now(UTC), pid=link.engine_pid))

    def _note_lost(self) -> None:
        if not self._has_told_lost and not self._is_closing:
            self._has_told_lost = True
            self._announce(EngineLost(at=datetime.now(UTC)))

    def _announce(self, event: Event) -> None:
        for listener in self._listeners:
            self._announce_to(listener, event)

    def _announce_to(self, listener: Listener, event: Event) -> None:
        if listener not in self._listeners:
            return
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - a broken listener must not silence the others
            _log.exception("event listener failed on %s", type(event).__name__)


def _settle(future: "asyncio.Future[Any]", answer: Callable[[], Any]) -> None:
    """Give a future what a function returns or raises, unless no one waits for it any more."""
    if future.done():
        return
    try:
        future.set_result(answer())
    except asyncio.CancelledError:  # the program ends
        future.cancel()
    except OperationalError as error:
        # A view that shows it may keep it. Its traceback would keep every frame below this one alive, which in
        # a window are those of the dialogs that were open.
        future.set_exception(error.with_traceback(None))
    except Exception as error:  # noqa: BLE001 - who waits decides what it means
        future.set_exception(error)
