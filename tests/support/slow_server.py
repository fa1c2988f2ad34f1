"""Servers that never come to an end: they say a little, now and then, or too much."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


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
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    server.port = listening.getsockname()[1]
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(greeting)
            while not server.ended.wait(pause_s):
                connection.sendall(drop)

    def accept() -> None:
        while not server.ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listening.accept()
                connection.settimeout(5)
                server.connections += 1
                server.connected.set()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        server.ended.set()
        accepting.join()
        for thread in threads:
            thread.join()
        listening.close()
