"""One caller that was let in: its requests are carried out side by side, its events go out in order."""

import logging
import socket
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

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
from app.contract.wire import UnreadableMessage, refusal, serve

_log = logging.getLogger(__name__)

WORKERS = 8
"""Requests of one caller that are carried out at the same time."""
MAX_WAITING_EVENT_BYTES = 8 * 1024 * 1024
"""Events that wait for a caller to read them; one that lets more pile up is cut off."""
MAX_WAITING_REPLY_BYTES = 2 * MAX_REPLY_BYTES
"""The same for replies; a request counts as under way until its reply is on its way."""
MAX_WAITING_BYTES = {False: MAX_WAITING_EVENT_BYTES, True: MAX_WAITING_REPLY_BYTES}
SILENCE_S = 30.0
"""A caller that says nothing for so long is gone: callers ping every few seconds."""


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
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"{name}-request")
        self._changed = threading.Condition()
        self._outgoing: deque[_Outgoing] = deque()
        self._waiting_bytes = {False: 0, True: 0}
        self._open_requests = 0
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
        with suppress(OSError):  # the caller may have been quicker
            self._connection.shutdown(socket.SHUT_RDWR)

    # --- taking ------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> bool:
        if frame.kind is Kind.PING:
            return self._put(Frame(Kind.PONG))
        if frame.kind is Kind.SUBSCRIBE:
            return self._subscribe(frame.number)
        if frame.kind is not Kind.REQUEST:
            raise BadFrame(f"a caller sent {frame.kind.name}")
        with self._changed:
            if self._ended:
                return False
            is_too_much = self._open_requests >= MAX_OPEN_REQUESTS
            self._open_requests += not is_too_much
        if is_too_much:
            raise BadFrame(f"more than {MAX_OPEN_REQUESTS} requests at once")
        self._pool.submit(self._carry_out, frame)
        return True

    def _carry_out(self, frame: Frame) -> None:
        try:
            reply = serve(self._door, frame.payload)
            if len(reply) > MAX_REPLY_BYTES:
                reply = refusal(EngineFault(detail=ANSWER_TOO_LONG.fill(bytes=len(reply))))
        except UnreadableMessage as error:
            reply = refusal(EngineFault(detail=REQUEST_UNREADABLE.fill(details=str(error))))
        except Exception as bug:  # noqa: BLE001 - a bug ends one request, not the engine; the traceback is kept
            _log.exception("a request over the door failed")
            reply = refusal(EngineFault(detail=BUG.fill(kind=type(bug).__name__)))
        self._put(Frame(Kind.REPLY, reply, frame.number), of_request=True)

    def _subscribe(self, number: int) -> bool:
        with self._changed:
            self._subscribed = True
        return self._put(Frame(Kind.REPLY, b"", number))

    # --- giving ------------------------------------------------------------------------------------------------

    def tell(self, event: bytes) -> None:
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
