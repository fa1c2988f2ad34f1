from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.nfc import fastlz
from app.simulator.nfc.codecs import Compression, decode, encode

compressions = [Compression.ZLIB, Compression.FASTLZ, Compression.SKIPZ]

content = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.integers(0, 3000).map(bytes),
        st.tuples(st.binary(min_size=1, max_size=9), st.integers(1, 400)).map(lambda pair: pair[0] * pair[1]),
    ),
    max_size=8,
).map(b"".join)


@pytest.mark.parametrize("compression", compressions)
@given(data=content)
def test_whatever_shrinks_expands_to_the_same(compression: Compression, data: bytes) -> None:
    encoded = encode(compression, memoryview(data))
    if encoded is not None:
        assert len(encoded) < len(data)
        assert bytes(decode(compression, memoryview(encoded), len(data))) == data


@given(data=content.filter(bool))
def test_fastlz_expands_what_it_compressed_even_when_that_grew(data: bytes) -> None:
    assert fastlz.decompress(fastlz.compress(data), len(data)) == data


@given(block=st.binary(max_size=200), length=st.integers(0, 5000))
def test_fastlz_never_does_worse_than_to_complain(block: bytes, length: int) -> None:
    try:
        plain = fastlz.decompress(block, length)
    except fastlz.FastLzError:
        return
    assert len(plain) == length


def test_fastlz_reads_far_distances_and_long_matches_of_level_2() -> None:
    noise = Random(1).randbytes(9000)
    literals = b"".join(bytes((len(noise[at : at + 32]) - 1,)) + noise[at : at + 32] for at in range(0, 9000, 32))
    block = bytearray(literals)
    block[0] |= 1 << 5
    # length 7 + 2 + 255 + 3 = 267, distance 8,192 + (0x02 << 8 | 0x00) = 8,704
    block += bytes((7 << 5 | 31, 255, 3, 255, 2, 0))
    plain = fastlz.decompress(bytes(block), 9000 + 267)
    assert plain == noise + noise[9000 - 8704 : 9000 - 8704 + 267]


@pytest.mark.parametrize("block", [b"", b"\x60abc", b"\x05abc", b"\x00a\x20\x05", b"\x00a\xe0"])
def test_fastlz_refuses_what_is_no_block(block: bytes) -> None:
    with pytest.raises(fastlz.FastLzError):
        fastlz.decompress(block, 100)


def test_skipz_of_a_mostly_empty_fragment_is_small() -> None:
    data = bytearray(1 << 20)
    data[5000:5010] = b"0123456789"
    encoded = encode(Compression.SKIPZ, memoryview(data))
    assert encoded is not None
    assert len(encoded) < 1100
    assert bytes(decode(Compression.SKIPZ, memoryview(encoded), 1 << 20)) == bytes(data)
