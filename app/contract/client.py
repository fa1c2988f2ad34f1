"""The door of an engine in another process, used like the engine itself."""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from app.contract.base import Command, Query
from app.contract.endpoint import read_endpoint
from app.contract.errors import EngineAway
from app.contract.frames import (
    MAX_OPEN_REQUESTS,
    MAX_REPLY_BYTES,
    BadFrame,
    Ended,
    Frame,
    Kind,
    receive_frame,
    send_frame,
)
from app.contract.handshake import OtherVersion, UntrustedPeer, greet
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
from app.contract.wire import UnreadableMessage, decode_answer, decode_event, encode_request
from app.domain.engine_events import EngineFound, EngineLost
from app.domain.errors import OperationalError
from app.domain.events import Event

_log = logging.getLogger(__name__)

R = TypeVar("R")

_MAX_WAITING_EVENTS = 10_000

Listener = Callable[[Event], None]


class _Call:
    """One request under way."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._reply: bytes | bytearray | None = None

    def answer(self, reply: bytes | bytearray | None) -> None:
        self._reply = reply
        self._done.set()

    def wait(self) -> bytes | bytearray | None:
        """Wait for the reply; None when the connection was lost first."""
        self._done.wait()
        return self._reply


class _Link:
    """One connection to an engine, from its handshake to its loss. Thread: any."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._send_lock = threading.Lock()
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._number = 0
        self._is_lost = False

    def call(self, kind: Kind, payload: bytes) -> _Call:
        call = _Call()
        with self._lock:
            if self._is_lost:
                call.answer(None)
                return call
            self._number += 1
            number = self._number
            self._calls[number] = call
        try:
            self.send(Frame(kind, payload, number))
        except OSError:
            self.cut()
        return call

    def send(self, frame: Frame) -> None:
        with self._send_lock:
            send_frame(self._connection, frame)

    def receive(self) -> Frame:
        return receive_frame(self._connection, most_bytes=MAX_REPLY_BYTES)

    def settle(self, frame: Frame) -> None:
        with self._lock:
            call = self._calls.pop(frame.number, None)
        if call is not None:
            call.answer(frame.payload)

    def cut(self) -> None:
        """Make the receiving thread notice that it is over."""
        with suppress(OSError):  # it may be over already
            self._connection.shutdown(socket.SHUT_RDWR)

    def lose(self) -> None:
        """End every call without an answer and close the connection."""
        with self._lock:
            self._is_lost = True
            calls, self._calls = tuple(self._calls.values()), {}
        for call in calls:
            call.answer(None)
        self._connection.close()


