"""Ends connections under the threads that wait for them.

POSIX wakes a thread that waits in ``recv``, ``send`` or ``select`` when another one calls ``shutdown``. Windows
lets it wait until the other side answers or the time limit is over; ``CancelIoEx`` ends what waits there.
"""

import ctypes
import socket
import sys
from contextlib import suppress


def end_connection(connection: socket.socket) -> None:
    """Send nothing more and receive nothing more; whoever waits for this connection is freed. Never raises.

    What is called for it afterwards fails at once. Only the other side's end says that it has heard of it. The
    descriptor stays open, for its owner to close. Thread: any.

    Args:
        connection: the very object that other threads use, or its duplicate. On Windows a thread whose object has
            a time limit of its own may wait until then, if it begins to wait in this instant.
    """
    with suppress(OSError):  # it may have ended by itself, or not have begun
        connection.shutdown(socket.SHUT_RDWR)
    if sys.platform == "win32":
        with suppress(OSError, ValueError):
            # With a time limit Python waits in select, which on Windows does not see that there is nothing to wait
            # for; without waiting, the call itself fails.
            connection.settimeout(0.0)
            ctypes.WinDLL("kernel32").CancelIoEx(ctypes.c_void_p(connection.fileno()), None)
