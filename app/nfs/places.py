"""Who calls, and what a handle means to them."""

from dataclasses import dataclass, field
from typing import Final

from app.core.nfs3 import Status
from app.nfs.errors import NfsError
from app.nfs.names import Node
from app.nfs.tree import GENERATION_BYTES
from app.nfs.volume import HANDLE_BYTES, Volume

__all__ = ["HANDLE_BYTES", "Caller", "Place", "Places"]


@dataclass(slots=True)
class Caller:
    """Who calls, and the number of the call."""

    address: str
    xid: int


@dataclass(slots=True)
class Place:
    """A file or folder of a volume."""

    volume: Volume
    node: Node

    def present(self) -> Node | None:
        """Return the node as it is now; None when it is gone."""
        try:
            return self.volume.node(self.volume.handle(self.node))
        except NfsError:
            return None


_NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(slots=True)
class Places:
    """The volumes that are served. Thread: the event loop's."""

    _volumes: dict[str, Volume] = field(default_factory=dict)
    _by_generation: dict[bytes, Volume] = field(default_factory=dict)
    clients: frozenset[str] = _NOBODY
    """The addresses of all who may use any of them."""

    def add(self, name: str, volume: Volume) -> None:
        """Serve a volume under a name that only those know who may use it."""
        self._volumes[name] = volume
        self._by_generation[volume.generation] = volume
        self._count_clients()

    def remove(self, name: str) -> Volume | None:
        """Serve a volume no more, and return it."""
        volume = self._volumes.pop(name, None)
        if volume is not None:
            del self._by_generation[volume.generation]
            self._count_clients()
        return volume

    def _count_clients(self) -> None:
        self.clients = _NOBODY.union(*(volume.clients for volume in self._volumes.values()))

    def mounted(self, caller: Caller, path: bytes) -> Place:
        """Return what a path means: the name of a volume, and what follows it inside of it.

        Raises:
            NfsError: nothing, or not to this caller.
        """
        name, _, inside = path.strip(b"/").partition(b"/")
        volume = self._volumes.get(name.decode("ascii", "replace"))
        if volume is None:
            raise NfsError(Status.NOENT)
        if caller.address not in volume.clients:
            raise NfsError(Status.ACCES)
        return Place(volume, volume.find(inside))

    def at(self, caller: Caller, handle: bytes) -> Place:
        """Return what a handle means.

        Raises:
            NfsError: nothing, or not to this caller.
        """
        if len(handle) != HANDLE_BYTES:
            raise NfsError(Status.BADHANDLE)
        volume = self._by_generation.get(handle[:GENERATION_BYTES])
        if volume is None:
            raise NfsError(Status.STALE)
        if caller.address not in volume.clients:
            raise NfsError(Status.ACCES)
        return Place(volume, volume.node(handle))
