"""Answers to reads that a host should never give; a client has to notice each (protocols page *NFC*, 4a.22)."""

import struct

from app.simulator.nfc import wire
from app.simulator.nfc.answers import Spoil
from app.simulator.nfc.codecs import Compression
from app.simulator.nfc.transfer import ReadOrder

_SKIPZ_HEAD = struct.Struct("<4I")


def spoilt_answer(order: ReadOrder, how: Spoil, fragment_bytes: int) -> bytes:
    """Return a spoilt answer to a read, with true bytes where it has any."""
    length = min(order.length_bytes, fragment_bytes)
    data = bytearray(length)
    order.readinto(0, memoryview(data))
    if how is Spoil.OUT_OF_RANGE:
        return _fragment(order, order.length_bytes, data)
    if how is Spoil.OVERLAP:
        half = data[: max(1, length // 2)]
        return _fragment(order, 0, half) * 2
    if how is Spoil.WRONG_LENGTH:
        return _fragment(order, 0, data + bytes(512), plain_bytes=length)
    if how is Spoil.BAD_ZLIB:
        return _fragment(order, 0, b"no zlib at all", plain_bytes=length, compression=Compression.ZLIB)
    outside = _SKIPZ_HEAD.pack(length, 0, length, 8) + bytes(8)
    return _fragment(order, 0, outside, plain_bytes=length, compression=Compression.SKIPZ)


def _fragment(
    order: ReadOrder,
    start: int,
    extra: bytes | bytearray,
    *,
    plain_bytes: int | None = None,
    compression: Compression = Compression.NONE,
) -> bytes:
    frame = bytearray(wire.IO_HEADER_BYTES)
    wire.Fragment(
        handle=0,
        operation=wire.OP_READ,
        compression=compression,
        offset=order.offset,
        total_bytes=order.length_bytes,
        fragment_offset=start,
        plain_bytes=len(extra) if plain_bytes is None else plain_bytes,
        extra_bytes=len(extra),
    ).pack_frame_into(frame, 0, order.op_id)
    return bytes(frame) + bytes(extra)
