"""Frames cut out of a stream, however it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.frames import BadFrame, Frame, FrameReader, Kind, encode_frame

FRAMES = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=40), st.integers(0, 2**64 - 1)), max_size=8
)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_any_cut_of_the_stream_gives_the_same_frames(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader, found, at, turn = FrameReader(40), list[Frame](), 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == frames
    assert not reader.is_within_frame


def test_a_frame_that_has_begun_is_known_as_such() -> None:
    reader = FrameReader(40)
    assert list(reader.feed(encode_frame(Frame(Kind.REPLY, b"abc", 1))[:-1])) == []
    assert reader.is_within_frame


def test_a_frame_that_claims_too_much_is_refused_before_it_comes() -> None:
    with pytest.raises(BadFrame, match="41 bytes; 40 are allowed"):
        list(FrameReader(40).feed(encode_frame(Frame(Kind.REPLY, b"x" * 41))[:13]))


def test_a_frame_of_an_unknown_kind_is_refused() -> None:
    header = bytearray(encode_frame(Frame(Kind.REPLY)))
    header[4] = 99
    with pytest.raises(BadFrame, match="unknown kind 99"):
        list(FrameReader(40).feed(bytes(header)))


def test_the_limit_may_change_between_two_frames_of_one_piece() -> None:
    reader = FrameReader(4)
    stream = encode_frame(Frame(Kind.WELCOME, b"abcd")) + encode_frame(Frame(Kind.REPLY, b"x" * 30))
    frames = reader.feed(stream)
    assert next(frames).kind is Kind.WELCOME
    reader.most_bytes = 30
    assert next(frames).kind is Kind.REPLY
