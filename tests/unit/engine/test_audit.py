"""The audit's sample and the likelihood that it catches a lie."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.extents import Extent, clip, intersect, total_bytes
from app.engine.backup.audit import draw_blocks
from tests.support.detection import detection_probability

BLOCK = 64 * 1024


@pytest.mark.parametrize(("blocks", "lying", "drawn"), [(6, 1, 2), (7, 3, 3), (5, 5, 1), (8, 2, 8), (6, 2, 5)])
def test_the_probability_is_what_counting_every_sample_gives(blocks: int, lying: int, drawn: int) -> None:
    samples = list(combinations(range(blocks), drawn))
    hits = sum(any(block < lying for block in sample) for sample in samples)
    assert detection_probability(blocks, lying, drawn) == pytest.approx(hits / len(samples))


def test_the_probability_at_the_edges() -> None:
    assert detection_probability(1000, 0, 64) == 0
    assert detection_probability(1000, 5, 0) == 0
    assert detection_probability(0, 0, 64) == 0
    assert detection_probability(10, 1, 64) == 1
    with pytest.raises(ValueError, match="impossible"):
        detection_probability(3, 4, 1)


@given(st.integers(1, 10**7), st.data())
def test_the_probability_grows_with_the_lie_and_with_the_sample(blocks: int, data: st.DataObject) -> None:
    lying = data.draw(st.integers(0, blocks - 1))
    drawn = data.draw(st.integers(0, min(blocks - 1, 4096)))
    here = detection_probability(blocks, lying, drawn)
    assert 0 <= here <= 1
    assert detection_probability(blocks, lying + 1, drawn) >= here - 1e-9
    assert detection_probability(blocks, lying, drawn + 1) >= here - 1e-9


_extents = st.lists(
    st.tuples(st.integers(0, 40 * BLOCK), st.integers(1, 4 * BLOCK)).map(lambda pair: Extent(*pair)), max_size=6
)


@given(_extents, st.integers(1, 44 * BLOCK), st.integers(0, 60), st.integers(0, 2**32))
def test_drawn_blocks_are_whole_unreported_blocks_of_the_disk(
    reported: list[Extent], capacity: int, count: int, seed: int
) -> None:
    reported = clip(reported, capacity)
    drawn = draw_blocks(reported, capacity, count=count, block_bytes=BLOCK, source=random.Random(seed))
    touched = {
        block for extent in reported for block in range(extent.start // BLOCK, (extent.end - 1) // BLOCK + 1)
    }
    free = [block for block in range(-(-capacity // BLOCK)) if block not in touched]
    assert len(drawn) == min(count, len(free))
    assert [extent.start for extent in drawn] == sorted({extent.start for extent in drawn})
    for extent in drawn:
        assert extent.start % BLOCK == 0
        assert extent.start // BLOCK in free
        assert extent.end == min(extent.start + BLOCK, capacity)
    assert total_bytes(intersect(drawn, reported)) == 0


def test_every_unreported_block_is_drawn_equally_often() -> None:
    reported = [Extent(2 * BLOCK, BLOCK), Extent(5 * BLOCK, 2 * BLOCK)]
    counts = dict.fromkeys([0, 1, 3, 4, 7, 8, 9], 0)
    source = random.Random(7)
    for _ in range(7000):
        for extent in draw_blocks(reported, 10 * BLOCK, count=2, block_bytes=BLOCK, source=source):
            counts[extent.start // BLOCK] += 1
    assert all(1850 < count < 2150 for count in counts.values()), counts


def test_the_share_of_caught_lies_is_the_computed_one() -> None:
    blocks, lying, drawn, rounds = 200, 6, 20, 4000
    source = random.Random(11)
    caught = 0
    for _ in range(rounds):
        lie = set(source.sample(range(blocks), lying))
        sample = draw_blocks([], blocks * BLOCK, count=drawn, block_bytes=BLOCK, source=source)
        caught += any(extent.start // BLOCK in lie for extent in sample)
    assert caught / rounds == pytest.approx(detection_probability(blocks, lying, drawn), abs=0.03)
