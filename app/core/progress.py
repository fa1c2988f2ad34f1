"""Quantities of a running task: counters that a timer samples, never events."""

import threading

from app.domain.progress import ProgressSample


class Progress:
    """Counters that worker threads add to and a timer samples.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = self._done = self._read = self._written = 0
        self._source = self._processing = self._target = 0.0
        self._platform_percent: int | None = None

    def expect(self, total_bytes: int) -> None:
        """Add to the bytes that have to be moved in all."""
        with self._lock:
            self._total += total_bytes

    def advance(self, *, done_bytes: int = 0, read_bytes: int = 0, written_bytes: int = 0) -> None:
        """Add moved bytes."""
        with self._lock:
            self._done += done_bytes
            self._read += read_bytes
            self._written += written_bytes

    def busy(self, *, source_s: float = 0.0, processing_s: float = 0.0, target_s: float = 0.0) -> None:
        """Add seconds in which a stage worked; they show where the bottleneck is."""
        with self._lock:
            self._source += source_s
            self._processing += processing_s
            self._target += target_s

    def show_platform(self, percent: int | None) -> None:
        """Show how far the platform is with what it does for the task alone; None: with nothing, or unknown."""
        with self._lock:
            self._platform_percent = percent

    def sample(self) -> ProgressSample:
        """Return the counters as they are now."""
        with self._lock:
            return ProgressSample(
                total_bytes=self._total,
                done_bytes=self._done,
                read_bytes=self._read,
                written_bytes=self._written,
                source_busy_s=self._source,
                processing_busy_s=self._processing,
                target_busy_s=self._target,
                platform_percent=self._platform_percent,
            )
