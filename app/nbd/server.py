"""The listening socket and its thread."""

import asyncio
import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self

from app.nbd.errors import NbdPortUnavailable
from app.nbd.exports import Export
from app.nbd.handshake import Handshake
from app.nbd.transmission import Transmission
from app.nbd.wire import ProtocolBroken

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_READ_THREADS = 4


class NbdServer:
    """Offers disks, read only, to programs of this machine; a context manager.

    Thread: started and stopped on one; it runs its own.

    Attributes:
        port: Where it listens, once it is started.
    """

    def __init__(self, exports: Iterable[Export], *, port: int = 0) -> None:
        self._exports = {export.name: export for export in exports}
        self._wanted_port = port
        self.port = 0
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
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._thread.join()
            self._let_go()
            raise NbdPortUnavailable(port=self._wanted_port, detail=failure.strerror or failure) from failure

    def stop(self) -> None:
        """End every connection and let go of the disks."""
        if self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._let_go()

    def address(self, export: str = "") -> str:
        """Return the URI of an export, as ``qemu-img`` and ``nbdinfo`` take it."""
        return f"nbd://{HOST}:{self.port}/{export}"

    def _let_go(self) -> None:
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
            server = await asyncio.start_server(accept, HOST, self._wanted_port)
        except OSError as failure:
            self._failure = failure
            return
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            session = await Handshake(self._exports, reader, writer).run()
            if session is not None:
                await Transmission(session, self._pool, reader, writer).run()
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone, which is how most of them say goodbye
        except* ProtocolBroken as broken:
            _log.info("an NBD client was turned away: %s", broken.exceptions[0])
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
