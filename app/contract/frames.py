"""Frames on a stream socket: length, kind, number, payload."""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct(">IBQ")
MAX_HANDSHAKE_BYTES = 4 * 1024
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_OPEN_REQUESTS = 32
"""Requests of one caller that may be under way; more are refused at once."""
FRAME_DEADLINE_S = 60.0
"""How long one frame may take from its first byte to its last."""


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 1
    CHALLENGE = 2
    PROOF = 3
    WELCOME = 4
    REQUEST = 5
    REPLY = 6
    SUBSCRIBE = 7
    EVENT = 8
    PING = 9
    PONG = 10
    CANCEL = 11
    """The caller has no use for the answer to a query any more; a reply comes all the same."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``number`` joins a reply to its request and is 0 elsewhere."""

    kind: Kind
    payload: bytes | bytearray = b""
    number: int = 0


class BadFrame(Exception):
    """The other side sent what is no frame, or one that is too long."""


class Ended(Exception):
    """The other side has ended the stream."""


def encode_frame(frame: Frame) -> bytes:
    """Return a frame as bytes."""
    return _HEADER.pack(len(frame.payload), frame.kind, frame.number) + frame.payload


def send_frame(connection: socket.socket, frame: Frame) -> None:
    """Send a frame whole.

    Raises:
        OSError: the connection broke, or the socket's own time limit passed.
    """
    connection.sendall(encode_frame(frame))


def receive_frame(connection: socket.socket, *, most_bytes: int) -> Frame:
    """Receive a frame.

    Raises:
        TimeoutError: the socket's own time limit passed before the first byte, and nothing was lost.
        BadFrame: what came is no frame, is longer than allowed, or stopped in the middle.
        Ended: the stream ended between two frames.
        OSError: the connection broke.
    """
    first = connection.recv(_HEADER.size)
    if not first:
        raise Ended
    deadline = time.monotonic() + FRAME_DEADLINE_S
    header = first + _receive_exactly(connection, _HEADER.size - len(first), deadline)
    length, kind, number = _read_header(header, most_bytes)
    return Frame(kind, _receive_exactly(connection, length, deadline), number)


def _read_header(header: bytes, most_bytes: int) -> tuple[int, Kind, int]:
    """Return length, kind and number.

    Raises:
        BadFrame: it is none, or the frame is too long.
    """
    length, kind, number = _HEADER.unpack(header)
    if length > most_bytes:
        raise BadFrame(f"a frame of {length} bytes; {most_bytes} are allowed")
    try:
        return length, Kind(kind), number
    except ValueError:
        raise BadFrame(f"a frame of the unknown kind {kind}") from None


def _receive_exactly(connection: socket.socket, length: int, deadline: float) -> bytes:
    # Grows with what really came: a length alone must not make us set memory aside.
    parts: list[bytes] = []
    left = length
    while left:
        try:
            part = connection.recv(min(left, 1 << 20))
        except TimeoutError:
            raise BadFrame("a frame stopped in the middle") from None
        if not part:
            raise BadFrame("the stream ended in the middle of a frame")
        if time.monotonic() > deadline:
            raise BadFrame("a frame took too long")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class FrameReader:
    """Cuts what comes over a stream into frames, for callers that do not wait on a socket.

    Memory grows with what really came, whatever length a header claims. Thread: one at a time.

    Attributes:
        most_bytes: How long a frame may be; may be changed between two frames.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._header = bytearray()
        self._expected: tuple[int, Kind, int] | None = None
        self._payload = bytearray()

    @property
    def is_within_frame(self) -> bool:
        """Return whether a frame has begun and not ended."""
        return bool(self._header)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take what came next, and yield the frames that are whole with it.

        Raises:
            BadFrame: it is no frame, or a longer one than allowed.
        """
        at = 0
        while True:
            at += self._fill(self._header, _HEADER.size, data, at)
            if len(self._header) < _HEADER.size:
                return
            if self._expected is None:
                self._expected = _read_header(bytes(self._header), self.most_bytes)
            length, kind, number = self._expected
            at += self._fill(self._payload, length, data, at)
            if len(self._payload) < length:
                return
            frame = Frame(kind, self._payload, number)
            self._header, self._expected, self._payload = bytearray(), None, bytearray()
            yield frame

    @staticmethod
    def _fill(part: bytearray, length: int, data: bytes, at: int) -> int:
        wanted = min(length - len(part), len(data) - at)
        if wanted > 0:
            part += memoryview(data)[at : at + wanted]
        return wanted
