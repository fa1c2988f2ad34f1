"""Calls over one TCP connection, several in flight."""

import errno
import os
import socket
from typing import Final, Self

from app.core.cancel import CancelToken
from app.core.oncrpc import LAST_FRAGMENT, MARK_BYTES, Procedure, ReplyHead, encode_call
from app.core.xdr import XdrError, XdrSource
from app.transport.errors import MalformedAnswer
from app.transport.link import Link
from app.transport.options import TransportOptions

_LONGEST_FRAGMENT_BYTES: Final = 64 << 20
_MOST_REST_BYTES: Final = 4096
"""Of a reply behind the results that were read."""
_RESERVED_PORTS: Final = range(1023, 599, -1)
"""Many servers by default answer only calls that come from such a port, which only an administrator may use."""


class Record(XdrSource):
    """The reply that is being received: its bytes, whatever pieces they come in. Thread: one at a time."""

    def __init__(self, link: Link, within_s: float) -> None:
        self._link = link
        self._within_s = within_s
        self._left_bytes = 0
        self._is_last = False

    def take(self, length_bytes: int) -> bytes:
        """Receive so many bytes.

        Raises:
            XdrError: the record has fewer.
            LinkFailure, TaskCancelled: they did not come.
        """
        data = bytearray(length_bytes)
        self.take_into(memoryview(data))
        return bytes(data)

    def take_into(self, view: memoryview) -> None:
        """Receive as many bytes as a buffer has room for.

        Raises:
            XdrError: the record has fewer.
            LinkFailure, TaskCancelled: they did not come.
        """
        while view:
            if not self._left_bytes:
                self._next_fragment()
            piece = view[: self._left_bytes]
            self._link.receive_into(piece, within_s=self._within_s)
            self._left_bytes -= len(piece)
            view = view[len(piece) :]

    def pass_over(self) -> None:
        """Receive what is left of the record.

        Raises:
            XdrError: it is too much.
            LinkFailure, TaskCancelled: it did not come.
        """
        passed = 0
        while self._left_bytes or not self._is_last:
            if not self._left_bytes:
                self._next_fragment()
            passed += self._left_bytes
            if passed > _MOST_REST_BYTES:
                raise XdrError("a reply goes on behind its results")
            self._link.receive(self._left_bytes, within_s=self._within_s)
            self._left_bytes = 0

    def _next_fragment(self) -> None:
        if self._is_last:
            raise XdrError("a reply ends too early")
        mark = int.from_bytes(self._link.receive(MARK_BYTES, within_s=self._within_s), "big")
        self._is_last, self._left_bytes = bool(mark & LAST_FRAGMENT), mark & ~LAST_FRAGMENT
        if self._left_bytes > _LONGEST_FRAGMENT_BYTES:
            raise XdrError(f"a piece of {self._left_bytes} bytes")


class RpcConnection:
    """A connection to one program of a server.

    Thread: one at a time.
    """

    def __init__(self, link: Link, credential: bytes, options: TransportOptions) -> None:
        self._link = link
        self._credential = credential
        self._options = options
        self._next_xid = int.from_bytes(os.urandom(4), "big")

    @classmethod
    def connect(
        cls, host: str, port: int, credential: bytes, options: TransportOptions, cancel: CancelToken
    ) -> Self:
        """Connect, from a reserved port where this process may use one.

        Raises:
            LinkFailure: nobody answers.
            TaskCancelled: cancelled meanwhile.
        """
        link = Link.connect(
            host, port, timeout_s=options.connect_timeout_s, cancel=cancel, prepare=_use_reserved_port
        )
        return cls(link, credential, options)

    def send(self, procedure: Procedure, arguments: bytes) -> int:
        """Send a call; return the number that its reply will carry.

        Raises:
            LinkFailure, TaskCancelled: it was not sent.
        """
        xid = self._next_xid
        self._next_xid = (xid + 1) & 0xFFFFFFFF
        call = encode_call(xid, procedure, self._credential, arguments)
        self._link.send(call, within_s=self._options.answer_timeout_s)
        return xid

    def receive(self) -> tuple[int, Record]:
        """Wait for the next reply; return whose it is, and its results, which are taken before anything else.

        Raises:
            CallRefused: the server did not carry the call out.
            LinkFailure, MalformedAnswer, TaskCancelled: the connection is of no use any more.
        """
        record = Record(self._link, self._options.answer_timeout_s)
        try:
            head = ReplyHead.decode(record)
            if head.refusal is not None:
                record.pass_over()
                raise head.refusal
        except XdrError as error:
            raise MalformedAnswer(str(error)) from error
        return head.xid, record

    def ask(self, procedure: Procedure, arguments: bytes) -> Record:
        """Call, and wait for the results; nothing else may be in flight.

        Raises:
            CallRefused: the server did not carry the call out.
            LinkFailure, MalformedAnswer, TaskCancelled: the connection is of no use any more.
        """
        wanted = self.send(procedure, arguments)
        xid, record = self.receive()
        if xid != wanted:
            raise MalformedAnswer(f"a reply to call {xid} where {wanted} was due")
        return record

    def close(self) -> None:
        """Close the connection; never raises."""
        self._link.close()


def _use_reserved_port(sock: socket.socket) -> None:
    anywhere = "::" if sock.family == socket.AF_INET6 else ""
    first = int.from_bytes(os.urandom(2), "big") % len(_RESERVED_PORTS)
    for port in (*_RESERVED_PORTS[first:], *_RESERVED_PORTS[:first]):
        try:
            sock.bind((anywhere, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            return  # this user may not: the server decides whether it minds
        return
