"""Waiting for conditions and threads instead of sleeping, and ports no one uses."""

import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, deadline_s: float = 10.0, what: str = "the condition") -> T:
    """Poll a condition until it returns something true, and return that.

    Raises:
        AssertionError: it did not within the deadline.
    """
    until = time.monotonic() + deadline_s
    pause_s = 0.001
    while True:
        if value := condition():
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true within {deadline_s:g} s")
        time.sleep(pause_s)
        pause_s = min(0.05, pause_s * 1.5)


def wait_for_threads(*names: str) -> None:
    """Wait until no thread is left whose name begins with one of these.

    Raises:
        AssertionError: one is still there after five seconds.
    """
    wait_until(
        lambda: not any(thread.name.startswith(names) for thread in threading.enumerate()),
        deadline_s=5,
        what=f"the end of the threads {', '.join(names)}",
    )


def free_port() -> int:
    """Return a loopback TCP port that no one listens on right now.

    Prefer binding port 0 where the code under test allows it: another process may take this one meanwhile.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert isinstance(port, int)
        return port
