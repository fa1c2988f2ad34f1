"""Serves what the files of exports say. Nothing listens while there is nothing to serve."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.core.disks import DiskReader
from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.domain.errors import OperationalError
from app.nfs.content import OpenFiles
from app.nfs.diskcontent import DiskContent
from app.nfs.errors import NfsError
from app.nfs.failures import NfsPortUnavailable
from app.nfs.names import NamesDamaged
from app.nfs.overlay import OverlayDisk, OverlayError
from app.nfs.rpcbind import PortMapper
from app.nfs.server import NfsServer
from app.nfs.service.exports import Export, ExportFolder, ExportUnreadable
from app.nfs.volume import Volume

_log = logging.getLogger(__name__)

_NAMES_FOLDER: Final = "volume"
_DISKS_FOLDER: Final = "disks"


class Source(Protocol):
    """A restore point that is open for reading. Thread: any."""

    def open_disk(self, key: int) -> DiskReader:
        """Open a disk; as many readers of one are open as threads read it.

        Raises:
            OperationalError: there is none.
        """
        ...

    def close(self) -> None:
        """Let go of it; never raises."""
        ...


class KeyMissing(Exception):
    """The repository is encrypted, and nobody has given its key yet."""


OpenSource = Callable[[Export, bytes | None], Source]
"""Opens what an export is about, with the key of the repository where one was given.

Raises :class:`KeyMissing`, or an :class:`OperationalError`.
"""


class ServingState(Enum):
    """What becomes of an export."""

    SERVED = "served"
    LOCKED = "locked"
    """The key of its repository was not given."""
    FAILED = "failed"
    """It is tried again at the next look."""


class ServingRow(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it is served."""

    id: str
    state: ServingState
    error: str = ""
    port: int = 0
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0
    log_bytes: int = 0
    """What its overlays take at the standby."""
    live_bytes: int = 0
    """What of that is needed."""


class _Served:
    """An export that is open."""

    def __init__(self, export: Export, stack: ExitStack, volume: Volume, disks: tuple[DiskContent, ...]) -> None:
        self.export = export
        self.stack = stack
        self.volume = volume
        self.disks = disks


