"""What the engine remembers of itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.domain.engines import EngineBeat


class EngineStore(Protocol):
    """Remembers heartbeats. Thread: any."""

    def begin(self, beat: EngineBeat) -> None:
        """Remember an engine that starts."""
        ...

    def beat(self, engine: str, at: datetime) -> None:
        """Note that one is alive."""
        ...

    def end(self, engine: str, at: datetime) -> None:
        """Note that one was closed in order."""
        ...

    def all(self) -> Sequence[EngineBeat]:
        """Return every one, the one heard of last first."""
        ...


class SettingsStore(Protocol):
    """Remembers what the operator sets while the program runs, as documents without secrets. Thread: any."""

    def get(self, name: str) -> str | None:
        """Return a document, or None when it was never kept."""
        ...

    def note_unreadable(self, name: str, reason: str) -> None:
        """Note that what is in a document cannot be read by its owner."""
        ...

    def put(self, name: str, body: str) -> None:
        """Keep a document in the place of the one of its name."""
        ...
