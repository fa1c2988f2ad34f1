"""One connection to an engine under an event loop of asyncio, from its handshake to its loss."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from app.contract.frames import (
    FRAME_DEADLINE_S,
    MAX_HANDSHAKE_BYTES,
    MAX_OPEN_REQUESTS,
    MAX_REPLY_BYTES,
    BadFrame,
    Ended,
    Frame,
    FrameReader,
    Kind,
    encode_frame,
)
from app.contract.handshake import Greeting, OtherVersion, UntrustedPeer, greeting
from app.contract.wire import UnreadableMessage, decode_event
from app.domain.events import Event

OPEN_AT_ONCE = MAX_OPEN_REQUESTS - 4
IDLE_PINGS = 3
"""How many times longer it is waited before a ping where nothing is asked: nobody waits for an answer then."""
SLICE_S = 0.002
"""So long frames are handled before others may use the event loop."""

Reply = bytes | bytearray


class Open:
    """A request that has no answer yet."""

    def __init__(self, payload: bytes, take: Callable[[Reply | None], None], *, is_query: bool) -> None:
        self.payload = payload
        self.take = take
        """Called once, with the reply, or with None when the connection was lost before."""
        self.is_query = is_query
        self.number = 0
        """0 until it is sent."""


class Link(asyncio.Protocol):
    """Speaks with one engine. Thread: that of the event loop.

    Attributes:
        engine_pid: The engine's process id, once it has said welcome.
        welcomed: Done when the engine may be used; fails with UntrustedPeer, OtherVersion, Ended or OSError.
        ended: Fails with what ended the connection.
        subscribed: Done when the engine sends events.
        closed: Done when its socket is closed.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        on_event: Callable[[Event], None],
        ping_s: float,
        silence_s: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.engine_pid = 0
        self.welcomed: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._on_event = on_event
        self._ping_s = ping_s
        self._silence_s = silence_s
        self._greeting: Greeting | None = greeting(secret)
        self._reader = FrameReader(MAX_HANDSHAKE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._backlog: deque[Frame] = deque()
        self._is_paused = False
        self._may_write = True
        self._waiting: dict[Open, None] = {}
        """Not sent yet, in the order in which they are to be."""
        self._sent: dict[int, Open] = {}
        self._number = 0
        self._subscription = 0
        self._silent_s = 0.0
        self._has_heard = self._has_pinged = False
        """Whether anything came since the last tick; whether a ping has no answer yet."""
        self._frame_began: float | None = None
        self._tick: asyncio.Handle | None = None
        self._interval_s = ping_s

    # --- asking ------------------------------------------------------------------------------------------------

    def request(self, opened: Open) -> None:
        """Send a request, as soon as the engine takes one more."""
        self._waiting[opened] = None
        self._send_waiting()

    def withdraw(self, opened: Open) -> None:
        """Take a request back; an answer that comes all the same is dropped."""
        if not opened.number:
            self._waiting.pop(opened, None)
        elif opened.is_query and opened.number in self._sent:
            self._send(Frame(Kind.CANCEL, number=opened.number))

    def subscribe(self) -> None:
        """Ask for events."""
        self._number += 1
        self._subscription = self._number
        self._send(Frame(Kind.SUBSCRIBE, number=self._number))

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def lose(self) -> None:
        """End every request without an answer, and the connection."""
        self.cut()
        given_up = (*self._sent.values(), *self._waiting)
        self._sent.clear()
        self._waiting.clear()
        for opened in given_up:
            opened.take(None)

    def _send_waiting(self) -> None:
        while self._waiting and self._may_write and len(self._sent) < OPEN_AT_ONCE:
            opened = next(iter(self._waiting))
            del self._waiting[opened]
            self._number += 1
            opened.number = self._number
            self._sent[opened.number] = opened
            self._send(Frame(Kind.REQUEST, opened.payload, opened.number))
        self._tick_soon()

    def _send(self, frame: Frame) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(frame))

    # --- callbacks of asyncio -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        assert isinstance(transport, asyncio.Transport)
        assert self._greeting is not None
        self._transport = transport
        self._send(next(self._greeting))
        self._tick = self._loop.call_later(self._interval_s, self._on_tick)

    def pause_writing(self) -> None:
        """Keep requests back: the engine does not read."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on sending."""
        self._may_write = True
        self._send_waiting()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._silent_s = 0.0
        self._has_heard, self._has_pinged = True, False
        if self._frame_began is None:
            self._frame_began = time.monotonic()
        try:
            for frame in self._reader.feed(data):
                self._frame_began = time.monotonic()
                if self._greeting is not None:
                    self._greet(frame)
                else:
                    self._backlog.append(frame)
        except BadFrame as error:
            self._end(UntrustedPeer(str(error)) if self._greeting is not None else error)
            return
        if not self._reader.is_within_frame:
            self._frame_began = None
        if not self._is_paused:
            self._work_off()
        self._tick_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        self.closed.set_result(None)
        self._end(exc or (BadFrame("the stream ended in a frame") if self._reader.is_within_frame else Ended()))

    # --- frames ------------------------------------------------------------------------------------------------

    def _greet(self, frame: Frame) -> None:
        assert self._greeting is not None
        try:
            self._send(self._greeting.send(frame))
        except StopIteration as end:
            self._greeting = None
            self._reader.most_bytes = MAX_REPLY_BYTES
            self.engine_pid = end.value.pid
            if not self.welcomed.done():
                self.welcomed.set_result(None)
        except (UntrustedPeer, OtherVersion) as error:
            self._end(error)

    def _work_off(self) -> None:
        """Handle frames for a moment, and keep more from coming until all are handled."""
        until = time.monotonic() + SLICE_S
        try:
            while self._backlog and not self.ended.done():
                self._take(self._backlog.popleft())
                if time.monotonic() > until:
                    break
        except (BadFrame, UnreadableMessage) as error:
            self._end(error)
        if self.ended.done() or self._transport is None:
            self._backlog.clear()
            return
        has_more = bool(self._backlog)
        if has_more != self._is_paused and not self._transport.is_closing():
            (self._transport.pause_reading if has_more else self._transport.resume_reading)()
        self._is_paused = has_more
        if has_more:
            self._loop.call_soon(self._work_off)

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.REPLY:
            opened = self._sent.pop(frame.number, None)
            self._send_waiting()
            if opened is not None:
                opened.take(frame.payload)
            elif frame.number == self._subscription and not self.subscribed.done():
                self.subscribed.set_result(None)
        elif frame.kind is Kind.EVENT:
            self._on_event(decode_event(frame.payload))
        elif frame.kind is not Kind.PONG:
            raise BadFrame(f"the engine sent {frame.kind.name}")

    def _is_expecting(self) -> bool:
        """Whether the engine owes something: the rest of the handshake or of a frame, a reply, a pong."""
        owes_frame = self._greeting is not None or self._frame_began is not None
        return owes_frame or self._has_pinged or bool(self._sent)

    def _tick_soon(self) -> None:
        """Look at the silence sooner than in an idle connection when something is expected."""
        if self._interval_s > self._ping_s and self._tick is not None and self._is_expecting():
            self._tick.cancel()
            self._tick_after(self._ping_s)

    def _tick_after(self, seconds: float) -> None:
        self._interval_s = seconds
        self._tick = self._loop.call_later(seconds, self._on_tick)

    def _on_tick(self) -> None:
        # Counted by ticks: a loop that was held up for a while has not heard what waits for it yet.
        if self._is_expecting() and not self._is_paused:
            self._silent_s += self._interval_s
        if self._silent_s > self._silence_s:
            self._end(Ended())
            return
        if self._frame_began is not None and (
            self._silent_s > self._ping_s or time.monotonic() - self._frame_began > FRAME_DEADLINE_S
        ):
            self._end(BadFrame("a frame stopped in the middle or took too long"))
            return
        if self._greeting is None and not self._has_heard:
            self._has_pinged = True
            self._send(Frame(Kind.PING))
        self._has_heard = False
        self._tick_after(self._ping_s if self._is_expecting() else self._ping_s * IDLE_PINGS)

    def _end(self, error: Exception) -> None:
        # Kept by the futures, whose traceback would keep every frame below alive, with its dialogs and timers.
        error = error.with_traceback(None)
        for future in (self.welcomed, self.subscribed, self.ended):
            if not future.done():
                future.set_exception(error)
                with suppress(Exception):
                    future.exception()  # waiting for one of them must not wait for the others
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self.cut()
