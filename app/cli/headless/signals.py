"""The system's wish that the program shall end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_LOOK_S = 0.5
"""On Windows a waiting main thread does not see a signal before it looks up."""


class EndWish:
    """Set by SIGTERM, SIGINT or, on Windows, Ctrl+Break; or by whoever started this program. Thread: any."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.name = ""

    def wait(self) -> None:
        """Wait until the program shall end."""
        while not self._event.wait(_LOOK_S):
            pass

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; called by the interpreter on the main thread."""
        self.name_it(signal.Signals(number).name)

    def name_it(self, name: str) -> None:
        """Set it, and say whose wish it is."""
        self.name = name
        self._event.set()


@contextmanager
def end_wish() -> Iterator[EndWish]:
    """Listen to the signals that end a program, and give back who listened before."""
    wish = EndWish()
    kinds = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGBREAK"):
        kinds.append(signal.SIGBREAK)
    before = {kind: signal.signal(kind, wish.note) for kind in kinds}
    try:
        yield wish
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
