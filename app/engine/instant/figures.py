"""What the VMs of recoveries read and write, and how fast what they wrote grows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.contract.instant import InstantTraffic
from app.nfs.service import ServingRow

_WINDOW_S: Final = 10.0
_SHORTEST_S: Final = 0.5
_GROWTH_S: Final = 24 * 3600.0
_GROWTH_STEP_S: Final = 60.0
_SHORTEST_GROWTH_S: Final = 300.0
"""Of less the speed of growth would be a guess: a guest that boots writes more than it ever does again."""
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    row: ServingRow


class Figures:
    """Makes speeds of counters, whenever somebody looks. Thread: any."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._recent: dict[str, deque[_Sample]] = {}
        self._sizes: dict[str, deque[tuple[float, int]]] = {}

    def take(self, rows: Mapping[str, ServingRow]) -> None:
        """Take what the serving process counts now; what is not among it is forgotten."""
        now_s = self._monotonic()
        with self._lock:
            for kept in (self._recent, self._sizes):
                for gone in kept.keys() - rows.keys():
                    del kept[gone]
            for recovery, row in rows.items():
                self._take(recovery, _Sample(now_s, row))

    def _take(self, recovery: str, sample: _Sample) -> None:
        recent = self._recent.setdefault(recovery, deque())
        if recent and sample.row.reads < recent[-1].row.reads:
            recent.clear()  # the service started again, and counts from nothing
        if not recent or sample.at_s - recent[-1].at_s >= _SHORTEST_S:
            recent.append(sample)
        while len(recent) > 2 and sample.at_s - recent[1].at_s > _WINDOW_S:
            recent.popleft()
        sizes = self._sizes.setdefault(recovery, deque())
        if not sizes or sample.at_s - sizes[-1][0] >= _GROWTH_STEP_S:
            sizes.append((sample.at_s, sample.row.log_bytes))
        while sizes and sample.at_s - sizes[0][0] > _GROWTH_S:
            sizes.popleft()

    def traffic(self, recovery: str) -> InstantTraffic | None:
        """Return what one reads and writes; None when it was looked at only once."""
        with self._lock:
            recent = self._recent.get(recovery) or deque()
            if len(recent) < 2:
                return None
            first, last = recent[0], recent[-1]
        seconds = last.at_s - first.at_s
        return InstantTraffic(
            reads_per_s=(last.row.reads - first.row.reads) / seconds,
            read_bytes_per_s=(last.row.read_bytes - first.row.read_bytes) / seconds,
            writes_per_s=(last.row.writes - first.row.writes) / seconds,
            written_bytes_per_s=(last.row.written_bytes - first.row.written_bytes) / seconds,
        )

    def days_left(self, recovery: str, free_bytes: int | None) -> float | None:
        """Return in how many days the standby is full; None when that cannot be told, or it does not grow."""
        with self._lock:
            sizes = self._sizes.get(recovery) or deque()
            if free_bytes is None or len(sizes) < 2:
                return None
            (begin_s, begin), (end_s, end) = sizes[0], sizes[-1]
        if end_s - begin_s < _SHORTEST_GROWTH_S or end <= begin:
            return None
        return free_bytes / ((end - begin) / (end_s - begin_s)) / _DAY_S
