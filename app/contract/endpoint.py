"""Where an engine's door is: a file in the data folder that only this user can read, and the socket it names."""

import os
import socket
import sys
from pathlib import Path

import msgspec

from app.contract.errors import DoorUnsafe, EngineAway
from app.contract.reasons import FILE_DAMAGED, FILE_UNREADABLE, NONE_RUNS, OPEN_TO_OTHERS, OTHER_OWNER
from app.domain.reasons import reason_of

ENDPOINT_FILE = "engine.json"
SOCKET_FILE = "engine.sock"
_FORMAT = 1
_LONGEST_FILE_BYTES = 64 * 1024


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The address of an engine's door and the secret of this run; the secret is not shown."""

    format: int = _FORMAT
    pid: int
    unix_path: str = ""
    """Empty: the door is at :attr:`port` of the loopback address."""
    port: int = 0
    secret: bytes

    def __repr__(self) -> str:
        return f"Endpoint(pid={self.pid}, unix_path={self.unix_path!r}, port={self.port}, secret=…)"

    def connect(self, timeout_s: float) -> socket.socket:
        """Return a connected socket with a time limit for each call.

        Raises:
            OSError: no one is there.
        """
        if self.unix_path and sys.platform != "win32":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout_s)
                connection.connect(self.unix_path)
            except BaseException:
                connection.close()
                raise
            return connection
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def read_endpoint(folder: Path) -> Endpoint:
    """Return what the file in the data folder says.

    Raises:
        EngineAway: there is none: no engine has its door open.
        DoorUnsafe: someone else could have written or read it.
    """
    path = folder / ENDPOINT_FILE
    try:
        with path.open("rb") as file:
            _refuse_unsafe(path, os.fstat(file.fileno()))
            raw = file.read(_LONGEST_FILE_BYTES)
    except FileNotFoundError as error:
        raise EngineAway(detail=NONE_RUNS) from error
    except OSError as error:
        raise EngineAway(detail=FILE_UNREADABLE.fill(path=path, reason=reason_of(error))) from error
    try:
        return msgspec.json.decode(raw, type=Endpoint)
    except msgspec.MsgspecError as error:
        raise EngineAway(detail=FILE_DAMAGED.fill(path=path, details=str(error))) from error


def _refuse_unsafe(path: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":  # the folder's access list decides there
        return
    if status.st_uid != os.geteuid():
        raise DoorUnsafe(path=path, detail=OTHER_OWNER)
    if status.st_mode & 0o077:
        raise DoorUnsafe(path=path, detail=OPEN_TO_OTHERS)
