"""Stand-ins for ports of the core that tests turn by hand."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.domain.messages import Message, MessageKind


class TurnableClock:
    """A clock that stands still until a test turns it; sleeping turns it.

    Thread: any.
    """

    def __init__(self, start: datetime = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._monotonic_s = 1_000.0

    def now(self) -> datetime:
        """Return the time it was turned to."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        with self._lock:
            return self._monotonic_s

    def sleep(self, seconds: float) -> None:
        """Turn the clock instead of waiting."""
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic_s += seconds

    def jump(self, by: timedelta) -> None:
        """Set the time as an operator or NTP does: no time passes."""
        with self._lock:
            self._now += by


@dataclass
class RecordingTaskLog:
    """A task's log that keeps its lines as (level, kind, filled text)."""

    lines: list[tuple[str, MessageKind, str]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    """The same lines as messages, with what others said as their details."""

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Keep a normal line."""
        self._add("info", kind, params)

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Keep a warning."""
        self._add("warning", kind, params)

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Keep an error."""
        self._add("error", kind, params)

    def _add(self, level: str, kind: MessageKind, params: dict[str, object]) -> None:
        message = kind.fill(**params)
        self.messages.append(message)
        self.lines.append((level, kind, str(message)))

    def kinds(self) -> list[MessageKind]:
        """Return the kinds of the lines, oldest first."""
        return [kind for _, kind, _ in self.lines]

    def text(self) -> str:
        """Return all lines, one per row."""
        return "\n".join(f"{level}: {text}" for level, _, text in self.lines)


class NullTaskLog:
    """A log no one reads, for work outside a task."""

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Check the parameters and forget them."""
        kind.fill(**params)

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Check the parameters and forget them."""
        kind.fill(**params)

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Check the parameters and forget them."""
        kind.fill(**params)
