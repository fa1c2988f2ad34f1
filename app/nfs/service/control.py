"""How the engine speaks with the serving process, which outlives it: one request and one answer per connection.

Where to connect, and the secret of this run, is in a file that only this user can read. Both sides prove that they
have read it before anything else is said: the port of a process that has died may be another's the next moment.
"""

import hashlib
import hmac
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from app.core.durable import replace_durably, unlink
from app.nfs.service.serving import ServingRow

_log = logging.getLogger(__name__)

CONTROL_FILE: Final = "nfs-service.json"
_HOST: Final = "127.0.0.1"
_NONCE_BYTES: Final = 32
_PROOF_BYTES: Final = 32
_LENGTH_BYTES: Final = 4
_LONGEST_BYTES: Final = 1 << 20
_GREETING_S: Final = 5.0
_MOST_CALLS: Final = 32
"""At a time; more are turned away."""
_ANSWER_S: Final = 120.0
"""Opening a large overlay takes a while."""
_SERVER: Final = b"standfast nfs service"
_CALLER: Final = b"standfast nfs caller"


class _Endpoint(msgspec.Struct, frozen=True):
    pid: int
    port: int
    secret: bytes


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the serving process; keys are not shown."""

    look: bool = False
    """Serve what the files say now."""
    keys: dict[str, bytes] = {}
    """Of encrypted repositories, by their ids."""
    stop: bool = False

    def __repr__(self) -> str:
        return f"Request(look={self.look}, keys=…, stop={self.stop})"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How things are then."""

    pid: int
    rows: tuple[ServingRow, ...]


class ServiceAway(Exception):
    """Nobody serves here, or somebody else has taken its place."""


class ControlServer:
    """The serving process's end.

    Thread: started and closed on one; each request is answered on a thread of its own, because a standby may be
    waited for.
    """

    def __init__(self, folder: Path, answer: Callable[[Request], Answer]) -> None:
        self._file = folder / CONTROL_FILE
        self._answer = answer
        self._secret = secrets.token_bytes(_NONCE_BYTES)
        self._listener = socket.create_server((_HOST, 0))
        self._thread = threading.Thread(target=self._run, name="nfs-control", daemon=True)
        self._room = threading.Semaphore(_MOST_CALLS)

    def start(self) -> None:
        """Write where to connect, and take requests from then on.

        Raises:
            OSError: the file cannot be written.
        """
        port = self._listener.getsockname()[1]
        replace_durably(self._file, msgspec.json.encode(_Endpoint(os.getpid(), port, self._secret)))
        self._thread.start()

    def close(self) -> None:
        """Take no more requests."""
        with suppress(OSError):
            unlink(self._file)
        with suppress(OSError):  # closing alone does not wake the thread everywhere
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_GREETING_S)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self._room.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve_one, args=(connection,), name="nfs-control-call", daemon=True
            ).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._serve(connection)
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                _log.info("a caller of the NFS service was turned away: %s", error)
            finally:
                self._room.release()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_GREETING_S)
        theirs = _take(connection, _NONCE_BYTES)
        ours = secrets.token_bytes(_NONCE_BYTES)
        connection.sendall(_proof(self._secret, _SERVER, theirs) + ours)
        if not hmac.compare_digest(_take(connection, _PROOF_BYTES), _proof(self._secret, _CALLER, ours)):
            raise ValueError("it does not know the secret")
        request = msgspec.msgpack.decode(_receive(connection), type=Request)
        answer = self._answer(request)
        connection.settimeout(_GREETING_S)
        _send(connection, msgspec.msgpack.encode(answer))


def ask(folder: Path, request: Request) -> Answer:
    """Ask the serving process of a folder.

    Raises:
        ServiceAway: there is none, or it does not answer.
    """
    try:
        with (folder / CONTROL_FILE).open("rb") as file:
            endpoint = msgspec.json.decode(file.read(_LONGEST_BYTES), type=_Endpoint)
        with socket.create_connection((_HOST, endpoint.port), timeout=_GREETING_S) as connection:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            connection.sendall(nonce)
            if not hmac.compare_digest(_take(connection, _PROOF_BYTES), _proof(endpoint.secret, _SERVER, nonce)):
                raise ServiceAway("another program has its port")
            connection.sendall(_proof(endpoint.secret, _CALLER, _take(connection, _NONCE_BYTES)))
            _send(connection, msgspec.msgpack.encode(request))
            connection.settimeout(_ANSWER_S)
            return msgspec.msgpack.decode(_receive(connection), type=Answer)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ServiceAway(str(error)) from error


def keyed(keys: Mapping[str, bytes]) -> Request:
    """Return the request to look again, with keys of encrypted repositories."""
    return Request(look=True, keys=dict(keys))


def _proof(secret: bytes, who: bytes, nonce: bytes) -> bytes:
    return hmac.new(secret, who + nonce, hashlib.sha256).digest()


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(len(data).to_bytes(_LENGTH_BYTES, "big") + data)


def _receive(connection: socket.socket) -> bytes:
    length = int.from_bytes(_take(connection, _LENGTH_BYTES), "big")
    if length > _LONGEST_BYTES:
        raise ValueError(f"{length} bytes are announced")
    return _take(connection, length)


def _take(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ValueError("the other side has hung up")
        data += part
    return bytes(data)
