"""The compressions of fragments: none, zlib, FastLZ and SkipZ (protocols page *NFC*, section 4).

SkipZ leaves zeros out: u32 total length, u32 0, then for each run that is not zero u32 offset, u32 length and the
bytes.
"""

import struct
import zlib
from enum import IntEnum

import numpy as np

from app.simulator.nfc import fastlz

_SKIPZ_HEADER = struct.Struct("<II")
_BLOCK_BYTES = 512
_ZLIB_LEVEL = 1


class Compression(IntEnum):
    """How a fragment's bytes travel."""

    NONE = 0
    ZLIB = 1
    FASTLZ = 2
    SKIPZ = 3


class BadFragment(ValueError):
    """The bytes of a fragment cannot be what they claim to be."""


def encode(compression: Compression, data: memoryview) -> bytes | None:
    """Compress a fragment; None when it doesn't shrink, so that it travels as it is."""
    if compression is Compression.ZLIB:
        encoded = zlib.compress(data, _ZLIB_LEVEL)
    elif compression is Compression.FASTLZ:
        encoded = fastlz.compress(data)
    elif compression is Compression.SKIPZ:
        encoded = _skip_zeros(data)
    else:
        return None
    return encoded if len(encoded) < len(data) else None


def decode(compression: int, data: memoryview, plain_bytes: int) -> bytes | memoryview:
    """Return the plain bytes of a fragment.

    Raises:
        BadFragment: they are damaged, of another length, or the compression is unknown.
    """
    try:
        plain = _decode(compression, data, plain_bytes)
    except (zlib.error, struct.error, ValueError) as error:
        raise BadFragment(str(error)) from error
    if len(plain) != plain_bytes:
        raise BadFragment(f"{len(plain)} bytes instead of {plain_bytes}")
    return plain


def _decode(compression: int, data: memoryview, plain_bytes: int) -> bytes | memoryview:
    if compression == Compression.NONE:
        return data
    if compression == Compression.ZLIB:
        return zlib.decompressobj().decompress(data, plain_bytes + 1)
    if compression == Compression.FASTLZ:
        return fastlz.decompress(data, plain_bytes)
    if compression == Compression.SKIPZ:
        return _fill_in_zeros(data, plain_bytes)
    raise BadFragment(f"unknown compression {compression}")


def _skip_zeros(data: memoryview) -> bytes:
    padded = np.zeros(-(-len(data) // _BLOCK_BYTES) * _BLOCK_BYTES, dtype=np.uint8)
    padded[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    used = padded.reshape(-1, _BLOCK_BYTES).any(axis=1)
    borders = np.flatnonzero(np.diff(used, prepend=False, append=False)).tolist()
    parts: list[bytes | memoryview] = [_SKIPZ_HEADER.pack(len(data), 0)]
    for first, end in zip(borders[::2], borders[1::2], strict=True):
        run = data[first * _BLOCK_BYTES : end * _BLOCK_BYTES]
        parts += [_SKIPZ_HEADER.pack(first * _BLOCK_BYTES, len(run)), run]
    return b"".join(parts)


def _fill_in_zeros(data: memoryview, plain_bytes: int) -> bytes:
    total, _ = _SKIPZ_HEADER.unpack_from(data)
    if total != plain_bytes:
        raise BadFragment(f"{total} bytes instead of {plain_bytes}")
    plain = bytearray(total)
    position = _SKIPZ_HEADER.size
    while position < len(data):
        offset, length = _SKIPZ_HEADER.unpack_from(data, position)
        position += _SKIPZ_HEADER.size
        run = data[position : position + length]
        if len(run) != length or offset + length > total:
            raise BadFragment("a run is outside of the fragment")
        plain[offset : offset + length] = run
        position += length
    return bytes(plain)
