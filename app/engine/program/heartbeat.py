"""The row in the catalog by which others see that this engine is alive."""

import os
import socket
import uuid

from app.core.clock import Clock
from app.domain.engines import HEARTBEAT_S, EngineBeat
from app.engine.ports import EngineStore


class Heartbeat:
    """Keeps this engine's row fresh. Thread: any.

    Attributes:
        engine: id of the row, new at every start.
    """

    def __init__(self, store: EngineStore, clock: Clock) -> None:
        self.engine = str(uuid.uuid4())
        self._store = store
        self._clock = clock
        self._last_s: float | None = None

    def begin(self) -> None:
        """Write the row.

        Raises:
            CatalogUnavailable: it cannot be written.
        """
        at = self._clock.now()
        self._store.begin(
            EngineBeat(id=self.engine, host=socket.gethostname(), pid=os.getpid(), started_at=at, beat_at=at)
        )
        self._last_s = self._clock.monotonic()

    def beat(self) -> None:
        """Freshen the row when that is due.

        Raises:
            CatalogUnavailable: it cannot be written.
        """
        now_s = self._clock.monotonic()
        if self._last_s is None or now_s - self._last_s < HEARTBEAT_S:
            return
        self._store.beat(self.engine, self._clock.now())
        self._last_s = now_s

    def end(self) -> None:
        """Note that the engine was closed in order.

        Raises:
            CatalogUnavailable: it cannot be written.
        """
        if self._last_s is not None:
            self._store.end(self.engine, self._clock.now())
