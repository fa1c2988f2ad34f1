"""The door as everyone outside sees it, wherever the engine is."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from app.contract.base import Command, Query
from app.domain.events import Event

R = TypeVar("R")


class Door(Protocol):
    """Fulfilled by :class:`app.engine.engine.Engine` in this process and by ``app.engine.door`` to another.

    Thread: any.
    """

    def execute(self, command: Command[R]) -> R:
        """Carry a command out.

        Raises:
            OperationalError: it could not be. :class:`app.contract.errors.EngineAway` leaves open whether a
                command that was under way had its effect.
        """
        ...

    def ask(self, query: Query[R]) -> R:
        """Answer a query.

        Raises:
            OperationalError: it could not be answered.
        """
        ...

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call a listener for every event from now on, on some thread; return the function that ends it."""
        ...
