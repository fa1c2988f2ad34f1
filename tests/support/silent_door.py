"""A door behind which nobody is: for widgets that are tested without an engine."""

from collections.abc import Callable
from typing import TypeVar

from app.domain.errors import OperationalError
from app.domain.events import Event
from app.engine.commands import Command
from app.engine.queries import Query

R = TypeVar("R")


class SilentDoor:
    """Answers every request with an error and never tells an event."""

    def execute(self, command: Command[R]) -> R:
        raise OperationalError(detail=f"nobody carries out {type(command).__name__}.")

    def ask(self, query: Query[R]) -> R:
        raise OperationalError(detail=f"nobody answers {type(query).__name__}.")

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        def unsubscribe() -> None:
            return None

        return unsubscribe
