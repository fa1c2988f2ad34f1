"""One caller that was let in: its requests are carried out side by side, its events go out in order."""

import logging
import socket
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from app.contract.base import Query
from app.contract.door import Door
from app.contract.errors import EngineFault
from app.contract.frames import (
    MAX_OPEN_REQUESTS,
    MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES,
    BadFrame,
    Ended,
    Frame,
    Kind,
    encode_frame,
    receive_frame,
)
from app.contract.reasons import ANSWER_TOO_LONG, BUG, REQUEST_UNREADABLE
from app.contract.wire import UnreadableMessage, decode_request, refusal, reply_to
from app.core.cancel import CancelToken, stoppable
from app.core.connections import end_connection
from app.domain.errors import TaskCancelled

_log = logging.getLogger(__name__)

WORKERS = 8
"""Requests of one caller that are carried out at the same time."""
MAX_WAITING_EVENT_BYTES = 8 * 1024 * 1024
"""Events that wait for a caller to read them; one that lets more pile up is cut off."""
MAX_WAITING_REPLY_BYTES = 2 * MAX_REPLY_BYTES
"""The same for replies; a request counts as under way until its reply is on its way."""
MAX_WAITING_BYTES = {False: MAX_WAITING_EVENT_BYTES, True: MAX_WAITING_REPLY_BYTES}
SILENCE_S = 75.0
"""A caller that says nothing for so long is gone: callers ping at least every half a minute."""


@dataclass(eq=False, slots=True)
class _Request:
    """What was asked, until its reply is made."""

    number: int
    payload: bytes | bytearray
    is_query: bool = False
    """Known once it is read; commands go on to their end."""
    withdrawn: CancelToken = field(default_factory=CancelToken)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    data: bytes
    of_request: bool


