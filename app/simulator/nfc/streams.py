"""The layers of one TCP connection: TLS that can be dropped, plain bytes, and TLS for the data.

authd's TLS layer must vanish from the connection without a TLS shutdown and without taking a byte with it that
belongs to what follows. :class:`DroppableTls` therefore reads the socket record by record, exactly, and is simply
forgotten afterwards.
"""

import select
import socket
import ssl
import struct
import sys
from typing import Protocol

from app.simulator.nfc.errors import ProtocolViolation

_RECORD_HEADER_BYTES = 5
_LARGEST_RECORD_BYTES = (1 << 14) + 2048
_MSG_WAITALL = getattr(socket, "MSG_WAITALL", 0)
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""Value of SO_LINGER that lets ``close`` cut a connection."""


class ConnectionEnded(Exception):
    """The client went away; at a message's border this is how every session ends."""


class ByteStream(Protocol):
    """An ordered stream of bytes. Thread: one at a time."""

    def receive_message(self, n_bytes: int, *, is_followed: bool = False) -> bytes:
        """Return one message of the greeting.

        Args:
            n_bytes: its length.
            is_followed: whether something belongs to it that follows in the same record.

        Raises:
            ConnectionEnded: the client went away before that.
            ProtocolViolation: it shares a TLS record with another one, or is spread over several.
            OSError: the connection broke.
        """
        ...

    def receive_into(self, target: memoryview) -> None:
        """Fill ``target``.

        Raises:
            ConnectionEnded: the client went away before that.
            OSError: the connection broke.
        """
        ...

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``.

        Raises:
            OSError: the connection broke.
        """
        ...

    def has_input(self) -> bool:
        """Return whether something can be received without waiting."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class PlainStream:
    """The bare TCP connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive_message(self, n_bytes: int, *, is_followed: bool = False) -> bytes:
        """Return one message."""
        buffer = bytearray(n_bytes)
        self.receive_into(memoryview(buffer))
        return bytes(buffer)

    def receive_into(self, target: memoryview) -> None:
        """Fill ``target``."""
        while target:
            n_bytes = self._connection.recv_into(target, len(target), _MSG_WAITALL)
            if not n_bytes:
                raise ConnectionEnded
            target = target[n_bytes:]

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``."""
        self._connection.sendall(data)

    def has_input(self) -> bool:
        """Return whether something can be received without waiting."""
        return _is_readable(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class TlsStream:
    """TLS to its end on a connection that it owns."""

    def __init__(
        self, connection: socket.socket, context: ssl.SSLContext, *, takes_one_message_a_record: bool = False
    ) -> None:
        """Shake hands as the server.

        Raises:
            OSError: the client does not.
        """
        self._connection = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True)
        self._is_strict = takes_one_message_a_record

    def receive_message(self, n_bytes: int, *, is_followed: bool = False) -> bytes:
        """Return one message; OpenSSL gives out one record at a time."""
        if not self._is_strict:
            buffer = bytearray(n_bytes)
            self.receive_into(memoryview(buffer))
            return bytes(buffer)
        message = self._connection.recv(n_bytes)
        if not message:
            raise ConnectionEnded
        if len(message) < n_bytes:
            raise ProtocolViolation(f"a record ends {n_bytes - len(message)} bytes before its message")
        if self._connection.pending() and not is_followed:
            raise ProtocolViolation("two messages in one TLS record")
        if is_followed and not self._connection.pending():
            raise ProtocolViolation("what belongs to a message is in another TLS record")
        return message

    def receive_into(self, target: memoryview) -> None:
        """Fill ``target``."""
        while target:
            n_bytes = self._connection.recv_into(target)
            if not n_bytes:
                raise ConnectionEnded
            target = target[n_bytes:]

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``."""
        self._connection.sendall(data)

    def has_input(self) -> bool:
        """Return whether something can be received without waiting."""
        return self._connection.pending() > 0 or _is_readable(self._connection)

    def close(self) -> None:
        """Close the connection, without a TLS shutdown."""
        self._connection.close()


class DroppableTls:
    """A TLS layer that can be forgotten, leaving the connection exactly behind its last record."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Shake hands as the server.

        Raises:
            ConnectionEnded: the client went away.
            OSError: the client does not shake hands.
        """
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive_record()
            else:
                break
        self._flush()

    def receive_line(self, limit_bytes: int) -> bytes:
        """Return the next line with its end, or what came in its place when it is too long.

        Raises:
            ConnectionEnded: the client went away.
            OSError: the connection broke.
        """
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < limit_bytes:
            try:
                data = self._tls.read(1)
            except ssl.SSLWantReadError:
                self._receive_record()
                continue
            if not data:
                raise ConnectionEnded
            line += data
        return bytes(line)

    def send(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            OSError: the connection broke.
        """
        self._tls.write(data)
        self._flush()

    def drop(self) -> socket.socket:
        """Return the connection, from which this layer is gone from now on."""
        return self._connection

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._connection.sendall(data)

    def _receive_record(self) -> None:
        plain = PlainStream(self._connection)
        header = bytearray(_RECORD_HEADER_BYTES)
        plain.receive_into(memoryview(header))
        length = int.from_bytes(header[3:5], "big")
        if length > _LARGEST_RECORD_BYTES:
            raise ssl.SSLError("record too long")
        body = bytearray(length)
        plain.receive_into(memoryview(body))
        self._incoming.write(bytes(header + body))


def _is_readable(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])
