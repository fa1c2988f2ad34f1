"""Servers that never come to an end: they say a little, now and then, or too much."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.listening import listening


@dataclass
class SlowServer:
    """Where it is, and who has connected."""

    port: int = 0
    connected: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    connections: int = 0


@contextmanager
def slow_server(greeting: bytes, drop: bytes, pause_s: float = 0.1) -> Iterator[SlowServer]:
    """Run a server that says ``greeting``, and then ``drop`` again and again."""
    server = SlowServer()

    def serve(connection: socket.socket, number: int) -> None:
        connection.settimeout(5)
        server.connections = max(server.connections, number)
        server.connected.set()
        with suppress(OSError):
            connection.sendall(greeting)
            while not server.ended.wait(pause_s):
                connection.sendall(drop)

    with listening(serve) as server.port:
        try:
            yield server
        finally:
            server.ended.set()
