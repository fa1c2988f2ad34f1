"""Where a server listens, and who may connect there.

Other users of the machine must not read the disks. A Unix socket in a folder of mode 0700 keeps them out.
A TCP port is open to every user, so there each export has a name of 128 random bits that is never listed, and one
client at a time.
"""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.nbd.folders import SOCKET_NAME, make_private_folder, remove_private_folder

HOST: Final = "127.0.0.1"
_SECRET_BYTES: Final = 16

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
        if sys.platform == "win32":
            raise OSError("there are no Unix sockets here")
        self.path = make_private_folder() / SOCKET_NAME
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
            remove_private_folder(self.path.parent)
