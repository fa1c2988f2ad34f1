"""An engine's door that lets one caller in and then does what a test wants with the connection."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.contract.frames import Ended
from app.contract.handshake import receive_caller
from app.engine.door.listening import open_endpoint

_PATIENCE_S = 20.0


@contextmanager
def fake_engine(folder: Path, behave: Callable[[socket.socket], None]) -> Iterator[None]:
    """Open a door; every caller that was let in is given to ``behave``, and cut off when that returns."""
    listening = open_endpoint(folder)

    def serve() -> None:
        while (connection := listening.accept()) is not None:
            with connection, suppress(OSError, Ended):
                connection.settimeout(_PATIENCE_S)
                receive_caller(connection, listening.endpoint.secret)
                behave(connection)

    thread = threading.Thread(target=serve, name="fake-engine")
    thread.start()
    try:
        yield
    finally:
        listening.wake()
        thread.join()
        listening.close(folder)
