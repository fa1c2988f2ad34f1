"""Decompresses FastLZ.

A block is a row of instructions; the top three bits of an instruction's first byte separate literals (0) from
matches, those of the block's first byte give the level (0: level 1, 1: level 2). Written from the public
description of the block format.
"""

from app.transport.errors import MalformedAnswer

_LEVEL_2_FAR = 8191
"""Distance from which level 2 spends two more bytes."""


def decompress(data: bytes | bytearray | memoryview, size_bytes: int) -> bytearray:
    """Return the ``size_bytes`` that a block decompresses to; never holds more than that.

    Raises:
        MalformedAnswer: the block is cut short, points outside of itself, or stands for another size.
    """
    block = bytes(data)
    if not block:
        raise MalformedAnswer("an empty FastLZ block")
    level = (block[0] >> 5) + 1
    if level > 2:
        raise MalformedAnswer(f"FastLZ level {level} does not exist")
    out = bytearray()
    control, position = block[0] & 31, 1
    try:
        while True:
            if control < 32:
                position = _copy_literals(block, position, control + 1, out)
            else:
                length, distance, position = _match(block, position, control, level)
                _copy_match(out, distance, length, size_bytes)
            if len(out) > size_bytes:
                raise MalformedAnswer(f"a FastLZ block unpacks to more than {size_bytes} bytes")
            if position >= len(block):
                break
            control = block[position]
            position += 1
    except IndexError as error:
        raise MalformedAnswer("a FastLZ block is cut short") from error
    if len(out) != size_bytes:
        raise MalformedAnswer(f"a FastLZ block unpacks to {len(out)} bytes instead of {size_bytes}")
    return out


def _copy_literals(block: bytes, position: int, count: int, out: bytearray) -> int:
    end = position + count
    if end > len(block):
        raise IndexError
    out += block[position:end]
    return end


def _match(block: bytes, position: int, control: int, level: int) -> tuple[int, int, int]:
    """Return length, distance and the position behind a match; IndexError when it is cut short."""
    length = (control >> 5) + 2
    if control >> 5 == 7:
        while True:
            more = block[position]
            position += 1
            length += more
            if level == 1 or more != 255:
                break
    low = block[position]
    position += 1
    distance = ((control & 31) << 8) + low + 1
    if level == 2 and distance == _LEVEL_2_FAR + 1:
        distance += (block[position] << 8) + block[position + 1]
        position += 2
    return length, distance, position


def _copy_match(out: bytearray, distance: int, length: int, size_bytes: int) -> None:
    start = len(out) - distance
    if start < 0:
        raise MalformedAnswer("a FastLZ match points before the start")
    if len(out) + length > size_bytes:
        raise MalformedAnswer(f"a FastLZ block unpacks to more than {size_bytes} bytes")
    if distance >= length:
        out += out[start : start + length]
    else:
        pattern = bytes(out[start:])
        out += (pattern * (length // distance + 1))[:length]
