"""Handlers: the methods that answer the commands and queries of the contract.

A method is marked with the request that it answers, next to the class of its subject::

    class TaskHandlers:
        @handles(StartBackup)
        def _start_backup(self, command: StartBackup) -> TaskId: ...

mypy holds the parameter against the request and the return type against what the contract promises for it.
:func:`handler_table` collects the marked methods of all objects, so that a new command needs its class in
``app.contract`` and its handler, and no entry anywhere else.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, overload

from app.contract.base import Command, Query

S = TypeVar("S")
R = TypeVar("R")
Request = Command[Any] | Query[Any]
Q_co = TypeVar("Q_co", bound=Request, covariant=True)

Handler = Callable[[Any], Any]
"""Takes a command or a query of one type and returns its answer."""

_MARK = "handled_request"


class _Mark(Generic[Q_co]):
    """Marks a method with a request; the type parameters let mypy compare the two."""

    def __init__(self, request: type[Q_co]) -> None:
        self._request = request

    @overload
    def __call__(self: "_Mark[Command[R]]", method: Callable[[S, Q_co], R]) -> Callable[[S, Q_co], R]: ...

    @overload
    def __call__(self: "_Mark[Query[R]]", method: Callable[[S, Q_co], R]) -> Callable[[S, Q_co], R]: ...

    def __call__(self, method: Callable[[S, Q_co], Any]) -> Callable[[S, Q_co], Any]:
        setattr(method, _MARK, self._request)
        return method


def handles(request: type[Q_co]) -> _Mark[Q_co]:
    """Mark a method as the handler of a command or query.

    The method takes the request as its only argument and returns what the contract promises for it; what it raises
    reaches the caller.
    """
    return _Mark(request)


def handler_table(subjects: Iterable[object]) -> dict[type[Request], Handler]:
    """Return the handler of each request, collected from the marked methods of some objects.

    Raises:
        ValueError: two methods are marked with the same request, or an object has none that is marked.
    """
    table: dict[type[Request], Handler] = {}
    for subject in subjects:
        found = list(_marked_methods(subject))
        if not found:
            raise ValueError(f"{type(subject).__name__} handles no request")
        for request, handler in found:
            if request in table:
                raise ValueError(f"{request.__name__} has two handlers")
            table[request] = handler
    return table


def _marked_methods(subject: object) -> Iterator[tuple[type[Request], Handler]]:
    for name in dir(type(subject)):
        request = getattr(getattr(type(subject), name), _MARK, None)
        if request is not None:
            yield request, getattr(subject, name)
