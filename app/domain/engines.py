"""Engines: programs that work on a catalog, and when they were last heard of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.domain.moments import believed

HEARTBEAT_S: Final = 20.0
"""How often an engine says that it is alive."""
SILENT_AFTER: Final = timedelta(seconds=60)
"""An engine that did not report for this time cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBeat:
    """The heartbeat row of one engine."""

    id: str
    """A UUID, new at every start."""
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    ended_at: datetime | None = None
    """When it was closed in order; None while it runs, and after it was killed."""

    def is_alive(self, now: datetime) -> bool:
        """Return whether the engine can be taken to be running at ``now`` (aware UTC).

        A beat in the future was noted by a clock that was wrong: it says nothing of the present.
        """
        beat_at = believed(self.beat_at, now)
        return self.ended_at is None and beat_at is not None and now - beat_at <= SILENT_AFTER
