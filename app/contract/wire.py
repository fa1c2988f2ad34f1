"""Commands, queries, answers and events as bytes: JSON by msgspec.

A caller in another process sends a request and gets a reply; events are sent to it one by one. The transport
(a local socket, later mutual TLS) is someone else's: everything here is bytes to values and back.
"""

from functools import cache, reduce
from importlib import import_module
from operator import or_
from pkgutil import iter_modules
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

import app.contract
from app.contract.base import Command, Query
from app.contract.door import Door
from app.contract.errors import ErrorRow, error_from
from app.domain import changes, engine_events
from app.domain.errors import OperationalError
from app.domain.events import Announcement, Event

R = TypeVar("R")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back for a request: the serialized answer, or why there is none."""

    answer: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorRow | None = None


class _EventEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    facts: msgspec.Raw


class UnreadableMessage(ValueError):
    """Bytes that are no request, reply or event of this version."""


# --- the engine's side -------------------------------------------------------------------------------------------


def reply_to(engine: Door, asked: Command[Any] | Query[Any]) -> bytes:
    """Carry out a request and return the serialized reply; errors are part of it."""
    try:
        if isinstance(asked, Query):
            answer = engine.ask(cast(Query[object], asked))
        else:
            answer = engine.execute(cast(Command[object], asked))
    except OperationalError as error:
        return refusal(error)
    return msgspec.json.encode(Reply(answer=msgspec.Raw(msgspec.json.encode(answer))))


def refusal(error: OperationalError) -> bytes:
    """Serialize the reply that a request got no answer."""
    return msgspec.json.encode(Reply(error=ErrorRow.of(error)))


def encode_event(event: Event) -> bytes:
    """Serialize an event."""
    facts = msgspec.Raw(msgspec.json.encode(event))
    return msgspec.json.encode(_EventEnvelope(event=type(event).__name__, facts=facts))


# --- the caller's side -------------------------------------------------------------------------------------------


def encode_request(request: Command[Any] | Query[Any]) -> bytes:
    """Serialize a command or a query."""
    return msgspec.json.encode(request)


def decode_request(data: bytes | bytearray) -> Command[Any] | Query[Any]:
    """Read a command or a query.

    Raises:
        UnreadableMessage: the bytes are neither.
    """
    try:
        return _request_decoder().decode(data)
    except msgspec.MsgspecError as error:
        raise UnreadableMessage(str(error)) from error


def decode_answer(request: Command[R] | Query[R], reply: bytes | bytearray) -> R:
    """Read the reply to a request.

    Raises:
        OperationalError: the engine could not answer; with the code, words and parameters of the engine's own.
        UnreadableMessage: the bytes are no reply to this request.
    """
    try:
        decoded = msgspec.json.decode(reply, type=Reply)
        if decoded.error is not None:
            raise error_from(decoded.error)
        answer: R = msgspec.json.decode(decoded.answer, type=answer_type(type(request)))
    except msgspec.MsgspecError as error:
        raise UnreadableMessage(str(error)) from error
    return answer


def decode_event(data: bytes | bytearray) -> Event:
    """Read an event.

    Raises:
        UnreadableMessage: the bytes are no event that is known here.
    """
    try:
        envelope = msgspec.json.decode(data, type=_EventEnvelope)
        kind = event_kinds()[envelope.event]
        event: Event = msgspec.json.decode(envelope.facts, type=kind)
    except (msgspec.MsgspecError, KeyError) as error:
        raise UnreadableMessage(str(error)) from error
    return event


@cache
def _request_decoder() -> msgspec.json.Decoder[Command[Any] | Query[Any]]:
    return msgspec.json.Decoder(reduce(or_, request_kinds()))


# --- types -------------------------------------------------------------------------------------------------------


def answer_type(request: type) -> Any:  # noqa: ANN401 - a type expression such as tuple[TaskRow, ...]
    """Return the ``R`` of ``Command[R]`` or ``Query[R]``."""
    for base in getattr(request, "__orig_bases__", ()):
        if get_origin(base) in (Command, Query):
            return get_args(base)[0]
    raise TypeError(f"{request.__name__} is neither a command nor a query")


@cache
def request_kinds() -> tuple[type[Command[Any] | Query[Any]], ...]:
    """Return every command and query, each declared in the module of its subject in ``app.contract``."""
    modules = [
        import_module(f"{app.contract.__name__}.{found.name}") for found in iter_modules(app.contract.__path__)
    ]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Command | Query) and value.__module__ == module.__name__
        if value not in (Command, Query)
    )


@cache
def event_kinds() -> dict[str, type[Event]]:
    """Return every kind of event that leaves an engine or its client, by its name."""
    found = [value for module in (changes, engine_events) for value in vars(module).values()]
    return {
        kind.__name__: kind
        for kind in found
        if isinstance(kind, type) and issubclass(kind, Announcement) and kind is not Announcement
    }
