"""Answers on their way to their askers, on the GUI thread."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid

from app.domain.errors import OperationalError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that is no :class:`OperationalError`: a mistake of ours, reported with its kind only."""

    kind: str
    detail: str


Failure = OperationalError | Bug


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: a value, or with ``failure`` set what went wrong."""

    value: object
    failure: Failure | None = None


def failed_with(error: BaseException) -> Answer:
    """Return the answer of a call that raised; a mistake of ours is written to the program's log. Thread: any."""
    if isinstance(error, OperationalError):
        return Answer(None, error)
    _log.error("a request of the window failed", exc_info=error)
    return Answer(None, Bug(type(error).__name__, str(error)))


@dataclass(slots=True)
class Waiting:
    """Who waits for an answer."""

    owner: QObject
    on_done: Callable[[Any], None]
    on_failed: Callable[[Failure], None]
    held: object = None
    """Kept until the answer is here, so that what it refers to never ends on another thread."""
    withdraw: Callable[[], None] = lambda: None
    is_given_up: bool = False


class Answers(QObject):
    """Joins answers to those who wait for them, while they live. Thread: GUI, but for :meth:`deliver`.

    What is asked for an owner that is destroyed is withdrawn, and its answer is dropped.
    """

    _arrived = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[int, Waiting] = {}
        self._answers: dict[int, Answer] = {}
        self._watched: WeakSet[QObject] = WeakSet()
        self._number = 0
        self._is_closed = False
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    @property
    def is_closed(self) -> bool:
        """Return whether answers are no longer delivered."""
        return self._is_closed

    def owners(self) -> list[QObject]:
        """Return who waits, one for each answer."""
        return [
            waiting.owner
            for waiting in self._waiting.values()
            if not waiting.is_given_up and isValid(waiting.owner)
        ]

    def expect(self, waiting: Waiting) -> int:
        """Remember who waits; return the number that its answer bears."""
        self._number += 1
        self._waiting[self._number] = waiting
        if waiting.owner not in self._watched:
            self._watched.add(waiting.owner)
            waiting.owner.destroyed.connect(self._on_owner_destroyed)
        return self._number

    def put(self, number: int, answer: Answer) -> None:
        """Keep an answer until it is delivered. Thread: any."""
        self._answers[number] = answer

    def deliver(self, number: int) -> None:
        """Let the GUI thread hand an answer over. Thread: any."""
        self._arrived.emit(number)

    def withdraw(self, number: int) -> None:
        """Give a request up; its answer is dropped."""
        waiting = self._waiting.get(number)
        if waiting is None:
            return
        waiting.is_given_up = True
        if waiting.held is None:
            del self._waiting[number]
            waiting.withdraw()

    def close(self) -> None:
        """Withdraw everything, and hand nothing over any more."""
        self._is_closed = True
        for number in tuple(self._waiting):
            self.withdraw(number)
        # Owners may outlive this: their end must not reach what is left of it.
        for owner in self._watched:
            if isValid(owner):
                owner.destroyed.disconnect(self._on_owner_destroyed)
        self._watched.clear()

    @Slot(int)
    def _on_arrived(self, number: int) -> None:
        waiting, answer = self._waiting.pop(number, None), self._answers.pop(number, None)
        if waiting is None or answer is None or waiting.is_given_up or not isValid(waiting.owner):
            return
        if answer.failure is not None:
            waiting.on_failed(answer.failure)
        else:
            waiting.on_done(answer.value)

    @Slot()
    def _on_owner_destroyed(self) -> None:
        gone = [number for number, waiting in self._waiting.items() if not isValid(waiting.owner)]
        for number in gone:
            self.withdraw(number)
