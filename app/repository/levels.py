"""How hard a task packs: harder while its source holds it up and the processors have nothing better to do."""

import threading
import time
from collections.abc import Callable
from typing import Final

import psutil

LEVELS: Final = (3, 4)
"""zstd's levels above the repository's own that a task may climb to, one a second."""
_LOOK_S: Final = 1.0
_WAITS: Final = 0.6
"""Share of a second in which somebody waited for the source: more, and packing is not what takes the time."""
_HARDLY_WAITS: Final = 0.35
_IDLE: Final = 0.35
"""Share of all processors' time in which nobody on this machine had work: more, and some of it may be taken."""
_HARDLY_IDLE: Final = 0.15


class IdleTime:
    """Share of the time in which the processors of this machine had nothing to do, since the last look.

    A system that does not report it, as Windows without performance counters, counts as one that is busy.
    """

    def __init__(self) -> None:
        self._idle_s, self._all_s = self._times()

    def share(self) -> float:
        """Return it, 0 to 1."""
        idle_s, all_s = self._times()
        passed_s, self._all_s = all_s - self._all_s, all_s
        free_s, self._idle_s = idle_s - self._idle_s, idle_s
        return max(0.0, min(1.0, free_s / passed_s)) if passed_s > 0 else 0.0

    @staticmethod
    def _times() -> tuple[float, float]:
        try:
            times = psutil.cpu_times()
        except OSError:
            return 0.0, 0.0
        return times.idle + getattr(times, "iowait", 0.0), sum(times)


class LevelControl:
    """Chooses zstd's level for the chunks of one task. Thread: any.

    It climbs one step a second, and comes down at once when packing, or anybody else on this machine, needs the
    processors: so it is never what a task waits for.
    """

    def __init__(
        self,
        usual: int,
        *,
        may_climb: bool,
        idle_share: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin with the usual level; without ``may_climb`` it stays there."""
        self._ladder = (usual, *(level for level in LEVELS if level > usual)) if may_climb else (usual,)
        self._idle_share = idle_share or IdleTime().share
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = clock()
        self._waited_s = 0.0
        self.level = usual
        """The level for the next chunk."""
        self.packed_bytes: dict[int, int] = {}
        """Bytes of chunks that were packed, by level."""

    def waited(self, seconds: float) -> None:
        """Note that one chunk was waited for, and choose anew once a second."""
        with self._lock:
            self._waited_s += seconds
            now = self._clock()
            passed_s = now - self._looked_at
            if passed_s < _LOOK_S or len(self._ladder) == 1:
                return
            self._choose(self._waited_s / passed_s)
            self._looked_at, self._waited_s = now, 0.0

    def packed(self, level: int, raw_bytes: int) -> None:
        """Note that a chunk was packed."""
        with self._lock:
            self.packed_bytes[level] = self.packed_bytes.get(level, 0) + raw_bytes

    def _choose(self, waits: float) -> None:
        idle = self._idle_share()
        step = self._ladder.index(self.level)
        if waits < _HARDLY_WAITS or idle < _HARDLY_IDLE:
            step = 0
        elif waits > _WAITS and idle > _IDLE:
            step = min(step + 1, len(self._ladder) - 1)
        self.level = self._ladder[step]
