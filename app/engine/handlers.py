"""The desks of the engine's door: each answers the commands and queries about one subject.

A desk is an object with :meth:`Desk.handlers`; :func:`handler_table` puts all of them together and finds two desks
that answer the same. The engine builds the desks and knows nothing of what they answer.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

Handler = Callable[[Any], Any]
"""Takes a command or a query of one type and returns its answer."""


class Desk(Protocol):
    """Answers requests about one subject. Thread: any."""

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what: the type of a command or query, and its handler."""
        ...


def handler_table(desks: Iterable[Desk]) -> dict[type, Handler]:
    """Put the handlers of all desks together.

    Raises:
        ValueError: two desks answer the same request.
    """
    table: dict[type, Handler] = {}
    for desk in desks:
        for request, handler in desk.handlers().items():
            if request in table:
                raise ValueError(f"two desks answer {request.__name__}")
            table[request] = handler
    return table
