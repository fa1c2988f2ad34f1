"""What hosts mount: shares, each a volume in which every recovery is a folder, and the servers that serve them.

One share for all recoveries, because a host may mount few datastores only (``NFS.MaxVolumes`` of ESXi, 8 in older
releases).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.domain.errors import OperationalError
from app.nfs.content import OpenFiles
from app.nfs.failures import NfsPortUnavailable
from app.nfs.rpcbind import PortMapper
from app.nfs.server import NfsServer
from app.nfs.service.exports import Export
from app.nfs.volume import Volume

SHARES_FOLDER: Final = "shares"
"""Where what a host keeps beside the recoveries is, by the names of the shares."""
_NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(slots=True)
class _Share:
    volume: Volume
    places: set[str] = field(default_factory=set)


class Shares:
    """All shares. Thread: one at a time."""

    def __init__(self, folder: Path, files: OpenFiles, *, port: int, portmap_port: int) -> None:
        """Serve nothing yet.

        Args:
            folder: of the service.
            files: keeps files open.
            port: of NFS and MOUNT.
            portmap_port: of the port mapper.
        """
        self._folder = folder / SHARES_FOLDER
        self._files = files
        self._port = port
        self._portmap_port = portmap_port
        self._servers: dict[str, NfsServer] = {}
        """By the address where each listens."""
        self._shares: dict[tuple[str, str], _Share] = {}
        """By address and name."""
        self._registered: PortMapper | None = None

    def join(self, export: Export, volume: Volume) -> None:
        """Show a recovery in its share.

        Raises:
            NfsPortUnavailable: nothing can listen at its address.
            NfsError: something in the share has its place.
            OperationalError: the system's port mapper refuses.
            NamesDamaged, OSError: the share's own files cannot be used.
        """
        self.hold(export)
        self._servers[export.address].join(export.name, export.place, volume, export.number)

    def hold(self, export: Export) -> None:
        """Keep the share of a recovery there, without the recovery: hosts that have mounted it find it.

        Raises:
            NfsPortUnavailable, OperationalError, NamesDamaged, OSError: as :meth:`join`.
        """
        server = self._server(export.address)
        self._share(server, export).places.add(export.place)

    def expect(self, export: Export) -> None:
        """Keep the share of a recovery there, and ask hosts to wait for the recovery until it joins.

        Raises:
            NfsPortUnavailable, OperationalError, NamesDamaged, OSError: as :meth:`join`.
        """
        self.hold(export)
        self._servers[export.address].expect(export.name, export.place, frozenset(export.clients))

    def hide(self, export: Export) -> None:
        """Show a recovery no more; its share stays."""
        self._servers[export.address].leave(export.name, export.place)

    def leave(self, export: Export) -> None:
        """Show a recovery no more, which needs its share no more."""
        self.hide(export)
        self._shares[export.address, export.name].places.discard(export.place)

    def port_of(self, export: Export) -> int:
        """Return where the share of a recovery is served."""
        return self._servers[export.address].port

    def end_idle(self) -> None:
        """End shares and servers that nobody needs any more."""
        for (address, name), share in tuple(self._shares.items()):
            if not share.places:
                self._servers[address].remove(name)
                share.volume.close()
                del self._shares[address, name]
        used = {address for address, _ in self._shares}
        for address in [address for address in self._servers if address not in used]:
            self._servers.pop(address).stop()
        if not self._servers and self._registered is not None:
            self._registered.unregister()
            self._registered = None

    def _share(self, server: NfsServer, export: Export) -> _Share:
        key = (export.address, export.name)
        if key not in self._shares:
            volume = Volume(self._folder / export.name, clients=_NOBODY, disks={}, files=self._files)
            server.add(export.name, volume)
            self._shares[key] = _Share(volume)
        return self._shares[key]

    def _server(self, address: str) -> NfsServer:
        server = self._servers.get(address)
        if server is None:
            server = self._servers[address] = self._started(address)
        return server

    def _started(self, address: str) -> NfsServer:
        """Listen at an address; where another program has the port mapper's port, ours is registered there."""
        server = NfsServer(address, port=self._port, portmap_port=self._portmap_port)
        try:
            server.start()
        except NfsPortUnavailable as refused:
            mapper = PortMapper(self._portmap_port)
            if refused.params["port"] != str(self._portmap_port) or not mapper.is_there():
                raise
            server = NfsServer(address, port=self._port, portmap_port=None)
            server.start()
            try:
                mapper.register(server.port)
            except OperationalError:
                server.stop()
                raise
            self._registered = mapper
        return server