class Caller:
    """Serves one connection after its handshake until it ends. Thread: any; :meth:`run` has one of its own."""

    def __init__(self, connection: socket.socket, door: Door, name: str) -> None:
        self._connection = connection
        self._door = door
        self._name = name
        # Requests that were withdrawn and cannot be stopped keep a thread, but none of WORKERS.
        self._pool = ThreadPoolExecutor(MAX_OPEN_REQUESTS, thread_name_prefix=f"{name}-request")
        self._changed = threading.Condition()
        self._outgoing: deque[_Outgoing] = deque()
        self._waiting_bytes = {False: 0, True: 0}
        self._open_requests = 0
        self._waiting: deque[_Request] = deque()
        """What was asked and is not carried out yet."""
        self._running: set[_Request] = set()
        """What is being carried out, and has not been withdrawn."""
        self._subscribed = False
        self._ended = False

    # --- its life ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the caller goes, misbehaves, or :meth:`end` is called. Never raises."""
        self._connection.settimeout(SILENCE_S)
        writer = threading.Thread(target=self._write, name=f"{self._name}-writer")
        writer.start()
        try:
            while self._take(receive_frame(self._connection, most_bytes=MAX_REQUEST_BYTES)):
                pass
        except (BadFrame, Ended, OSError) as error:
            _log.debug("%s ended: %r", self._name, error)
        finally:
            self.end()
            self._pool.shutdown(wait=True, cancel_futures=True)
            writer.join()
            self._connection.close()

    def end(self) -> None:
        """Cut the caller off; what is under way for it is finished, and its answers go nowhere."""
        with self._changed:
            if self._ended:
                return
            self._ended = True
            self._changed.notify_all()
        end_connection(self._connection)

    # --- taking ------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> bool:
        if frame.kind is Kind.PING:
            return self._put(Frame(Kind.PONG))
        if frame.kind is Kind.SUBSCRIBE:
            return self._subscribe(frame.number)
        if frame.kind is Kind.CANCEL:
            return self._withdraw(frame.number)
        if frame.kind is not Kind.REQUEST:
            raise BadFrame(f"a caller sent {frame.kind.name}")
        with self._changed:
            if self._ended:
                return False
            is_too_much = self._open_requests >= MAX_OPEN_REQUESTS
            self._open_requests += not is_too_much
            if not is_too_much:
                self._waiting.append(_Request(frame.number, frame.payload))
                self._begin_next()
        if is_too_much:
            raise BadFrame(f"more than {MAX_OPEN_REQUESTS} requests at once")
        return True

    def _begin_next(self) -> None:
        """Begin what waits, as far as there is room; the caller holds the lock."""
        while self._waiting and len(self._running) < WORKERS and not self._ended:
            request = self._waiting.popleft()
            self._running.add(request)
            self._pool.submit(self._carry_out, request)

    def _withdraw(self, number: int) -> bool:
        """Stop a query whose caller no longer waits, or never begin it; its reply says nothing."""
        with self._changed:
            waiting = next((request for request in self._waiting if request.number == number), None)
            if waiting is not None:
                self._waiting.remove(waiting)
            for request in [request for request in self._running if request.number == number]:
                request.withdrawn.cancel()
                if request.is_query:
                    self._running.discard(request)
            self._begin_next()
        return waiting is None or self._put(Frame(Kind.REPLY, b"", number), of_request=True)

    def _carry_out(self, request: _Request) -> None:
        reply = self._reply_to(request)
        with self._changed:
            self._running.discard(request)
            self._begin_next()
        self._put(Frame(Kind.REPLY, reply, request.number), of_request=True)

    def _reply_to(self, request: _Request) -> bytes:
        try:
            asked = decode_request(request.payload)
            request.is_query = isinstance(asked, Query)
            with stoppable(request.withdrawn) if request.is_query else nullcontext():
                reply = reply_to(self._door, asked)
        except TaskCancelled:
            return b""  # its caller no longer waits
        except UnreadableMessage as error:
            return refusal(EngineFault(detail=REQUEST_UNREADABLE.fill(details=str(error))))
        except Exception as bug:  # noqa: BLE001 - a bug ends one request, not the engine; the traceback is kept
            _log.exception("a request over the door failed")
            return refusal(EngineFault(detail=BUG.fill(kind=type(bug).__name__)))
        if len(reply) > MAX_REPLY_BYTES:
            return refusal(EngineFault(detail=ANSWER_TOO_LONG.fill(bytes=len(reply))))
        return reply

    def _subscribe(self, number: int) -> bool:
        with self._changed:
            self._subscribed = True
        return self._put(Frame(Kind.REPLY, b"", number))

    # --- giving ------------------------------------------------------------------------------------------------

    def announce(self, event: bytes) -> None:
        """Queue a serialized event, if the caller wants events. Quick; never waits for the caller."""
        if self._subscribed:
            self._put(Frame(Kind.EVENT, event))

    def _put(self, frame: Frame, *, of_request: bool = False) -> bool:
        outgoing = _Outgoing(encode_frame(frame), of_request)
        with self._changed:
            if self._ended:
                return False
            self._waiting_bytes[of_request] += len(outgoing.data)
            is_too_slow = self._waiting_bytes[of_request] > MAX_WAITING_BYTES[of_request]
            if not is_too_slow:
                self._outgoing.append(outgoing)
                self._changed.notify_all()
        if is_too_slow:
            _log.warning("%s does not read what it is sent and is cut off", self._name)
            self.end()
        return not is_too_slow

    def _write(self) -> None:
        try:
            while (data := self._next()) is not None:
                self._connection.sendall(data)
        except OSError as error:
            _log.debug("%s cannot be written to: %r", self._name, error)
        finally:
            self.end()

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._outgoing and not self._ended:
                self._changed.wait()
            if self._ended:
                return None
            outgoing = self._outgoing.popleft()
            self._waiting_bytes[outgoing.of_request] -= len(outgoing.data)
            self._open_requests -= outgoing.of_request
            return outgoing.data
