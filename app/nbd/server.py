"""The listening socket and its thread."""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

from app.domain.reasons import reason_of
from app.nbd.errors import NbdPortUnavailable, NbdSocketUnavailable
from app.nbd.exports import Export
from app.nbd.handshake import Agreement, Handshake
from app.nbd.listening import TcpListening, UnixListening
from app.nbd.transmission import Transmission
from app.nbd.wire import ProtocolBroken

_log = logging.getLogger(__name__)

_READ_THREADS = 4
_HANDSHAKE_S = 10.0
_MOST_UNPROVEN = 32
"""Connections that have not chosen an export yet; more are closed at once."""
_SEAT_S = 2.0
"""How long a client over TCP waits for the one before it to go."""


class NbdServer:
    """Offers disks, read only, to programs of this machine; a context manager.

    Thread: started and stopped on one; it runs its own.

    Other users cannot read them: see :mod:`app.nbd.listening`.
    """

    def __init__(self, exports: Iterable[Export], *, port: int = 0, tcp: bool | None = None) -> None:
        """Prepare a server.

        Args:
            exports: the disks.
            port: where to listen on the loopback address; 0 leaves it to the system.
            tcp: True listens on the loopback address, for programs that know no Unix sockets; by default only
                where the system has none, or where a port is given.
        """
        needs_tcp = sys.platform == "win32" or port != 0 if tcp is None else tcp
        self._listening = TcpListening(port) if needs_tcp else UnixListening()
        self._exports = {self._listening.public_name(export.name): export for export in exports}
        self._seat = asyncio.Lock()
        self._unproven = 0
        self._loop = asyncio.new_event_loop()
        self._ended: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._pool = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="nbd-read")
        self._thread = threading.Thread(target=self._run, name="nbd-server")

    def start(self) -> None:
        """Listen.

        Raises:
            NbdPortUnavailable: the port is in use.
            NbdSocketUnavailable: the system has no place for the socket.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._thread.join()
            self._let_go()
            detail = reason_of(failure)
            if isinstance(self._listening, TcpListening):
                raise NbdPortUnavailable(port=self._listening.port, detail=detail) from failure
            raise NbdSocketUnavailable(detail=detail) from failure

    def stop(self) -> None:
        """End every connection and release the disks."""
        if self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._let_go()

    def address(self, export: str = "") -> str:
        """Return the URI of an export, as ``qemu-img`` and ``nbdinfo`` take it."""
        return self._listening.address(export)

    @property
    def port(self) -> int:
        """The port on the loopback address, once it is started; 0 for a Unix socket."""
        return self._listening.port if isinstance(self._listening, TcpListening) else 0

    @property
    def export_names(self) -> tuple[str, ...]:
        """The names under which the disks are offered; over TCP they are secret."""
        return tuple(self._exports)

    @property
    def socket_path(self) -> Path | None:
        """The Unix socket, once it is started; None for a port."""
        return self._listening.path if isinstance(self._listening, UnixListening) else None

    def _let_go(self) -> None:
        self._listening.close()
        self._pool.shutdown()
        for export in self._exports.values():
            export.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # --- the event loop's thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._started.set()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            # asyncio.streams logs a connection whose task was cancelled as a bug; stopping is none.
            with suppress(asyncio.CancelledError):
                try:
                    await self._talk(reader, writer)
                finally:
                    connections.discard(task)

        try:
            server = await self._listening.open(accept)
        except OSError as failure:
            self._failure = failure
            return
        self._started.set()
        await self._ended.wait()
        server.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            agreement = await self._greeted(reader, writer)
            if agreement is not None:
                await self._serve_client(agreement, reader, writer)
        except* (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client is gone, which is how most of them say goodbye
        except* ProtocolBroken as broken:
            _log.info("an NBD client was turned away: %s", broken.exceptions[0])
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Agreement | None:
        if self._unproven >= _MOST_UNPROVEN:
            _log.info("an NBD client was turned away: %d others have not said yet what they want", _MOST_UNPROVEN)
            return None
        self._unproven += 1
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                handshake = Handshake(self._exports, reader, writer, is_private=self._listening.is_private)
                return await handshake.run()
        finally:
            self._unproven -= 1

    async def _serve_client(
        self, agreement: Agreement, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        transmission = Transmission(agreement, self._pool, reader, writer)
        assert agreement.export is not None
        if self._listening.is_private:
            with agreement.export.connected():
                await transmission.run()
            return
        async with asyncio.timeout(_SEAT_S):
            await self._seat.acquire()
        try:
            with agreement.export.connected():
                await transmission.run()
        finally:
            self._seat.release()
