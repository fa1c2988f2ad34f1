"""Where a server listens, and who may come in by it.

Other users of the machine must not read the disks. A Unix socket in a folder of mode 0700 keeps them out.
A TCP port is open to every user, so there each export has a name of 128 random bits that is never listed, and one
client at a time.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

HOST: Final = "127.0.0.1"
_SECRET_BYTES: Final = 16
_LONGEST_SOCKET_PATH: Final = 100
"""``sun_path`` holds 108 bytes on Linux and 104 on macOS, with the final zero."""

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TcpListening:
    """A loopback port with secret names.

    Attributes:
        port: Where it listens, once it is open.
    """

    is_private = False

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._names: dict[str, str] = {}

    async def open(self, accept: Accept) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(accept, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def public_name(self, export: str) -> str:
        """Return a name that cannot be guessed; the same for the same export."""
        return self._names.setdefault(export, secrets.token_hex(_SECRET_BYTES))

    def address(self, export: str) -> str:
        """Return the URI of an export."""
        return f"nbd://{HOST}:{self.port}/{self.public_name(export)}"

    def close(self) -> None:
        """Do nothing: a port leaves nothing behind."""


class UnixListening:
    """A Unix socket in a private folder of its own.

    Attributes:
        path: The socket, once it is open.
    """

    is_private = True

    def __init__(self) -> None:
        self.path: Path | None = None

    async def open(self, accept: Accept) -> asyncio.Server:
        """Listen."""
        self.path = _private_folder() / "nbd.sock"
        if sys.platform == "win32":
            raise OSError("there are no Unix sockets here")
        server = await asyncio.start_unix_server(accept, self.path)
        self.path.chmod(0o600)
        return server

    def public_name(self, export: str) -> str:
        """Return the export's own name."""
        return export

    def address(self, export: str) -> str:
        """Return the URI of an export."""
        return f"nbd+unix:///{quote(export)}?socket={quote(str(self.path))}"

    def close(self) -> None:
        """Remove the socket and its folder."""
        if self.path is not None:
            shutil.rmtree(self.path.parent, ignore_errors=True)


def _private_folder() -> Path:
    """Make a folder of mode 0700 whose path is short enough for a socket in it.

    Raises:
        OSError: there is no place for one.
    """
    above = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp makes it
    room = _LONGEST_SOCKET_PATH - len("/standfast-nbd-12345678/nbd.sock")
    for folder in above:
        is_usable = Path(folder).is_absolute() and len(os.fsencode(folder)) <= room and os.access(folder, os.W_OK)
        if is_usable:
            return Path(tempfile.mkdtemp(prefix="standfast-nbd-", dir=folder))
    raise OSError("there is no folder for a socket; TMPDIR names one")
