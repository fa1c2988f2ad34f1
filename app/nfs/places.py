"""Who calls, and what a handle means to them."""

from dataclasses import dataclass, field
from typing import Final

from app.core.nfs3 import Status
from app.nfs.errors import NfsError
from app.nfs.names import ROOT, Node
from app.nfs.tree import GENERATION_BYTES
from app.nfs.volume import HANDLE_BYTES, Membership, Volume

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

    def child(self, name: bytes) -> "Place":
        """Return what has a name in this folder, in a member's root or out of it as well.

        Raises:
            NfsError: nothing has, or it is no folder.
        """
        if self.node.id == ROOT:
            membership = self.volume.membership
            if name == b".." and membership is not None:
                return Place(membership.outer, membership.outer.root())
            member = self.volume.members.get(name)
            if member is not None:
                return Place(member, member.root())
            if name in self.volume.awaited:
                raise NfsError(Status.JUKEBOX, "it cannot be shown yet")
        return Place(self.volume, self.volume.lookup(self.node, name))

    def below(self, path: bytes) -> "Place":
        """Return what is at a path below this folder.

        Raises:
            NfsError: there is nothing.
        """
        place = self
        for name in filter(None, path.split(b"/")):
            place = place.child(name)
        return place

    def has_member(self, name: bytes) -> bool:
        """Return whether another volume has a name in this folder, or will have: no host may take that away."""
        return self.node.id == ROOT and (name in self.volume.members or name in self.volume.awaited)

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

    def expect(self, name: str, folder: str, clients: frozenset[str]) -> None:
        """Let those wait who may use a volume that is to join and cannot be shown yet; one that is shown stays.

        Without that its handles would be stale: a host gives up what it has open, and a guest hears of an error.
        """
        outer = self._volumes[name]
        if folder.encode() not in outer.members:
            outer.awaited = {**outer.awaited, folder.encode(): clients}
            self._count_clients()

    def join(self, name: str, folder: str, member: Volume, number: int) -> None:
        """Show a volume as a folder in the root of one that is served.

        Raises:
            NfsError: there is no such volume, or something in its root has that name.
        """
        outer = self._volumes.get(name)
        if outer is None:
            raise NfsError(Status.NOENT)
        key = folder.encode()
        if key in outer.members or outer.has(key):
            raise NfsError(Status.EXIST)
        self._no_longer_expect(outer, key)
        member.membership = Membership(outer, number)
        outer.members = {**outer.members, key: member}
        self._by_generation[member.generation] = member
        self._count_clients()

    def leave(self, name: str, folder: str) -> None:
        """Show a member no more, and expect it no more; its handles mean nothing then."""
        outer = self._volumes.get(name)
        if outer is None:
            return
        self._no_longer_expect(outer, folder.encode())
        if folder.encode() in outer.members:
            self._take_out(outer, folder.encode())
        self._count_clients()

    def _no_longer_expect(self, outer: Volume, folder: bytes) -> None:
        outer.awaited = {name: clients for name, clients in outer.awaited.items() if name != folder}

    def remove_member(self, folder: Place, name: bytes) -> None:
        """Show a member no more of which a client removes the folder, until it is served anew.

        Raises:
            NfsError: something is in it, or it cannot be shown yet.
        """
        member = folder.volume.members.get(name)
        if member is None:
            raise NfsError(Status.JUKEBOX)
        if member.entries(member.root(), 0):
            raise NfsError(Status.NOTEMPTY)
        self._take_out(folder.volume, name)

    def _take_out(self, outer: Volume, name: bytes) -> None:
        members = dict(outer.members)
        member = members.pop(name)
        outer.members = members
        member.membership = None
        del self._by_generation[member.generation]
        self._count_clients()

    def _count_clients(self) -> None:
        expected = (clients for volume in self._volumes.values() for clients in volume.awaited.values())
        self.clients = _NOBODY.union(*(volume.clients for volume in self._by_generation.values()), *expected)

    def mounted(self, caller: Caller, path: bytes) -> Place:
        """Return what a path means: the name of a volume, and what follows it inside of it.

        Raises:
            NfsError: nothing, or not to this caller.
        """
        name, _, inside = path.strip(b"/").partition(b"/")
        volume = self._volumes.get(name.decode("ascii", "replace"))
        if volume is None:
            raise NfsError(Status.NOENT)
        if not _may_use(caller, volume):
            raise NfsError(Status.ACCES)
        return self._allowed(caller, Place(volume, volume.root()).below(inside))

    def _allowed(self, caller: Caller, place: Place) -> Place:
        if not _may_use(caller, place.volume):
            raise NfsError(Status.ACCES)
        return place

    def at(self, caller: Caller, handle: bytes) -> Place:
        """Return what a handle means.

        Raises:
            NfsError: nothing, or not to this caller.
        """
        if len(handle) != HANDLE_BYTES:
            raise NfsError(Status.BADHANDLE)
        volume = self._by_generation.get(handle[:GENERATION_BYTES])
        if volume is None:
            is_expected = any(outer.awaited for outer in self._volumes.values())
            raise NfsError(Status.JUKEBOX if is_expected else Status.STALE)
        return self._allowed(caller, Place(volume, volume.node(handle)))


def _may_use(caller: Caller, volume: Volume) -> bool:
    """Return whether a caller may use a volume; who may use a member may look at what is around it."""
    if caller.address in volume.clients:
        return True
    if any(caller.address in clients for clients in volume.awaited.values()):
        return True
    return any(caller.address in member.clients for member in volume.members.values())
