"""Lets other processes of this user use the engine."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from app.contract.door import Door
from app.contract.endpoint import Endpoint
from app.contract.errors import DoorUnusable
from app.contract.frames import Ended
from app.contract.handshake import OtherVersion, UntrustedPeer, receive_caller
from app.contract.reasons import FOLDER_REFUSED
from app.contract.wire import encode_event
from app.core.connections import end_connection
from app.domain.events import Event
from app.domain.reasons import reason_of
from app.engine.door.caller import Caller
from app.engine.door.listening import Listening, open_endpoint
from app.engine.door.peers import is_same_user

_log = logging.getLogger(__name__)

MAX_CALLERS = 32
"""Callers that were let in; who has not proven yet that they know the secret does not count."""
MAX_STRANGERS = 64
"""Connections whose handshake is under way; when there are more, the oldest gives way to the newest."""
HANDSHAKE_S = 5.0
"""For the whole handshake."""
_AGAIN_S = 1.0
"""After so long it is tried again to let callers in, when the system refused."""


class DoorServer:
    """The open door of an engine; a context manager that closes it. Thread: any."""

    def __init__(self, door: Door, listening: Listening, folder: Path) -> None:
        self._door = door
        self._listening = listening
        self._folder = folder
        self._lock = threading.Lock()
        self._callers: set[Caller] = set()
        self._strangers: dict[socket.socket, None] = {}
        """In the order in which they came."""
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self._numbers = 0
        self._unsubscribe: Callable[[], None] = lambda: None
        self._accepting = threading.Thread(target=self._accept, name="door")

    @classmethod
    def open(cls, door: Door, folder: Path, *, use_tcp: bool | None = None) -> Self:
        """Open the door of an engine in its data folder; the caller holds that folder's engine lock.

        Args:
            door: the engine.
            folder: the data folder; only this user may have access.
            use_tcp: True takes a loopback socket also where there are Unix domain sockets.

        Raises:
            DoorUnusable: the system refused.
        """
        try:
            listening = open_endpoint(folder, use_tcp=use_tcp)
        except OSError as error:
            raise DoorUnusable(detail=FOLDER_REFUSED.fill(folder=folder, reason=reason_of(error))) from error
        server = cls(door, listening, folder)
        server._start()
        return server

    @property
    def endpoint(self) -> Endpoint:
        """Where the door is."""
        return self._listening.endpoint

    def _start(self) -> None:
        self._unsubscribe = self._door.subscribe(self._announce)
        self._accepting.start()

    def cut_off(self) -> None:
        """Accept no more callers and end every connection; what is under way for callers goes on. Quick."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            callers, strangers = set(self._callers), set(self._strangers)
        self._unsubscribe()
        self._listening.wake()
        self._accepting.join()
        self._listening.close(self._folder)
        for caller in callers:
            caller.end()
        for connection in strangers:
            end_connection(connection)

    def close(self, wait_s: float | None = None) -> None:
        """Cut everybody off, and wait until what they asked for is finished; a second call does nothing.

        Args:
            wait_s: how long; None waits until it is. What hangs is left to itself.
        """
        self.cut_off()
        with self._lock:
            threads = set(self._threads)
        deadline = None if wait_s is None else time.monotonic() + wait_s
        for thread in threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _announce(self, event: Event) -> None:
        with self._lock:
            callers = tuple(self._callers)
        if callers:
            data = encode_event(event)
            for caller in callers:
                caller.announce(data)

    # --- letting in --------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._is_closing():
            try:
                connection = self._listening.accept()
            except OSError as error:
                if not self._is_closing():
                    _log.warning("a caller could not be let in: %s", error)
                    threading.Event().wait(_AGAIN_S)  # out of descriptors: give others time to close theirs
                continue
            if connection is not None:
                self._receive(connection)

    def _is_closing(self) -> bool:
        with self._lock:
            return self._closing

    def _receive(self, connection: socket.socket) -> None:
        with self._lock:
            if self._closing:
                connection.close()
                return
            oldest = next(iter(self._strangers)) if len(self._strangers) >= MAX_STRANGERS else None
            if oldest is not None:
                del self._strangers[oldest]
            self._numbers += 1
            name = f"door-{self._numbers}"
            thread = threading.Thread(target=self._serve, args=(connection, name), name=name)
            self._threads.add(thread)
            self._strangers[connection] = None
            thread.start()
        if oldest is not None:
            _log.debug("a connection that said nothing gave way to a newer one")
            end_connection(oldest)

    def _serve(self, connection: socket.socket, name: str) -> None:
        caller = None
        try:
            with connection:
                caller = self._admitted(connection, name)
                if caller is not None:
                    caller.run()
        finally:
            with self._lock:
                self._strangers.pop(connection, None)
                if caller is not None:
                    self._callers.discard(caller)
                self._threads.discard(threading.current_thread())

    def _admitted(self, connection: socket.socket, name: str) -> Caller | None:
        connection.settimeout(HANDSHAKE_S)
        # A socket's time limit is for each call: one byte now and then would make the handshake last for ever.
        deadline = threading.Timer(HANDSHAKE_S, end_connection, [connection])
        deadline.name = f"{name}-deadline"
        deadline.start()
        try:
            if not is_same_user(connection):
                raise UntrustedPeer("another user")
            receive_caller(connection, self._listening.endpoint.secret)
        except (UntrustedPeer, OtherVersion) as error:
            _log.warning("a caller was not let in: %s", error)
            return None
        except (Ended, OSError) as error:
            _log.debug("a caller went before it was let in: %r", error)
            return None
        finally:
            deadline.cancel()
            deadline.join()
        return self._let_in(connection, name)

    def _let_in(self, connection: socket.socket, name: str) -> Caller | None:
        """Serve a connection whose other side has proven who they are; None when there is no room for it."""
        with self._lock:
            has_waited = self._strangers.pop(connection, True) is None
            is_full = len(self._callers) >= MAX_CALLERS
            if has_waited and not is_full and not self._closing:
                caller = Caller(connection, self._door, name)
                self._callers.add(caller)
                return caller
        if is_full:
            _log.warning("a caller was turned away: %d are there already", MAX_CALLERS)
        return None
