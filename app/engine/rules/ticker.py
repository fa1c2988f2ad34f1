"""The thread that does what has to happen every so often."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from app.domain.errors import OperationalError

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 1.0
"""After a tick that left something due: what fails is tried again, but not as fast as it can."""


class Ticker:
    """Calls what has to happen every so often, on one thread. Errors of one call never end it."""

    def __init__(
        self,
        tick_s: float,
        calls: tuple[Callable[[], None], ...],
        seconds_left: Callable[[], float | None],
        name: str = "scheduler",
    ) -> None:
        """Prepare; nothing is called before :meth:`start`.

        Args:
            tick_s: the longest time between two ticks; 0: nothing happens by itself.
            calls: what is called, in this order.
            seconds_left: returns in how long something is due, where that is known.
            name: of the thread.
        """
        self._tick_s = tick_s
        self._calls = calls
        self._seconds_left = seconds_left
        self._woken = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Tick now, and from now on."""
        if self._tick_s:
            self._woken.set()
            self._thread.start()

    def wake(self) -> None:
        """Tick now. Thread: any."""
        self._woken.set()

    def stop(self, wait_s: float = 30.0) -> None:
        """End the thread and wait for the call that is under way."""
        self._is_ending = True
        self._woken.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def tick(self) -> None:
        """Call everything once, on the caller's thread."""
        for call in self._calls:
            try:
                call()
            except OperationalError as error:
                _log.error("%s is tried again: %s", getattr(call, "__qualname__", call), error)
            except Exception:  # noqa: BLE001 - a bug in one look must not end months of unattended backups
                _log.exception("%s failed and is tried again", getattr(call, "__qualname__", call))

    def _run(self) -> None:
        while True:
            self._woken.wait(self._pause_s())
            self._woken.clear()  # before the look at what it may have been set for
            if self._is_ending:
                return
            self.tick()

    def _pause_s(self) -> float:
        left_s = self._seconds_left()
        if left_s is None:
            return self._tick_s
        return min(self._tick_s, left_s if left_s > 0 else _AGAIN_S)
