"""Whether this machine's ports are free for the NFS server, without serving anything."""

import socket
from contextlib import ExitStack
from typing import Final

from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of
from app.nfs.failures import NfsPortUnavailable
from app.nfs.rpcbind import PortMapper

_ANY: Final = ""


def port_problem(nfs_port: int = NFS_PORT, portmap_port: int = PORTMAP_PORT) -> OperationalError | None:
    """Return what keeps the server from its ports, None when nothing does.

    A port mapper of this machine is no obstacle: the server is registered there.
    """
    with ExitStack() as held:
        for kind, port in (
            (socket.SOCK_STREAM, nfs_port),
            (socket.SOCK_STREAM, portmap_port),
            (socket.SOCK_DGRAM, portmap_port),
        ):
            problem = _taken(held, kind, port)
            if problem is None:
                continue
            if port == portmap_port and PortMapper(portmap_port).is_there():
                return None
            return NfsPortUnavailable(address="*", port=port, detail=reason_of(problem))
    return None


def _taken(held: ExitStack, kind: socket.SocketKind, port: int) -> OSError | None:
    """Take a port until the stack ends; return why it cannot be had."""
    listener = held.enter_context(socket.socket(socket.AF_INET, kind))
    try:
        if kind is socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_ANY, port))
        if kind is socket.SOCK_STREAM:
            listener.listen(1)
    except OSError as error:
        return error
    return None