class RemoteDoor:
    """Fulfils :class:`app.contract.door.Door` over a local socket.

    The connection is made and kept by a thread of its own, which retries while the engine is away;
    requests fail with :class:`EngineAway` then, at once. Listeners get ``EngineLost`` when the engine goes and
    ``EngineFound`` when it is back; they may have missed events meanwhile and have to read again what they show.
    A context manager. Thread: any.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ping_s: float = PING_S,
        silence_s: float = SILENCE_S,
    ) -> None:
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
        self._events: queue.Queue[Event | None] = queue.Queue(_MAX_WAITING_EVENTS + 8)
        self._changed = threading.Condition()
        self._link: _Link | None = None
        self._refusal: OperationalError = EngineAway(detail=BEING_MADE)
        self._wants_events = False
        self._loss_published = False
        self._has_tried = False
        self._closing = False
        self._free_calls = threading.BoundedSemaphore(MAX_OPEN_REQUESTS - 4)
        self._keeper = threading.Thread(target=self._keep, name="door-client")
        self._publisher = threading.Thread(target=self._publish_all, name="door-client-events")
        self._keeper.start()
        self._publisher.start()

    # --- the door ----------------------------------------------------------------------------------------------

    def execute(self, command: Command[R]) -> R:
        """Carry a command out.

        Raises:
            EngineAway: the engine is away, or went away before it had answered.
            OperationalError: it could not be carried out.
        """
        return self._answer(command)

    def ask(self, query: Query[R]) -> R:
        """Answer a query.

        Raises:
            EngineAway: the engine is away, or went away before it had answered.
            OperationalError: it could not be answered.
        """
        return self._answer(query)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener for every event from now on, one after the other; return the function that ends it.

        While the engine is away, ``EngineLost`` is repeated, so that the new listener knows.
        """
        with self._changed:
            self._listeners = (*self._listeners, listener)
            is_first, self._wants_events = not self._wants_events, True
            link = self._link
        if is_first and link is not None:
            link.call(Kind.SUBSCRIBE, b"").wait()
        elif link is None and self._loss_published:
            self._put_own(EngineLost(at=datetime.now(UTC)))

        def unsubscribe() -> None:
            with self._changed:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def _answer(self, request: Command[R] | Query[R]) -> R:
        payload = encode_request(request)
        with self._free_calls:
            with self._changed:
                if self._link is None:
                    raise self._refusal
                link = self._link
            reply = link.call(Kind.REQUEST, payload).wait()
        if reply is None:
            raise EngineAway(detail=LOST_BEFORE_ANSWER)
        return decode_answer(request, reply)

    # --- its life ----------------------------------------------------------------------------------------------

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine; None while it is away."""
        with self._changed:
            return None if self._link is None else self._link.pid

    def wait_until_connected(self, timeout_s: float) -> None:
        """Wait for the engine.

        Raises:
            EngineAway: it was not there in time.
            OperationalError: it cannot be used.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._link is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._closing or not self._refusal.retryable:
                    raise self._refusal
                self._changed.wait(left_s)

    def wait_for_first_try(self) -> None:
        """Wait until the engine was found, or it is known that it is away.

        Raises:
            EngineAway: it is not there.
            OperationalError: it cannot be used.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._link is not None or self._has_tried or self._closing)
            if self._link is None:
                raise self._refusal

    def close(self) -> None:
        """Give the connection up; a second call does nothing. Not to be called by a listener."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._refusal = EngineAway(detail=CLOSED_HERE)
            link = self._link
            self._changed.notify_all()
        if link is not None:
            link.cut()
        self._keeper.join()
        self._events.put(None)
        self._publisher.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- keeping the connection --------------------------------------------------------------------------------

    def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closing:
            link = self._connected()
            if link is None:
                self._note_lost()
                with self._changed:
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closing, pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                self._note_found(link)
                self._receive_all(link)
            except (BadFrame, Ended, UnreadableMessage, OSError) as error:
                _log.debug("the connection to the engine ended: %r", error)
            finally:
                with self._changed:
                    self._link = None
                    if not self._closing:
                        self._refusal = EngineAway(detail=LOST)
                link.lose()
                self._note_lost()

    def _connected(self) -> _Link | None:
        try:
            endpoint = read_endpoint(self._folder)
            connection = endpoint.connect(CONNECT_S)
        except (OperationalError, OSError) as error:
            self._refused(not_connected(error))
            return None
        try:
            engine = greet(connection, endpoint.secret)
        except (OtherVersion, UntrustedPeer, Ended, OSError) as error:
            connection.close()
            self._refused(not_let_in(error))
            return None
        # From here on a call waits on the socket no longer than until the next ping is due.
        connection.settimeout(self._ping_s)
        return _Link(connection, engine.pid)

    def _refused(self, error: OperationalError) -> None:
        with self._changed:
            if not self._closing:
                self._refusal = error
            self._has_tried = True
            self._changed.notify_all()

    def _receive_all(self, link: _Link) -> None:
        heard = pinged = time.monotonic()
        while not self._closing:
            try:
                frame: Frame | None = link.receive()
            except TimeoutError:
                frame = None
            now = time.monotonic()
            if frame is not None:
                heard = now
                self._take(link, frame)
            elif now - heard > self._silence_s:
                raise Ended
            if now - pinged >= self._ping_s:
                link.send(Frame(Kind.PING))
                pinged = now

    def _take(self, link: _Link, frame: Frame) -> None:
        if frame.kind is Kind.REPLY:
            link.settle(frame)
        elif frame.kind is Kind.EVENT:
            if self._events.qsize() > _MAX_WAITING_EVENTS:  # listeners do not keep up: they read again
                raise Ended
            self._events.put(decode_event(frame.payload))
        elif frame.kind is not Kind.PONG:
            raise BadFrame(f"the engine sent {frame.kind.name}")

    # --- events ------------------------------------------------------------------------------------------------

    def _note_found(self, link: _Link) -> None:
        with self._changed:
            self._link = link
            wants_events = self._wants_events
            self._changed.notify_all()
        if wants_events:
            link.call(Kind.SUBSCRIBE, b"")
        if self._loss_published:
            self._loss_published = False
            self._put_own(EngineFound(at=datetime.now(UTC), pid=link.pid))

    def _note_lost(self) -> None:
        if not self._loss_published and not self._closing:
            self._loss_published = True
            self._put_own(EngineLost(at=datetime.now(UTC)))

    def _put_own(self, event: Event) -> None:
        # Waits for slow listeners, but not for ever: the program may be ending.
        while not self._closing:
            try:
                self._events.put(event, timeout=FIRST_PAUSE_S)
            except queue.Full:
                continue
            return

    def _publish_all(self) -> None:
        while (event := self._events.get()) is not None:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001 - a broken listener must not silence the others
                    _log.exception("event listener failed on %s", type(event).__name__)


def attach(folder: Path) -> RemoteDoor:
    """Connect to the engine whose door is in a data folder, and start none; the caller closes the connection.

    Raises:
        EngineAway: none runs.
        OperationalError: it cannot be used.
    """
    door = RemoteDoor(folder)
    try:
        door.wait_for_first_try()
    except BaseException:
        door.close()
        raise
    return door
