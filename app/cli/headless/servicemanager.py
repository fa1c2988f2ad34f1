"""Reports the state of the service to systemd; sd_notify(3) describes the datagrams."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress

_VARIABLE = "NOTIFY_SOCKET"


def notify_service_manager(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send a state such as ``READY=1``; return False where no service manager listens, or it cannot be reached."""
    address = environment.get(_VARIABLE, "")
    if sys.platform == "win32" or not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # the abstract name space
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        messenger.connect(address)
        messenger.sendall(state.encode())
        return True
    return False
