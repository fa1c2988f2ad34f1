"""Tells a port mapper of this machine where our server is, where another program has port 111 already.

On Linux that is ``rpcbind``. By default it takes registrations only over the loopback address and from ports that
belong to the administrator, so that this needs root, or the service that the package installs.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from app.core.nfs3 import (
    MOUNT,
    MOUNT_VERSION,
    NFS,
    NFS_VERSION,
    PORTMAP,
    PORTMAP_PORT,
    PORTMAP_VERSION,
    TCP_PROTOCOL,
    PortmapProcedure,
)
from app.core.oncrpc import LAST_FRAGMENT, MARK_BYTES, NO_CREDENTIAL, Procedure, ReplyHead, encode_call
from app.core.xdr import XdrDecoder, XdrEncoder, XdrError
from app.domain.reasons import reason_of
from app.nfs.failures import PortMapperRefused

_HOST: Final = "127.0.0.1"
_WAIT_S: Final = 5.0
_MOST_REPLY_BYTES: Final = 64 << 10
_RESERVED_PORTS: Final = range(1023, 599, -1)
_OURS: Final = ((NFS, NFS_VERSION), (MOUNT, MOUNT_VERSION))


class PortMapper:
    """The port mapper of this machine. Thread: any."""

    def __init__(self, port: int = PORTMAP_PORT) -> None:
        self._port = port

    def is_there(self) -> bool:
        """Return whether one answers."""
        try:
            self._ask(PortmapProcedure.NULL, b"")
        except (OSError, XdrError):
            return False
        return True

    def register(self, port: int) -> None:
        """Tell it that NFS 3 and MOUNT 3 are at a TCP port of this machine; what it knew of them is forgotten.

        Raises:
            PortMapperRefused: it does not take that.
        """
        try:
            for program, version in _OURS:
                self._set(PortmapProcedure.UNSET, program, version, 0)
                if not self._set(PortmapProcedure.SET, program, version, port):
                    raise PortMapperRefused(detail=reason_of(PermissionError(1, os.strerror(1))))
        except (OSError, XdrError) as error:
            raise PortMapperRefused(detail=reason_of(error)) from error

    def unregister(self) -> None:
        """Let it forget what was registered; never raises."""
        with suppress(OSError, XdrError):
            for program, version in _OURS:
                self._set(PortmapProcedure.UNSET, program, version, 0)

    def found(self, program: int, version: int) -> int:
        """Return the TCP port of a program; 0 where it knows none.

        Raises:
            OSError, XdrError: it does not answer.
        """
        arguments = XdrEncoder().u32(program, version, TCP_PROTOCOL, 0).done()
        return self._ask(PortmapProcedure.GETPORT, arguments).u32()

    def _set(self, procedure: PortmapProcedure, program: int, version: int, port: int) -> bool:
        arguments = XdrEncoder().u32(program, version, TCP_PROTOCOL, port).done()
        return self._ask(procedure, arguments).u32() == 1

    def _ask(self, procedure: PortmapProcedure, arguments: bytes) -> XdrDecoder:
        what = Procedure(program=PORTMAP, version=PORTMAP_VERSION, number=procedure)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.settimeout(_WAIT_S)
            _use_reserved_port(connection)
            connection.connect((_HOST, self._port))
            connection.sendall(encode_call(1, what, NO_CREDENTIAL, arguments))
            reply = XdrDecoder(_record(connection.recv))
        head = ReplyHead.decode(reply)
        if head.refusal is not None:
            raise XdrError(str(head.refusal))
        return reply


def _record(receive: Callable[[int], bytes]) -> bytes:
    def take(length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = receive(length - len(data))
            if not part:
                raise XdrError("the connection ended before the reply")
            data += part
        return data

    whole = b""
    while True:
        mark = int.from_bytes(take(MARK_BYTES), "big")
        length = mark & ~LAST_FRAGMENT
        if len(whole) + length > _MOST_REPLY_BYTES:
            raise XdrError("the reply is too long")
        whole += take(length)
        if mark & LAST_FRAGMENT:
            return whole


def _use_reserved_port(connection: socket.socket) -> None:
    for port in _RESERVED_PORTS:
        try:
            connection.bind((_HOST, port))
        except PermissionError:
            return  # this user has none: the port mapper decides whether it minds
        except OSError:
            continue
        return
