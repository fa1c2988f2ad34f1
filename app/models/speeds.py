"""Speeds of running tasks, from counters that are sampled now and then."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from app.domain.ids import TaskId

_WEIGHT: Final = 0.35
"""How much the newest stretch counts; the rest is what was measured before."""
_SHORTEST_S: Final = 0.2


@dataclass(slots=True)
class _Seen:
    done_bytes: int
    at_s: float
    bytes_per_s: float | None = None


class SpeedMeter:
    """Turns byte counters into smooth speeds. Thread: one."""

    def __init__(self) -> None:
        self._seen: dict[TaskId, _Seen] = {}

    def note(self, task: TaskId, done_bytes: int, at_s: float) -> float | None:
        """Note a counter at a moment of a monotonic clock; return the speed, None before it can be told."""
        seen = self._seen.get(task)
        if seen is None or done_bytes < seen.done_bytes:
            self._seen[task] = _Seen(done_bytes, at_s)
            return None
        span_s = at_s - seen.at_s
        if span_s < _SHORTEST_S:
            return seen.bytes_per_s
        now = (done_bytes - seen.done_bytes) / span_s
        before = seen.bytes_per_s
        speed = now if before is None else before + _WEIGHT * (now - before)
        self._seen[task] = _Seen(done_bytes, at_s, speed)
        return speed

    def keep_only(self, tasks: Collection[TaskId]) -> None:
        """Forget every other task."""
        self._seen = {task: seen for task, seen in self._seen.items() if task in tasks}
