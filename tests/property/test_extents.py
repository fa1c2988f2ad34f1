"""The algebra of extents against the plainest model there is: a set of bytes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.extents import (
    Extent,
    align_outward,
    clip,
    complement,
    intersect,
    normalize,
    split,
    subtract,
    total_bytes,
    union,
)

CAPACITY_BYTES = 200

extents = st.lists(
    st.builds(Extent, st.integers(0, CAPACITY_BYTES), st.integers(0, 40)),
    max_size=12,
)


def covered(sequence: list[Extent]) -> set[int]:
    return {byte for extent in sequence for byte in range(extent.start, extent.end)}


def is_normalized(sequence: list[Extent]) -> bool:
    return all(extent.length_bytes for extent in sequence) and all(
        left.end < right.start for left, right in pairwise(sequence)
    )


@given(extents)
def test_normalizing_keeps_the_bytes_and_joins_what_touches(some: list[Extent]) -> None:
    result = normalize(some)
    assert covered(result) == covered(some)
    assert is_normalized(result)
    assert total_bytes(some) == len(covered(some))


@given(extents, extents)
def test_set_operations_equal_those_on_bytes(left: list[Extent], right: list[Extent]) -> None:
    for operation, expected in (
        (union, covered(left) | covered(right)),
        (intersect, covered(left) & covered(right)),
        (subtract, covered(left) - covered(right)),
    ):
        result = operation(left, right)
        assert covered(result) == expected
        assert is_normalized(result)


@given(extents, st.integers(0, CAPACITY_BYTES))
def test_complement_and_clip_share_the_disk_between_them(some: list[Extent], capacity_bytes: int) -> None:
    inside, outside = clip(some, capacity_bytes), complement(some, capacity_bytes)
    assert covered(inside) | covered(outside) == set(range(capacity_bytes))
    assert not covered(inside) & covered(outside)


@given(extents, st.integers(1, 64), st.integers(0, CAPACITY_BYTES))
def test_aligning_outward_covers_exactly_the_touched_units(
    some: list[Extent], unit_bytes: int, capacity_bytes: int
) -> None:
    result = align_outward(some, unit_bytes, capacity_bytes)
    touched = {byte // unit_bytes for byte in covered(some)}
    expected = {byte for byte in range(capacity_bytes) if byte // unit_bytes in touched}
    assert covered(result) == expected
    assert is_normalized(result)


@given(extents, st.integers(1, 64))
def test_splitting_never_crosses_a_border_and_loses_nothing(some: list[Extent], unit_bytes: int) -> None:
    whole = normalize(some)
    pieces = list(split(whole, unit_bytes))
    assert covered(pieces) == covered(whole)
    assert sum(piece.length_bytes for piece in pieces) == total_bytes(whole)
    assert all(piece.start // unit_bytes == (piece.end - 1) // unit_bytes for piece in pieces)