class Serving:
    """The server with all its exports. Thread: any; one lock around what changes what is served."""

    def __init__(
        self,
        folder: ExportFolder,
        open_source: OpenSource,
        *,
        port: int = NFS_PORT,
        portmap_port: int = PORTMAP_PORT,
    ) -> None:
        """Serve nothing yet.

        Args:
            folder: what is to be served.
            open_source: opens a restore point.
            port: of NFS and MOUNT.
            portmap_port: of the port mapper.
        """
        self._folder = folder
        self._open_source = open_source
        self._port = port
        self._portmap_port = portmap_port
        self._keys: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._servers: dict[str, NfsServer] = {}
        """By the address where each listens."""
        self._served: dict[str, _Served] = {}
        self._problems: dict[str, tuple[ServingState, str]] = {}
        self._files = OpenFiles()
        self._registered: PortMapper | None = None

    def look(self, keys: Mapping[str, bytes] | None = None) -> None:
        """Serve what is to be served now, and nothing else; ``keys`` are those of repositories, by their ids."""
        with self._lock:
            self._keys.update(keys or {})
            wanted = self._wanted()
            for export_id, served in tuple(self._served.items()):
                if wanted.get(export_id) != served.export:
                    self._end(export_id)
            for export in wanted.values():
                if export.id not in self._served:
                    self._begin(export)
            self._end_idle_servers()

    def _wanted(self) -> dict[str, Export]:
        self._problems.clear()
        found: dict[str, Export] = {}
        for export_id in self._folder.ids():
            try:
                export = self._folder.read(export_id)
            except (ExportUnreadable, OSError) as error:
                _log.warning("the export %s cannot be read: %s", export_id, error)
                self._problems[export_id] = ServingState.FAILED, str(error)
                continue
            if export is not None:
                found[export_id] = export
        return found

    def _begin(self, export: Export) -> None:
        try:
            with ExitStack() as stack:
                served = self._opened(export, stack)
                self._server(export.address).add(export.name, served.volume)
                served.stack = stack.pop_all()
        except KeyMissing:
            self._problems[export.id] = ServingState.LOCKED, ""
        except (OperationalError, OverlayError, NamesDamaged, NfsError, OSError) as error:
            _log.warning("the export %s cannot be served: %s", export.id, error)
            self._problems[export.id] = ServingState.FAILED, str(error)
        else:
            self._served[export.id] = served
            _log.info("the restore point %s is served to %s", export.point, ", ".join(export.clients))

    def _opened(self, export: Export, stack: ExitStack) -> _Served:
        source = self._open_source(export, self._keys.get(export.repository_id))
        stack.callback(source.close)
        contents: dict[str, DiskContent] = {}
        for disk in export.disks:
            contents[str(disk.key)] = content = self._disk(export, source, disk.key)
            stack.callback(content.close)
        folder = Path(export.folder) / _NAMES_FOLDER
        clients = frozenset(export.clients)
        volume = Volume(folder, clients=clients, disks=dict(contents), files=self._files)
        stack.callback(volume.close)
        self._name(export, volume)
        return _Served(export, stack, volume, tuple(contents.values()))

    def _name(self, export: Export, volume: Volume) -> None:
        """Give disks and files their names; what a host has removed or renamed meanwhile stays so."""
        changes = volume.changes
        if not volume.is_new:
            return
        for file in export.files:
            *folders, name = file.path.split("/")
            changes.add_file(changes.folders(folders), name.encode(), file.data)
        for disk in export.disks:
            *folders, name = disk.path.split("/")
            changes.add_disk(changes.folders(folders), name.encode(), str(disk.key))
        changes.end_preparation()

    def _disk(self, export: Export, source: Source, key: int) -> DiskContent:
        open_disk = partial(source.open_disk, key)
        first = open_disk()
        capacity = first.capacity_bytes
        first.close()
        return DiskContent(OverlayDisk(open_disk, capacity, Path(export.folder) / _DISKS_FOLDER / str(key)))

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

    def _end(self, export_id: str) -> None:
        served = self._served.pop(export_id)
        self._servers[served.export.address].remove(served.export.name)
        served.stack.close()
        _log.info("the restore point %s is served no more", served.export.point)

    def _end_idle_servers(self) -> None:
        used = {served.export.address for served in self._served.values()}
        for address in [address for address in self._servers if address not in used]:
            self._servers.pop(address).stop()
        if not self._servers and self._registered is not None:
            self._registered.unregister()
            self._registered = None

    def rows(self) -> tuple[ServingRow, ...]:
        """Return what becomes of each export."""
        with self._lock:
            problems = [
                ServingRow(id=export_id, state=state, error=error)
                for export_id, (state, error) in self._problems.items()
            ]
            return (*map(self._row, self._served.values()), *problems)

    def _row(self, served: _Served) -> ServingRow:
        traffic = served.volume.traffic
        return ServingRow(
            id=served.export.id,
            state=ServingState.SERVED,
            port=self._servers[served.export.address].port,
            reads=traffic.reads,
            read_bytes=traffic.read_bytes,
            writes=traffic.writes,
            written_bytes=traffic.written_bytes,
            log_bytes=sum(content.disk.log_bytes for content in served.disks),
            live_bytes=sum(content.disk.live_bytes for content in served.disks),
        )

    def has_failed(self) -> bool:
        """Return whether a file takes nothing any more until it is opened again."""
        with self._lock:
            return any(served.volume.has_failed for served in self._served.values())

    def close(self) -> None:
        """Serve nothing any more."""
        with self._lock:
            for export_id in tuple(self._served):
                self._end(export_id)
            self._end_idle_servers()
            self._files.close()
