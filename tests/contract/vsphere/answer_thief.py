"""A TCP proxy that swallows the answer to one call: the platform did it, and the client never learns."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from app.core.connections import end_connection
from app.simulator.server import VSphereSimulator


class AnswerThief:
    """Forwards to a simulator, and cuts the connection instead of forwarding the answer to a chosen method."""

    def __init__(self, simulator: VSphereSimulator) -> None:
        self._simulator = simulator
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._method: str | None = None
        self._calls_before = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        """Where it listens on the loopback address."""
        port: int = self._listener.getsockname()[1]
        return port

    def steal_next(self, method: str) -> None:
        """Swallow the answer to the next call of a method."""
        with self._lock:
            self._calls_before = self._simulator.faults.calls(method)
            self._method = method

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_connection(self._listener)
        self._listener.close()
        for connection in list(self._sockets):
            _cut(connection)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self._simulator.host, self._simulator.port))
            self._sockets += [client, server]
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pump, args=(source, target, is_answer))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if is_answer and self._is_loot():
                    break
                target.sendall(data)
        _cut(source)
        _cut(target)

    def _is_loot(self) -> bool:
        with self._lock:
            if self._method is None or self._simulator.faults.calls(self._method) <= self._calls_before:
                return False
            self._method = None
            return True


def _cut(connection: socket.socket) -> None:
    end_connection(connection)
    connection.close()
