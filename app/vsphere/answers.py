"""Answers from outside, bounded in bytes, depth and time of the whole, before anything is made of them.

What answers at a platform's address may be faulty, or an impostor. An answer without an end, one byte now and
then, a bomb of compressed blanks or a hundred thousand elements inside each other must end in an error that names
the platform, not in a console without memory or a task that never ends.
"""

import http.client
import io
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from pyVmomi.SoapAdapter import SoapDeserializer, SoapResponseDeserializer

from app.domain.messages import Message
from app.domain.reasons import http_reason
from app.vsphere.reasons import ANSWER_UNUSABLE

_PIECE_BYTES: Final = 1 << 16
_DTD: Final = b"<!DOCTYPE"
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, AssertionError, RecursionError, zlib.error)
"""What reading raises when an answer is XML, and not what it should be."""


class AnswerUnusable(Exception):
    """An answer is larger, deeper or slower than any right one, or is not what it says it is.

    Its text says what exactly.
    """

    def said(self) -> Message:
        """Return it as a message, with its text as details."""
        return ANSWER_UNUSABLE.fill(details=str(self))


class StatusRefused(http.client.HTTPException):
    """A web server answered with an HTTP status in place of what was asked for.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status

    def said(self) -> Message:
        """Return what the status means as a message."""
        return http_reason(self.status, str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLimits:
    """How much one answer may be."""

    wire_bytes: int = 256 << 20
    """With its head, as it comes from the network."""
    content_bytes: int = 512 << 20
    """Its body, when it is not compressed any more."""
    depth: int = 200
    """Elements inside each other; the deepest trees of vSphere, of snapshots, are 32 levels of two elements."""
    within_s: float = 300.0
    """From its first byte that is waited for to its last."""
    objects: int = 2_000_000
    """Over all pages of one question."""


LIMITS: Final = AnswerLimits()


class _TimedReads(io.RawIOBase):
    """The reading end of a socket, up to a moment and a number of bytes. Thread: one."""

    def __init__(self, raw: io.RawIOBase, connection: Any, limits: AnswerLimits) -> None:
        self._raw = raw
        self._connection = connection
        self._limits = limits
        self._patience_s: float | None = connection.gettimeout()
        self._until = time.monotonic() + limits.within_s
        self._left_bytes = limits.wire_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the answer did not end within {self._limits.within_s:g} s")
        self._connection.settimeout(left_s if self._patience_s is None else min(self._patience_s, left_s))
        count = cast(int | None, self._raw.readinto(buffer))
        self._left_bytes -= count or 0
        if self._left_bytes < 0:
            raise AnswerUnusable(f"the answer is larger than {self._limits.wire_bytes >> 20} MiB")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def bounded_response(limits: AnswerLimits) -> Callable[..., http.client.HTTPResponse]:
    """Return what ``http.client`` makes its responses with, so that each is bounded from its first byte."""

    def make(connection: Any, *arguments: Any, **named: Any) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(connection, *arguments, **named)
        raw = response.fp.detach()
        response.fp = io.BufferedReader(_TimedReads(raw, connection, limits))
        return response

    return make


class Readable(Protocol):
    """The body of an answer, or a file that stands for one."""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, fewer at the end only; all without a size."""
        ...


class Content:
    """The body of an answer, inflated where it is compressed, bounded, and without a document type. Thread: one.

    A document type brings entities that grow when they are read; SOAP forbids it (SOAP 1.1, section 3).
    """

    def __init__(self, response: http.client.HTTPResponse, limits: AnswerLimits = LIMITS) -> None:
        """Begin to read.

        Raises:
            AnswerUnusable: it comes in a way that no one asked for.
        """
        encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise AnswerUnusable("the answer is compressed in a way that was not asked for")
        self._limits = limits
        self._left_bytes = limits.content_bytes
        self._end = b""
        self._pieces = iter(lambda: response.read(_PIECE_BYTES), b"")
        if encoding == "gzip":
            self._pieces = _inflated(self._pieces)
        self._waiting = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, fewer at the end only; all without a size.

        Raises:
            AnswerUnusable: it is larger than the limit, or holds what no answer may hold.
            OSError, http.client.HTTPException: the connection broke.
        """
        parts, length = [self._waiting], len(self._waiting)
        while size < 0 or length < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._look(piece)
            parts.append(piece)
            length += len(piece)
        data = b"".join(parts)
        end = length if size < 0 else size
        self._waiting = data[end:]
        return data[:end]

    def _look(self, piece: bytes) -> None:
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            raise AnswerUnusable(f"the answer is larger than {self._limits.content_bytes >> 20} MiB")
        if b"\0" in piece or _DTD in self._end + piece:
            raise AnswerUnusable("the answer is no SOAP: it brings a document type, or is not UTF-8")
        self._end = piece[1 - len(_DTD) :]


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(zlib.MAX_WBITS + 16)
    for piece in pieces:
        waiting = piece
        while waiting and not inflater.eof:
            inflated = inflater.decompress(waiting, _PIECE_BYTES)
            waiting = inflater.unconsumed_tail
            if inflated:
                yield inflated


class _Shallow(SoapDeserializer):
    """pyVmomi's reader of objects, down to a depth."""

    def __init__(self, stub: Any, depth: int) -> None:
        super().__init__(stub)  # type: ignore[no-untyped-call]  # pyVmomi has no types
        self._depth = depth

    def StartElementHandler(self, tag: str, attr: Any) -> None:  # noqa: N802 - pyVmomi's name
        if len(self.stack) >= self._depth:
            raise AnswerUnusable(f"the answer is nested deeper than {self._depth} elements")
        super().StartElementHandler(tag, attr)  # type: ignore[no-untyped-call]


def deserialized(stub: Any, content: Readable, result_type: Any, limits: AnswerLimits = LIMITS) -> Any:
    """Return the object of an answer as pyVmomi reads it.

    Raises:
        AnswerUnusable: it is no object that this program knows, or nested too deep.
        xml.parsers.expat.ExpatError: it is not XML.
    """
    reader = SoapResponseDeserializer(stub)
    reader.deser = _Shallow(stub, limits.depth)
    return reader.Deserialize(content, result_type)


@contextmanager
def reading_an_answer() -> Iterator[None]:
    """Turn what a wrong answer makes a reader raise into one error.

    Raises:
        AnswerUnusable: the answer is not what it should be.
    """
    try:
        yield
    except (UnicodeError, TimeoutError):
        raise
    except _UNREADABLE as error:
        raise AnswerUnusable(f"the answer cannot be read: {str(error)[:200] or type(error).__name__}") from error
