"""A slow line on this machine: a relay that delays what passes and lets only so much pass in a second.

For where the kernel has no ``netem``. Each connection is delayed by half the round trip each way; the rate is that
of all connections together, in each direction.
"""

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from app.core.connections import end_connection

_PIECE_BYTES = 16 * 1024
_SLACK_S = 0.1


class SlowLine:
    """Relays connections from a port of its own to another one.

    Thread: any; it has a thread that accepts, and four for each connection.
    """

    def __init__(self, port: int, *, bytes_per_s: float, round_trip_s: float) -> None:
        self._target = port
        self._delay_s = round_trip_s / 2
        self._rate = bytes_per_s
        self._pieces = max(4, int(bytes_per_s * (self._delay_s + _SLACK_S)) // _PIECE_BYTES)
        self._free_s = {"there": 0.0, "back": 0.0}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.passed_bytes = 0
        """What came back from the other side."""

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        _in_thread(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        end_connection(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # the end
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._relay(near, far, "there")
            self._relay(far, near, "back")

    def _relay(self, source: socket.socket, target: socket.socket, way: str) -> None:
        waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(self._pieces)

        def receive() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(_PIECE_BYTES)
                except OSError:
                    data = b""
                waiting.put((self._arrival_s(len(data), way), data))

        def send() -> None:
            while True:
                at_s, data = waiting.get()
                time.sleep(max(0.0, at_s - time.monotonic()))
                with suppress(OSError):
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                    target.sendall(data)
                if not data:
                    return

        _in_thread(receive)
        _in_thread(send)

    def _arrival_s(self, n_bytes: int, way: str) -> float:
        with self._lock:
            free_s = max(time.monotonic(), self._free_s[way]) + n_bytes / self._rate
            self._free_s[way] = free_s
            self.passed_bytes += n_bytes if way == "back" else 0
        return free_s + self._delay_s


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="slow-line", daemon=True).start()
