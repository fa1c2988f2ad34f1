"""How fast tasks read: the one definition of speed, for every row, chart and status bar."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from app.domain.ids import TaskId

WINDOW_S: Final = 10.0
"""Speed is what was read from the source in the last ten seconds, divided by that time."""
_SHORTEST_S: Final = 0.5
"""From this long on a task that has just begun has a speed."""


class _Window:
    """Counters of the last seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, at_s: float, read_bytes: int) -> None:
        """Add a counter, and drop those that are older than the window needs; after a pause it begins anew."""
        if self._marks and at_s - self._marks[-1][0] > WINDOW_S:
            self._marks.clear()
        self._marks.append((at_s, read_bytes))
        while len(self._marks) > 1 and self._marks[1][0] <= at_s - WINDOW_S:
            self._marks.popleft()

    def speed(self) -> float | None:
        """Return bytes per second over the window; None before that is known."""
        if not self._marks:
            return None
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_s - first_s) if last_s - first_s >= _SHORTEST_S else None


class Speeds:
    """Knows how fast each running task reads from its source, and all of them together. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[TaskId, _Window] = {}
        self._all = _Window()

    def note(self, at_s: float, read_bytes: Mapping[TaskId, int], total_bytes: int) -> None:
        """Take the counters of the running tasks at a moment of a stopwatch.

        Args:
            at_s: when.
            read_bytes: what each has read since its start.
            total_bytes: what all tasks have read since the program's start, also those that have ended.
        """
        with self._lock:
            self._tasks = {task: self._tasks.get(task) or _Window() for task in read_bytes}
            for task, count in read_bytes.items():
                self._tasks[task].note(at_s, count)
            self._all.note(at_s, total_bytes)

    def of(self, task: TaskId) -> float | None:
        """Return the bytes per second of a running task; None when that is not known."""
        with self._lock:
            window = self._tasks.get(task)
            return None if window is None else window.speed()

    def of_each(self, tasks: Iterable[TaskId]) -> dict[TaskId, float]:
        """Return the bytes per second of those tasks of which it is known."""
        return {task: speed for task in tasks if (speed := self.of(task)) is not None}

    def total(self) -> float:
        """Return the bytes per second of all tasks together."""
        with self._lock:
            return self._all.speed() or 0.0
