"""The ways in which a fragment may be packed: zlib, FastLZ, SkipZ (protocols page *NFC*, section 4).

Unpacking never takes more memory than the fragment's announced size, whatever the bytes claim.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from app.transport.errors import MalformedAnswer
from app.transport.nfc import fastlz
from app.transport.options import Compression

_PAIR = struct.Struct("<2I")
_ZLIB_LEVEL = 1
_GAP = re.compile(rb"\0{64,}")
"""Zeros between two runs that are worth the eight bytes of another run's head."""


def unpack_into(compression: Compression, packed: memoryview, target: memoryview) -> None:
    """Fill ``target`` with what the packed bytes decompress to.

    Raises:
        MalformedAnswer: they do not stand for exactly that many bytes.
    """
    _UNPACK[compression](packed, target)


def pack(compression: Compression, data: memoryview) -> bytes | None:
    """Return the bytes packed, or None when they would not shrink (or we cannot pack that way)."""
    if compression is Compression.ZLIB:
        packed = zlib.compress(data, _ZLIB_LEVEL)
    elif compression is Compression.SKIPZ:
        packed = _skipz(bytes(data))
    else:
        return None
    return packed if len(packed) < len(data) else None


def _plain(packed: memoryview, target: memoryview) -> None:
    if len(packed) != len(target):
        raise MalformedAnswer(f"{len(packed)} bytes for a fragment of {len(target)}")
    target[:] = packed


def _zlib(packed: memoryview, target: memoryview) -> None:
    decoder = zlib.decompressobj()
    try:
        data = decoder.decompress(packed, len(target) + 1)
    except zlib.error as error:
        raise MalformedAnswer(f"a zlib fragment is damaged: {error}") from error
    if len(data) != len(target) or not decoder.eof or decoder.unused_data:
        raise MalformedAnswer(f"a zlib fragment does not stand for {len(target)} bytes")
    target[:] = data


def _fastlz(packed: memoryview, target: memoryview) -> None:
    target[:] = fastlz.decompress(packed, len(target))


def _unskipz(packed: memoryview, target: memoryview) -> None:
    size = len(packed)
    if size < _PAIR.size:
        raise MalformedAnswer("a SkipZ fragment is cut short")
    total, _ = _PAIR.unpack_from(packed)
    if total != len(target):
        raise MalformedAnswer(f"a SkipZ fragment unpacks to {total} bytes instead of {len(target)}")
    position, filled = _PAIR.size, 0
    while position < size:
        if position + _PAIR.size > size:
            raise MalformedAnswer("a SkipZ fragment is cut short")
        offset, length = _PAIR.unpack_from(packed, position)
        position += _PAIR.size
        if offset < filled or offset + length > total or position + length > size:
            raise MalformedAnswer(f"a SkipZ run of {length} bytes at {offset} does not fit")
        target[filled:offset] = bytes(offset - filled)
        filled = offset + length
        target[offset:filled] = packed[position : position + length]
        position += length
    target[filled:] = bytes(total - filled)


def _skipz(data: bytes) -> bytes:
    parts = [_PAIR.pack(len(data), 0)]
    for start, end in _runs(data):
        parts += (_PAIR.pack(start, end - start), data[start:end])
    return b"".join(parts)


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges between long stretches of zeros."""
    position = 0
    for gap in _GAP.finditer(data):
        if gap.start() > position:
            yield position, gap.start()
        position = gap.end()
    if position < len(data):
        yield position, len(data)


_UNPACK: dict[Compression, Callable[[memoryview, memoryview], None]] = {
    Compression.NONE: _plain,
    Compression.ZLIB: _zlib,
    Compression.FASTLZ: _fastlz,
    Compression.SKIPZ: _unskipz,
}
