"""A door whose answers a test scripts, for pages that are tested without an engine."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from app.contract.base import Command, Query
from app.contract.tasks import SampleProgress, TasksProgress
from app.core.bus import EventBus
from app.domain.changes import Changed, Subject
from app.domain.errors import OperationalError
from app.domain.events import Event

R = TypeVar("R")
_PATIENCE_S = 10.0


class ScriptedDoor:
    """Answers requests by their type and notes every command. Thread: any.

    Attributes:
        executed: The commands that were given, oldest first.
        asked: The queries that were asked, oldest first; but not the samples of what runs.
    """

    def __init__(self) -> None:
        self._bus = EventBus()
        self._answers: dict[type, Callable[[Any], Any]] = {}
        self._change: Callable[[object], object] = lambda answer: answer
        self._lock = threading.Lock()
        self.executed: list[Command[Any]] = []
        self.asked: list[Query[Any]] = []
        self.answer(SampleProgress, TasksProgress(tasks=(), read_bytes_per_s=0.0))

    def answer(self, request: type, answer: object) -> None:
        """Answer requests of a type: with a value, with what a callable makes of the request, or with an error."""

        def reply(given: object) -> object:
            if isinstance(answer, OperationalError):
                raise answer
            return answer(given) if callable(answer) else answer

        self._answers[request] = reply

    def hold(self, request: type, which: Callable[[Any], bool] = lambda _: True) -> threading.Event:
        """Keep back the answers to requests of a type until the event is set; ``which`` chooses some of them."""
        gate, known = threading.Event(), self._answers[request]

        def reply(given: object) -> object:
            if which(given):
                gate.wait(_PATIENCE_S)
            return known(given)

        self._answers[request] = reply
        return gate

    def change_answers(self, change: Callable[[object], object]) -> None:
        """Let every answer pass through a function from now on."""
        self._change = change

    def publish(self, event: Event) -> None:
        """Publish an event as the engine would."""
        self._bus.publish(event)

    def change(self, subject: Subject, *keys: str) -> None:
        """Announce that answers about a subject, or about some keys of it, are different."""
        self.publish(Changed(at=datetime.now(UTC), subject=subject, keys=keys))

    def execute(self, command: Command[R]) -> R:
        with self._lock:
            self.executed.append(command)
        return cast(R, self._reply(command))

    def ask(self, query: Query[R]) -> R:
        with self._lock:
            if not isinstance(query, SampleProgress):
                self.asked.append(query)
        return cast(R, self._reply(query))

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        return self._bus.subscribe(listener)

    def _reply(self, request: object) -> object:
        known = self._answers.get(type(request))
        if known is None:
            raise OperationalError(detail=f"the test scripts no answer to {type(request).__name__}.")
        return self._change(known(request))
