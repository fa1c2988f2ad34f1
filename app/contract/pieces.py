"""Long answers read piece by piece.

The decoder keeps the interpreter for itself until it is done: a list of 64 MiB, read at once on whatever thread,
would stop a window for the better part of a second. Cut into pieces at the borders of its items, it stops it for
no longer than one piece takes.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from app.contract.base import Command, Query
from app.contract.wire import UnreadableMessage, answer_type, decode_answer

R = TypeVar("R")

PIECE_BYTES = 32 * 1024
_LIST_BEGINS = b'{"answer":['
_LIST_ENDS = b'],"error":null}'
_TO_NEXT_BRACKET = re.compile(rb'[^][{}"]*+(?:"(?:[^"\\]|\\.)*+"[^][{}"]*+)*+([][{}])', re.DOTALL)
"""Up to the next bracket that stands in no string."""
_TO_NEXT_MARK = re.compile(rb'[^][{}",]*+(?:"(?:[^"\\]|\\.)*+"[^][{}",]*+)*+([][{},])', re.DOTALL)
"""The same, where a comma ends it too."""


def decode_long_answer(request: Command[R] | Query[R], reply: bytes | bytearray) -> R:
    """Read a reply as :func:`app.contract.wire.decode_answer` does, without keeping other threads waiting.

    Raises:
        OperationalError: the engine could not answer.
        UnreadableMessage: the bytes are no reply to this request.
    """
    kind = answer_type(type(request))
    if get_origin(kind) is not tuple or get_args(kind)[1:] != (...,) or not reply.startswith(_LIST_BEGINS):
        return decode_answer(request, reply)
    decoder: msgspec.json.Decoder[tuple[Any, ...]] = msgspec.json.Decoder(kind)
    rows: list[Any] = []
    try:
        for piece in cut_list(reply, len(_LIST_BEGINS), PIECE_BYTES):
            rows += decoder.decode(b"[" + piece + b"]")
    except msgspec.MsgspecError as error:
        raise UnreadableMessage(str(error)) from error
    answer: R = tuple(rows)  # type: ignore[assignment]  # R is the tuple that the request names
    return answer


def cut_list(reply: bytes | bytearray, start: int, piece_bytes: int) -> Iterator[bytes]:
    """Yield the items of a JSON list in pieces, each of at least so many bytes but the last.

    Args:
        reply: a reply whose answer is a list.
        start: where the list's first item begins.
        piece_bytes: how long a piece is at least; an item is never cut.

    Raises:
        UnreadableMessage: it is not a list that ends with its reply.
    """
    begin = at = start
    depth = 0
    while True:
        found = (_TO_NEXT_BRACKET if depth else _TO_NEXT_MARK).match(reply, at)
        if found is None:
            raise UnreadableMessage("a list has no end")
        at = found.end()
        mark = found.group(1)
        if mark in b"[{":
            depth += 1
        elif mark != b",":
            depth -= 1
            if depth < 0:
                break
        elif at - begin > piece_bytes:
            yield bytes(reply[begin : at - 1])
            begin = at
    if bytes(reply[at - 1 :]) != _LIST_ENDS:
        raise UnreadableMessage("a list does not end with its reply")
    yield bytes(reply[begin : at - 1])
