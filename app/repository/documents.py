"""JSON documents with a checksum over their exact bytes.

A document is one line, ``{"checksum":"<64 hex digits>","document":<body>}``: the checksum is the BLAKE3-256 of
the body's bytes as they stand there, so that no reader has to agree on a canonical form.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from blake3 import blake3

from app.repository.files import Displaced, read_bounded

_HEAD = b'{"checksum":"'
_MIDDLE = b'","document":'
_TAIL = b"}\n"
_BODY_AT = len(_HEAD) + 64 + len(_MIDDLE)

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="deterministic")


def encode_document(value: object) -> bytes:
    """Write a msgspec structure as a document."""
    body = _encoder.encode(value)
    return b"".join((_HEAD, blake3(body).hexdigest().encode(), _MIDDLE, body, _TAIL))


def document_body(data: bytes) -> bytes:
    """Return the body of a document whose checksum holds.

    Raises:
        ValueError: the bytes are not a document, or were changed.
    """
    whole = (
        len(data) >= _BODY_AT + len(_TAIL)
        and data.startswith(_HEAD)
        and data[_BODY_AT - len(_MIDDLE) : _BODY_AT] == _MIDDLE
        and data.endswith(_TAIL)
    )
    if not whole:
        raise ValueError("not a document of a repository, or torn")
    body = data[_BODY_AT : -len(_TAIL)]
    if blake3(body).hexdigest().encode() != data[len(_HEAD) : len(_HEAD) + 64]:
        raise ValueError("the checksum does not match")
    return body


def decode_document(data: bytes, kind: type[T]) -> T:
    """Read a document into a msgspec structure.

    Raises:
        ValueError: the bytes are not such a document, or were changed.
    """
    try:
        return msgspec.json.decode(document_body(data), type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"unexpected content: {error}") from error


def is_newer(data: bytes, known: int) -> bool:
    """Return whether a document is whole and has a format above the known one."""
    try:
        return format_of(data) > known
    except ValueError:
        return False


def newer_documents(paths: Iterable[Path], longest_bytes: int, known: int) -> list[str]:
    """Return which files have a format above the known one, each by its name and its directory's.

    Raises:
        OSError: the standby cannot be read.
    """
    found: list[str] = []
    for path in paths:
        with suppress(FileNotFoundError, ValueError, Displaced):
            if is_newer(read_bounded(path, longest_bytes), known):
                found.append(f"{path.parent.name}/{path.name}")
    return found


def format_of(data: bytes) -> int:
    """Return the format number of a document, whatever else is in it.

    Raises:
        ValueError: the bytes are not a document, or name no format.
    """
    found = decode_document(data, dict[str, Any]).get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError("no format number")
    return found
