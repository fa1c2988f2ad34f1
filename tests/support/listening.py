"""A server of a test's own: whatever it does with a connection, it is gone at the end."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[socket.socket, int], None]


@contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """Run ``serve`` in a thread of its own for each connection, with its number from 1; yields the port.

    A connection is closed when ``serve`` returns.
    """
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def run(connection: socket.socket, number: int) -> None:
        with connection:
            serve(connection, number)

    def accept(listener: socket.socket) -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=run, args=(connection, len(threads) + 1)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join(10)
