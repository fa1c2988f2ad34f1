"""The connection of one delivery: a deadline for the whole of it, which another thread keeps."""

import io
import socket
import threading
from collections.abc import Callable
from typing import Final, Self, TypeVar

from app.core.boundedcalls import BoundedCalls, CallTimedOut
from app.core.connections import end_connection
from app.domain.messages import Message
from app.engine.notify.reasons import SAYS_TOO_MUCH

T = TypeVar("T")

LIMIT_S: Final = 30.0
"""How long a delivery may take altogether: name resolution, connection, TLS, every answer."""
MOST_BYTES: Final = 1 << 20
"""What a server may say in one delivery."""


class TooLong(OSError):
    """A server says more than it should."""

    def said(self) -> Message:
        """Return it as a message."""
        return SAYS_TOO_MUCH.fill()


class Channel:
    """Opens the connection of one delivery and ends it, from whichever thread. A context manager.

    Thread: :meth:`cut` any; the rest one.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        """A second handle on the connection: the first one changes its owner when TLS begins."""
        self._is_cut = False

    def open(self, host: str, port: int) -> socket.socket:
        """Connect.

        Raises:
            OSError: it does not answer.
        """
        connection = socket.create_connection((host, port), timeout=self._limit_s)
        with self._lock:
            self._handle = connection.dup()
            is_cut = self._is_cut
        if is_cut:
            connection.close()
            raise TimeoutError("the time was up")
        return connection

    def cut(self) -> None:
        """End the connection under the thread that uses it."""
        with self._lock:
            self._is_cut = True
            if self._handle is not None:
                end_connection(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


class MeteredReader(io.RawIOBase):
    """Lines of a server that may not say more than :data:`MOST_BYTES`."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._left_bytes = MOST_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line.

        Raises:
            TooLong: it was too much.
        """
        line = self._file.readline(-1 if size is None else size)
        self._left_bytes -= len(line)
        if self._left_bytes < 0:
            raise TooLong(SAYS_TOO_MUCH.template)
        return line

    def close(self) -> None:
        """Close the file behind it."""
        self._file.close()
        super().close()


def delivered(calls: BoundedCalls, limit_s: float, deliver: Callable[[Channel], T]) -> T:
    """Deliver over a new connection within a limit.

    Raises:
        TimeoutError: the time was up, or the program ends; the connection is cut.
    """
    channel = Channel(limit_s)

    def carry_out(_call: object) -> T:
        with channel:
            return deliver(channel)

    try:
        return calls.run(carry_out, limit_s)
    except CallTimedOut:
        channel.cut()
        raise TimeoutError(f"it was not done within {limit_s:g} s") from None
