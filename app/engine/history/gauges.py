"""How full the standbys are, measured beside everybody else: a share that hangs makes nobody wait."""

import shutil
import threading
from collections.abc import Callable
from typing import Final

from app.core.clock import Clock
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.ports import StandbyStore
from app.engine.queries.history import StandbyGauge

REFRESH_S: Final = 15.0
"""How old a measurement may become before it is made again."""
PATIENCE_S: Final = 5.0
"""How long a measurement may take before the standby counts as unreachable."""

Measure = Callable[[Standby], tuple[int, int]]
"""Returns total and free bytes; raises OSError where the path cannot be reached."""


def disk_space(standby: Standby) -> tuple[int, int]:
    """Return the total and the free bytes of the file system at a standby's root.

    Raises:
        OSError: it cannot be reached.
    """
    usage = shutil.disk_usage(standby.root_path)
    return usage.total, usage.free


class Gauges:
    """Remembers what standbys looked like a moment ago, and looks again when that is too long ago.

    Thread: any. Each measurement runs on a daemon thread of its own, at most one per standby.
    """

    def __init__(self, standbys: StandbyStore, clock: Clock, measure: Measure = disk_space) -> None:
        self._standbys = standbys
        self._clock = clock
        self._measure = measure
        self._lock = threading.Lock()
        self._found: dict[StandbyId, tuple[int, int] | None] = {}
        self._begun_at_s: dict[StandbyId, float] = {}
        self._running: dict[StandbyId, threading.Thread] = {}

    def read(self, *, wait_s: float = 0.0) -> tuple[StandbyGauge, ...]:
        """Return a gauge for every standby, by name.

        Args:
            wait_s: how long to wait for measurements that are under way; what takes longer counts as unreachable
                when it was never measured before.
        """
        known = self._standbys.all()
        threads = [thread for standby in known if (thread := self._refresh(standby)) is not None]
        for thread in threads:
            thread.join(wait_s / max(1, len(threads)))
        with self._lock:
            return tuple(self._gauge(standby) for standby in known)

    def _refresh(self, standby: Standby) -> threading.Thread | None:
        now_s = self._clock.monotonic()
        with self._lock:
            running = self._running.get(standby.id)
            if running is not None:
                return running
            begun_at_s = self._begun_at_s.get(standby.id)
            if begun_at_s is not None and now_s - begun_at_s < REFRESH_S:
                return None
            self._begun_at_s[standby.id] = now_s
            thread = threading.Thread(
                target=self._look, args=(standby,), name=f"gauge-{standby.name}", daemon=True
            )
            self._running[standby.id] = thread
            thread.start()
            return thread

    def _look(self, standby: Standby) -> None:
        found: tuple[int, int] | None = None
        try:
            found = self._measure(standby)
        except OSError:
            pass  # found stays None: the gauge says that it cannot be reached
        finally:
            with self._lock:
                self._found[standby.id] = found
                self._running.pop(standby.id, None)

    def _gauge(self, standby: Standby) -> StandbyGauge:
        space = self._found.get(standby.id)
        hangs = (
            standby.id in self._running
            and self._clock.monotonic() - self._begun_at_s.get(standby.id, 0.0) > PATIENCE_S
        )
        total, free = space or (None, None)
        return StandbyGauge(
            name=standby.name, total_bytes=total, free_bytes=free, reachable=space is not None and not hangs
        )
