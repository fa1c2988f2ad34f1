"""Exports of NFS servers that hosts mount, through libnfs: a client that others wrote.

What lives here: :class:`NasMount` (a mounted export, and whether its server is there), :class:`NasPath` and
:class:`NasFile` (its files, as datastores use them), :class:`NasDatastore`; inside: ``connection`` (one context of
the library, which many threads use), ``library`` (its functions).

A host mounts NFS 3 over TCP, asks the port mapper for the port unless :class:`NasSettings` name it, and is known
to the server by the address that the system takes for the way there. What it writes is FILE_SYNC. While a server
is away guests wait, and what the host does for itself is refused after a while (APD, *all paths down*); handles
are kept over it.

Threads: everything may be called from any; a mount has one of its own, which asks for the server.
"""

from app.simulator.nas.datastore import NasDatastore
from app.simulator.nas.errors import MountRefused, Refusal
from app.simulator.nas.files import NasFile, NasPath
from app.simulator.nas.library import is_installed
from app.simulator.nas.mount import NasMount, Presence
from app.simulator.nas.settings import NasSettings

__all__ = [
    "MountRefused",
    "NasDatastore",
    "NasFile",
    "NasMount",
    "NasPath",
    "NasSettings",
    "Presence",
    "Refusal",
    "is_installed",
]
