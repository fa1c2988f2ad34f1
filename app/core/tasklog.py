"""The log of a task, as a port: what the operator reads about one run."""

from typing import Protocol

from app.domain.messages import MessageKind


class TaskLog(Protocol):
    """Writes lines to a task's log. Thread: any."""

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Write a normal line."""
        ...

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Write a warning."""
        ...

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Write an error."""
        ...


class SilentLog:
    """Fulfils :class:`TaskLog` for what has no reader. Thread: any."""

    def info(self, kind: MessageKind, /, **params: object) -> None:
        """Forget a line."""

    def warning(self, kind: MessageKind, /, **params: object) -> None:
        """Forget a line."""

    def error(self, kind: MessageKind, /, **params: object) -> None:
        """Forget a line."""
