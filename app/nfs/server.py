"""The server: its sockets, its thread, and the volumes that it serves."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import Final, Self, TypeVar

from app.core.nfs3 import NFS_PORT, PORTMAP_PORT, VERIFIER_BYTES
from app.domain.reasons import reason_of
from app.nfs.changes import Changes
from app.nfs.connection import Connection, Datagrams
from app.nfs.failures import NfsPortUnavailable
from app.nfs.places import Places
from app.nfs.programs import Programs, mount_program, nfs_program, portmap_program
from app.nfs.queries import Queries
from app.nfs.transfers import Transfers
from app.nfs.volume import Volume
from app.nfs.work import Workers

_log = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 64
Result = TypeVar("Result")


class NfsServer:
    """Serves volumes over NFS 3; a context manager.

    Thread: started and stopped on one, volumes are added and removed on any; it runs its own.

    Only clients of a volume may connect, and what there is to mount is not told: a path begins with a name that
    only those know who may use it.
    """

    def __init__(self, address: str, *, port: int = NFS_PORT, portmap_port: int | None = PORTMAP_PORT) -> None:
        """Prepare.

        Args:
            address: of this machine, to which hosts connect.
            port: of NFS and MOUNT; 0 leaves it to the system.
            portmap_port: of the port mapper, over TCP and UDP; 0 leaves it to the system, None: another program
                has that port, and knows ours.
        """
        self._address = address
        self._port = port
        self._portmap_port = portmap_port
        self._places = Places()
        self._loop = asyncio.new_event_loop()
        self._workers = Workers(self._loop)
        self._transfers = Transfers(self._places, self._workers, os.urandom(VERIFIER_BYTES))
        self._connections: set[Connection] = set()
        self._ended: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: NfsPortUnavailable | None = None
        self._thread = threading.Thread(target=self._run, name="nfs-server")

    @property
    def port(self) -> int:
        """Where NFS and MOUNT are, once it is started."""
        return self._port

    @property
    def portmap_port(self) -> int | None:
        """Where the port mapper is, once it is started."""
        return self._portmap_port

    def start(self) -> None:
        """Listen.

        Raises:
            NfsPortUnavailable: a port is taken, or this user may not have it.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            self._workers.close()
            raise self._failure

    def stop(self) -> None:
        """End every connection; what was answered as durable is."""
        if self._thread.ident is None:
            return
        if self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._workers.close()

    def add(self, name: str, volume: Volume) -> None:
        """Serve a volume under a name that cannot be guessed, as the first part of the paths that are mounted."""
        self._in_loop(lambda: self._places.add(name, volume))

    def remove(self, name: str) -> None:
        """Serve a volume no more; its handles are stale then. What is under way in it goes on to its end."""
        self._in_loop(lambda: self._places.remove(name))

    def expect(self, name: str, folder: str, clients: frozenset[str]) -> None:
        """Ask clients to wait for a volume that is to join one that is served, and cannot be shown yet."""
        self._in_loop(lambda: self._places.expect(name, folder, clients))

    def join(self, name: str, folder: str, member: Volume, number: int) -> None:
        """Show a volume as a folder in the root of one that is served.

        Args:
            name: of the volume that is served.
            folder: the member's name in its root.
            member: the volume.
            number: what no other member of that volume ever had; from 1 on.

        Raises:
            NfsError: there is no such volume, or something in its root has that name.
        """
        self._in_loop(lambda: self._places.join(name, folder, member, number))

    def leave(self, name: str, folder: str) -> None:
        """Show a member no more; its handles are stale then. What is under way in it goes on to its end."""
        self._in_loop(lambda: self._places.leave(name, folder))

    def _in_loop(self, call: Callable[[], Result]) -> Result:
        async def run() -> Result:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # --- the event loop's thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._started.set()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        servers: list[asyncio.Server] = []
        datagrams: asyncio.DatagramTransport | None = None
        programs = nfs_program(Queries(self._places, self._workers), self._transfers, self._changes())
        try:
            nfs = Programs(programs, mount_program(self._places))
            servers.append(await self._listen(nfs, self._port))
            self._port = servers[0].sockets[0].getsockname()[1]
            if self._portmap_port is not None:
                mapper = Programs(portmap_program(lambda: self._port))
                servers.append(await self._listen(mapper, self._portmap_port))
                self._portmap_port = servers[1].sockets[0].getsockname()[1]
                datagrams = await self._listen_udp(mapper, self._portmap_port)
        except NfsPortUnavailable as failure:
            self._failure = failure
        else:
            self._started.set()
            await self._ended.wait()
        for server in servers:
            server.close()
        if datagrams is not None:
            datagrams.close()
        for connection in tuple(self._connections):
            connection.close()
        await asyncio.sleep(0)  # those that were cut hear of it

    def _changes(self) -> Changes:
        return Changes(self._places, self._workers)

    async def _listen(self, programs: Programs, port: int) -> asyncio.Server:
        def connection() -> Connection:
            return Connection(programs, self._is_welcome, self._connections.add, self._connections.discard)

        try:
            return await self._loop.create_server(connection, self._address, port)
        except OSError as error:
            raise NfsPortUnavailable(address=self._address, port=port, detail=reason_of(error)) from error

    async def _listen_udp(self, programs: Programs, port: int) -> asyncio.DatagramTransport:
        try:
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: Datagrams(programs, self._is_known), local_addr=(self._address, port)
            )
        except OSError as error:
            raise NfsPortUnavailable(address=self._address, port=port, detail=reason_of(error)) from error
        return transport

    def _is_welcome(self, address: str) -> bool:
        return self._is_known(address) and len(self._connections) < _MOST_CONNECTIONS

    def _is_known(self, address: str) -> bool:
        return address in self._places.clients
