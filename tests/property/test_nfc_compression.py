"""Packing and unpacking of NFC fragments against independent judges: zlib itself, and streams built by hand."""

import struct
import tracemalloc
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.simulator.nfc import codecs
from app.transport.errors import MalformedAnswer
from app.transport.nfc import fastlz
from app.transport.nfc.compression import pack, unpack_into
from app.transport.options import Compression

COMPRESSED = [Compression.ZLIB, Compression.FASTLZ, Compression.SKIPZ]

pieces = st.one_of(
    st.binary(max_size=80),
    st.integers(1, 9000).map(bytes),
    st.tuples(st.binary(min_size=1, max_size=5), st.integers(1, 900)).map(lambda pair: pair[0] * pair[1]),
)
disk_like = st.lists(pieces, max_size=12).map(b"".join)
"""Random bytes, holes and repetitions, as disks have them."""


def unpack(compression: Compression, packed: bytes, size: int) -> bytes:
    """Unpack into a buffer that was dirty before."""
    target = bytearray(b"\xcc" * size)
    unpack_into(compression, memoryview(packed), memoryview(target))
    return bytes(target)


@given(data=disk_like)
@pytest.mark.parametrize("compression", Compression)
def test_what_we_pack_unpacks_to_the_same_here_and_on_the_host(compression: Compression, data: bytes) -> None:
    packed = pack(compression, memoryview(data))
    if packed is not None:
        assert len(packed) < len(data)
        assert unpack(compression, packed, len(data)) == data
        assert bytes(codecs.decode(codecs.Compression(compression), memoryview(packed), len(data))) == data


@given(data=disk_like)
@pytest.mark.parametrize("compression", COMPRESSED)
def test_what_the_host_packs_unpacks_to_the_same(compression: Compression, data: bytes) -> None:
    packed = codecs.encode(codecs.Compression(compression), memoryview(data))
    assume(packed is not None)
    assert packed is not None
    assert unpack(compression, bytes(packed), len(data)) == data


@given(junk=st.binary(max_size=300), size=st.integers(0, 5000))
@pytest.mark.parametrize("compression", Compression)
def test_junk_unpacks_to_its_size_or_is_refused(compression: Compression, junk: bytes, size: int) -> None:
    try:
        unpack(compression, junk, size)
    except MalformedAnswer:
        return
    assert compression is not Compression.NONE or len(junk) == size


@given(data=disk_like, cut=st.integers(1, 10_000), grow=st.integers(1, 100))
@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_fragment_that_is_cut_or_of_another_size_is_refused(
    compression: Compression, data: bytes, cut: int, grow: int
) -> None:
    packed = codecs.encode(codecs.Compression(compression), memoryview(data))
    assume(packed is not None)
    assert packed is not None
    whole = bytes(packed)
    with pytest.raises(MalformedAnswer):
        unpack(compression, whole, len(data) + grow)
    with pytest.raises(MalformedAnswer):
        unpack(compression, whole, max(0, len(data) - grow))
    if compression is Compression.ZLIB:
        with pytest.raises(MalformedAnswer):
            unpack(compression, whole[: -min(cut, len(whole))], len(data))


def test_a_zlib_bomb_takes_no_more_memory_than_the_fragment() -> None:
    bomb = zlib.compress(bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer):
            unpack(Compression.ZLIB, bomb, 65536)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20


# ---- FastLZ streams built instruction by instruction --------------------------------------------------------

literal = st.binary(min_size=1, max_size=32)
match = st.tuples(st.integers(3, 700), st.integers(1, 70_000))
instructions = st.lists(st.one_of(literal, match), max_size=25)


def build(level: int, first: bytes, rest: list[bytes | tuple[int, int]]) -> tuple[bytes, bytes]:
    """Return a stream of a level, and what it stands for, from literals and matches (length, distance)."""
    plain = bytearray(first)
    stream = bytearray([len(first) - 1 | (level - 1) << 5]) + first
    for piece in rest:
        if isinstance(piece, bytes):
            stream += bytes([len(piece) - 1]) + piece
            plain += piece
            continue
        length, distance = piece
        distance = (distance - 1) % min(len(plain), 8192 if level == 1 else 8191 + 65535) + 1
        if level == 1:
            length = min(length, 9 + 255)
        stream += _match(level, length, distance)
        for _ in range(length):
            plain.append(plain[-distance])
    return bytes(stream), bytes(plain)


def _match(level: int, length: int, distance: int) -> bytes:
    """Encode a match."""
    far = level == 2 and distance > 8191
    code = 8191 if far else distance - 1
    tail = struct.pack(">H", distance - 8192) if far else b""
    high, low = code >> 8, bytes([code & 255])
    if length < 9:
        return bytes([length - 2 << 5 | high]) + low + tail
    rest, counts = length - 9, b""
    while level == 2 and rest >= 255:
        counts += b"\xff"
        rest -= 255
    return bytes([7 << 5 | high]) + counts + bytes([rest]) + low + tail


@given(first=literal, rest=instructions)
@pytest.mark.parametrize("level", [1, 2])
def test_every_fastlz_instruction_is_understood(
    level: int, first: bytes, rest: list[bytes | tuple[int, int]]
) -> None:
    stream, plain = build(level, first, rest)
    assert fastlz.decompress(stream, len(plain)) == plain


@pytest.mark.parametrize("distance", [8190, 8191, 8192, 8193, 9000, 73_726])
def test_fastlz_level_2_reaches_far_back(distance: int) -> None:
    head = bytes(range(1, 33))
    filler: list[bytes | tuple[int, int]] = [
        bytes([index % 251] * 31) + bytes([index % 7]) for index in range(2500)
    ]
    stream, plain = build(2, head, [*filler, (300, distance)])
    assert fastlz.decompress(stream, len(plain)) == plain


@given(first=literal, rest=instructions, lost=st.integers(1, 40))
@pytest.mark.parametrize("level", [1, 2])
def test_a_fastlz_stream_cut_anywhere_is_refused(
    level: int, first: bytes, rest: list[bytes | tuple[int, int]], lost: int
) -> None:
    stream, plain = build(level, first, rest)
    with pytest.raises(MalformedAnswer):
        fastlz.decompress(stream[:-lost], len(plain))


# ---- SkipZ streams built run by run --------------------------------------------------------------------------


@given(
    runs=st.lists(st.tuples(st.integers(0, 500), st.binary(min_size=1, max_size=200)), max_size=8),
    tail=st.integers(0, 99),
)
def test_every_skipz_run_ends_up_in_its_place(runs: list[tuple[int, bytes]], tail: int) -> None:
    plain, stream = bytearray(), bytearray()
    for gap, data in runs:
        plain += bytes(gap)
        stream += struct.pack("<2I", len(plain), len(data)) + data
        plain += data
    plain += bytes(tail)
    assert unpack(Compression.SKIPZ, struct.pack("<2I", len(plain), 0) + bytes(stream), len(plain)) == plain


@pytest.mark.parametrize(
    "runs",
    [
        struct.pack("<2I", 96, 5) + b"12345",
        struct.pack("<2I", 10, 4) + b"abcd" + struct.pack("<2I", 12, 2) + b"xy",
        struct.pack("<2I", 0xFFFFFFFF, 0xFFFFFFFF),
        struct.pack("<2I", 0, 50) + b"short",
        b"\0\0\0",
    ],
    ids=["beyond the end", "out of order", "overflow", "cut short", "no head"],
)
def test_a_skipz_run_that_does_not_fit_is_refused(runs: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        unpack(Compression.SKIPZ, struct.pack("<2I", 100, 0) + runs, 100)
