"""Who is at the other end of a local socket, as the system says."""

import os
import socket
import struct
import sys

_UCRED = struct.Struct("3i")
"""pid, uid, gid (Linux, unix(7))."""


def is_same_user(connection: socket.socket) -> bool:
    """Return whether the other end of a Unix domain socket is a process of this user.

    True as well where the system does not tell: there the handshake alone decides.

    Raises:
        OSError: the connection broke.
    """
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return True
    _, user, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return bool(user == os.geteuid())
