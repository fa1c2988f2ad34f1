"""Opens the socket of an engine's door and writes the file that says where it is."""

import os
import secrets
import selectors
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from app.contract.endpoint import ENDPOINT_FILE, SOCKET_FILE, Endpoint, read_endpoint
from app.contract.errors import DoorUnsafe, EngineAway
from app.core.durable import replace_durably, unlink

_SECRET_BYTES = 32
_LONGEST_SOCKET_PATH = 100
"""``sun_path`` holds 108 bytes on Linux and 104 on macOS, with the final zero."""
_BACKLOG = 128


class Listening:
    """An open door: the socket that listens, and what its file says.

    Attributes:
        endpoint: what the file says.
    """

    def __init__(self, listener: socket.socket, endpoint: Endpoint) -> None:
        """Take a socket over that listens.

        Raises:
            OSError: the system refused.
        """
        self.endpoint = endpoint
        self._listener = listener
        # Closing a socket does not everywhere wake the thread that waits for it.
        self._woken, self._waker = socket.socketpair()
        for end in (listener, self._woken, self._waker):
            end.settimeout(0)

    def accept(self) -> socket.socket | None:
        """Wait for a caller; return None once it was woken. Thread: one.

        Raises:
            OSError: the system refused, for instance for want of descriptors.
        """
        while True:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in selector.select()]
            if self._woken in ready:
                return None
            with suppress(BlockingIOError):  # the caller has gone again
                connection, _ = self._listener.accept()
                connection.settimeout(None)  # Windows hands the listener's way of waiting on
                return connection

    def wake(self) -> None:
        """Let who waits for a caller go on without one, now and ever after. Thread: any."""
        with suppress(BlockingIOError):
            self._waker.send(b"!")

    def close(self, folder: Path) -> None:
        """Close the socket and take the files away."""
        self.shut()
        remove_door(folder, self.endpoint)

    def shut(self) -> None:
        """Close the socket."""
        for end in (self._listener, self._woken, self._waker):
            end.close()


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
        listening = Listening(listener, endpoint)
    except BaseException:
        listener.close()
        raise
    try:
        replace_durably(folder / ENDPOINT_FILE, msgspec.json.encode(endpoint))
    except BaseException:
        listening.shut()
        raise
    return listening


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
