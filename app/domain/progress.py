"""How far a task is, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressSample:
    """The counters of one task at one moment. All bytes and seconds count from the task's start."""

    total_bytes: int
    done_bytes: int
    read_bytes: int
    """Bytes that came from the production host (or, in a restore, from the repository)."""
    written_bytes: int
    """Bytes that went to the target: the repository's disk, or the restored VM."""
    source_busy_s: float
    processing_busy_s: float
    target_busy_s: float
    platform_percent: int | None = None
    """How far the platform is with what it does for the task alone, such as removing a snapshot."""

    @property
    def fraction(self) -> float:
        """Part of the work that is done, 0 to 1; 0 while the total is unknown."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0

    def seconds_left(self, bytes_per_s: float | None) -> float | None:
        """Return how long the rest takes at this speed; None when that is not known."""
        if not bytes_per_s or self.total_bytes <= 0 or self.done_bytes >= self.total_bytes:
            return None
        return (self.total_bytes - self.done_bytes) / bytes_per_s


def fraction_of(samples: Iterable[ProgressSample]) -> float | None:
    """Return the part that is done of several tasks together; None without tasks."""
    running = list(samples)
    total = sum(sample.total_bytes for sample in running)
    if not running:
        return None
    return min(1.0, sum(sample.done_bytes for sample in running) / total) if total else 0.0
