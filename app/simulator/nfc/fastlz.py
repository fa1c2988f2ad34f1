"""The FastLZ block format, in plain Python: reading levels 1 and 2, writing level 1.

A block is a sequence of instructions. The level − 1 is in the top three bits of its first byte, which is always
a literal: an instruction whose top three bits are 0 copies (low five bits + 1) bytes from the input. Any other
repeats earlier output: its top three bits are the length − 2, 7 meaning that one more byte is added to it; its
low five bits and the byte after that are the distance − 1. Level 2 adds more bytes to the length as long as
they are 255, and to a distance of 8,192 two more bytes.
"""

_SHORTEST_MATCH = 3
_LONGEST_MATCH = 264
_LONGEST_LITERAL = 32
_FARTHEST_LEVEL_1 = 8192
_FARTHEST_LEVEL_2 = 8191


class FastLzError(ValueError):
    """The bytes are not a FastLZ block."""


def compress(data: bytes | bytearray | memoryview) -> bytes:
    """Return a level 1 block; nothing becomes nothing."""
    source = bytes(data)
    end = len(source)
    output = bytearray()
    last_seen: dict[bytes, int] = {}
    literal_start = position = 0
    while position < end:
        key = source[position : position + _SHORTEST_MATCH]
        candidate = last_seen.get(key, -1) if len(key) == _SHORTEST_MATCH else -1
        last_seen[key] = position
        distance = position - candidate
        if candidate < 0 or distance > _FARTHEST_LEVEL_1 or position == 0:
            position += 1
            continue
        length = _match_length(source, candidate, position, min(_LONGEST_MATCH, end - position))
        _put_literals(output, source[literal_start:position])
        _put_match(output, length, distance)
        position += length
        literal_start = position
    _put_literals(output, source[literal_start:end])
    return bytes(output)


def decompress(block: bytes | bytearray | memoryview, plain_bytes: int) -> bytes:
    """Return the content of a block.

    Args:
        block: level 1 or 2.
        plain_bytes: how long the content must be.

    Raises:
        FastLzError: it is not a block of so many bytes.
    """
    source = bytes(block)
    if not source:
        raise FastLzError("empty block")
    level = (source[0] >> 5) + 1
    if level > 2:
        raise FastLzError(f"unknown level {level}")
    output = bytearray()
    position = 0
    control = source[0] & 31
    try:
        while True:
            position += 1
            if control < _LONGEST_LITERAL:
                literal = source[position : position + control + 1]
                if len(literal) != control + 1:
                    raise FastLzError("the block ends within a literal")
                output += literal
                position += control + 1
            else:
                length, distance, position = _read_match(source, position, control, level)
                _repeat(output, length, distance)
            if len(output) > plain_bytes or position >= len(source):
                break
            control = source[position]
    except IndexError as error:
        raise FastLzError("the block ends within an instruction") from error
    if len(output) != plain_bytes:
        raise FastLzError(f"{len(output)} bytes instead of {plain_bytes}")
    return bytes(output)


def _match_length(source: bytes, candidate: int, position: int, limit: int) -> int:
    length = _SHORTEST_MATCH
    step = 32
    while length + step <= limit and (
        source[candidate + length : candidate + length + step]
        == source[position + length : position + length + step]
    ):
        length += step
    while length < limit and source[candidate + length] == source[position + length]:
        length += 1
    return length


def _put_literals(output: bytearray, literals: bytes) -> None:
    for start in range(0, len(literals), _LONGEST_LITERAL):
        piece = literals[start : start + _LONGEST_LITERAL]
        output.append(len(piece) - 1)
        output += piece


def _put_match(output: bytearray, length: int, distance: int) -> None:
    high, low = divmod(distance - 1, 256)
    if length < 9:
        output += bytes((length - 2 << 5 | high, low))
    else:
        output += bytes((7 << 5 | high, length - 9, low))


def _read_match(source: bytes, position: int, control: int, level: int) -> tuple[int, int, int]:
    length = (control >> 5) + 2
    high = control & 31
    if length == 9:
        while True:
            more = source[position]
            position += 1
            length += more
            if level == 1 or more != 255:
                break
    low = source[position]
    position += 1
    distance = (high << 8 | low) + 1
    if level == 2 and high == 31 and low == 255:
        distance = (source[position] << 8 | source[position + 1]) + _FARTHEST_LEVEL_2 + 1
        position += 2
    return length, distance, position


def _repeat(output: bytearray, length: int, distance: int) -> None:
    start = len(output) - distance
    if start < 0:
        raise FastLzError("a match begins before the content")
    if distance >= length:
        output += output[start : start + length]
        return
    pattern = bytes(output[start:])
    output += (pattern * (length // distance + 1))[:length]
