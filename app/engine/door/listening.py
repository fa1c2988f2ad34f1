"""Opens the socket of an engine's door and writes the file that says where it is."""

import os
import secrets
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.contract.endpoint import ENDPOINT_FILE, SOCKET_FILE, Endpoint, read_endpoint
from app.contract.errors import DoorUnsafe, EngineAway
from app.core.durable import replace_durably, unlink

_SECRET_BYTES = 32
_LONGEST_SOCKET_PATH = 100
"""``sun_path`` holds 108 bytes on Linux and 104 on macOS, with the final zero."""
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Listening:
    """An open door: the socket that listens, and what its file says."""

    socket: socket.socket
    endpoint: Endpoint

    def close(self, folder: Path) -> None:
        """Close the socket and take the files away."""
        self.socket.close()
        remove_door(folder, self.endpoint)


def open_endpoint(folder: Path, *, use_tcp: bool | None = None) -> Listening:
    """Open a door in the data folder and write its file; what a killed engine left there is replaced.

    The caller holds the engine's lock of this folder.

    Args:
        folder: the data folder.
        use_tcp: True takes a loopback socket also where there are Unix domain sockets; by default what suits
            the system.

    Raises:
        OSError: the system refused.
    """
    _remove_left_over(folder)
    tcp = sys.platform == "win32" if use_tcp is None else use_tcp
    listener, unix_path = _listen_tcp() if tcp or sys.platform == "win32" else _listen_unix(folder)
    try:
        listener.listen(_BACKLOG)
        endpoint = Endpoint(
            pid=os.getpid(),
            unix_path=unix_path,
            port=0 if unix_path else int(listener.getsockname()[1]),
            secret=secrets.token_bytes(_SECRET_BYTES),
        )
        replace_durably(folder / ENDPOINT_FILE, msgspec.json.encode(endpoint))
    except BaseException:
        listener.close()
        raise
    return Listening(listener, endpoint)


def _listen_tcp() -> tuple[socket.socket, str]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # without it another program could bind the same port and answer in our place
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind(("127.0.0.1", 0))
    except BaseException:
        listener.close()
        raise
    return listener, ""


def _listen_unix(folder: Path) -> tuple[socket.socket, str]:
    path = folder / SOCKET_FILE
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="standfast-")) / SOCKET_FILE
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener, str(path)


def _remove_left_over(folder: Path) -> None:
    with suppress(EngineAway, DoorUnsafe):
        remove_door(folder, read_endpoint(folder))


def remove_door(folder: Path, endpoint: Endpoint) -> None:
    """Remove the files of a door that is closed."""
    with suppress(OSError):
        unlink(folder / ENDPOINT_FILE, missing_ok=True)
    if not endpoint.unix_path:
        return
    path = Path(endpoint.unix_path)
    if path.name != SOCKET_FILE:  # never remove what an edited file names
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)
        if path.parent != folder:
            path.parent.rmdir()
