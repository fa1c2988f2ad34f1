"""Asking the engine one thing at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import QObject
from shiboken6 import isValid

from app.contract.base import Query
from app.workers.answers import Failure
from app.workers.door import DoorClient, OpenCall

R = TypeVar("R")


class Question:
    """Asks for an owner one query at a time, and once more where it was asked meanwhile. Thread: GUI."""

    def __init__(self, door: DoorClient, owner: QObject) -> None:
        """Prepare; nothing is asked yet.

        Args:
            door: the way to the engine.
            owner: for whom is asked; nothing is asked or answered once it is destroyed.
        """
        self._door = door
        self._owner = owner
        self._call: OpenCall | None = None
        self._next: Callable[[], OpenCall] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether an answer is on its way."""
        return self._call is not None

    @property
    def is_asked_again(self) -> bool:
        """Return whether it is asked once more: the answer that comes first is not the last."""
        return self._next is not None

    def ask(self, query: Query[R], on_done: Callable[[R], None], on_failed: Callable[[Failure], None]) -> None:
        """Ask; while an answer is on its way, once more afterwards, with the newest query and its callbacks."""
        self._next = partial(
            self._door.ask,
            query,
            owner=self._owner,
            on_done=partial(self._on_answered, on_done),
            on_failed=partial(self._on_answered, on_failed),
        )
        self._go_on()

    def ask_instead(
        self, query: Query[R], on_done: Callable[[R], None], on_failed: Callable[[Failure], None]
    ) -> None:
        """Ask in place of whatever was asked before, which is given up: of answers only this one follows."""
        self.withdraw()
        self.ask(query, on_done, on_failed)

    def withdraw(self) -> None:
        """Give it up: neither callback follows, and it can be asked again at once."""
        call, self._call, self._next = self._call, None, None
        if call is not None:
            call.cancel()

    def _on_answered(self, callback: Callable[[Any], None], answer: object) -> None:
        self._call = None
        callback(answer)
        self._go_on()

    def _go_on(self) -> None:
        if self._next is not None and self._call is None and isValid(self._owner):
            send, self._next = self._next, None
            self._call = send()
