"""The map of an 8 TiB disk in little memory, with pages that come and go."""

import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.positioned import PositionedFile
from app.core.privatefiles import open_private
from app.domain.extents import Extent
from app.nfs.overlay import OverlayDisk
from app.nfs.overlay.grainmap import PAGE_GRAINS, GrainMap, position_of, segment_of
from app.nfs.overlay.table import SegmentTable
from tests.unit.nfs.overlay.helpers import GRAIN, SMALL, EmptyDisk, grain, read

TIB = 1 << 40
EIGHT_TIB = 8 * TIB


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[PositionedFile]:
    file = PositionedFile(open_private(tmp_path / "spill", os.O_RDWR | os.O_CREAT))
    yield file
    file.close()


def make_map(grains: int, spill: PositionedFile, pages: int = 16) -> tuple[GrainMap, SegmentTable]:
    table = SegmentTable()
    for number in (1, 2, 3):
        table.add(number, 1 << 26)
    return GrainMap(grains, spill, table, pages), table


def test_pages_that_left_memory_come_back(spill: PositionedFile) -> None:
    grains, table = make_map(EIGHT_TIB // GRAIN, spill)
    dice = random.Random(1)
    places = [dice.randrange(EIGHT_TIB // GRAIN) for _ in range(500)]
    expected: dict[int, int] = {}
    for number, place in enumerate([*places, *places[::2]]):
        position = position_of(1 + number % 3, number * 64)
        grains.pin(place, 1)
        grains.put_data(place, 1, position)
        expected[place] = position
    assert 400 * 8192 < grains.spill_bytes <= 500 * 8192
    for place in reversed(places):
        assert grains.position(place) == expected[place]
        assert grains.position(place ^ 1) == expected.get(place ^ 1, 0)
    assert list(grains.written()) == [(place, place + 1) for place in sorted(expected)]
    live = sum(1 for position in expected.values() if segment_of(position) == 2)
    table.add_data(2, -live)
    assert table.is_dead(2)


def test_pinned_pages_stay_whatever_is_read(spill: PositionedFile) -> None:
    grains, _ = make_map(100 * PAGE_GRAINS, spill)
    for page in range(100):
        grains.pin(page * PAGE_GRAINS, 1)
        grains.put_data(page * PAGE_GRAINS, 1, position_of(1, 64))
    grains.pin(3 * PAGE_GRAINS, 1)
    for page in range(100):
        assert grains.position(page * PAGE_GRAINS) == position_of(1, 64)
    grains.put_data(3 * PAGE_GRAINS, 1, position_of(2, 64))
    assert grains.position(3 * PAGE_GRAINS) == position_of(2, 64)


def test_runs_cross_pages(spill: PositionedFile) -> None:
    grains, table = make_map(10 * PAGE_GRAINS, spill)
    first, count = PAGE_GRAINS - 3, 2 * PAGE_GRAINS
    grains.pin(first, count)
    grains.put_data(first, count, position_of(1, 64))
    found = grains.positions(first - 1, count + 2)
    assert found[0] == found[-1] == 0
    assert list(found[1:-1]) == [position_of(1, 64 + number * GRAIN) for number in range(count)]
    grains.pin(first + 1, count - 2)
    grains.put_zeros(first + 1, count - 2, position_of(2, 640) | 1)
    assert set(grains.positions(first + 1, count - 2)) == {position_of(2, 640) | 1}
    table.add_data(1, -2)
    assert table.is_dead(1)


def test_the_map_of_8_tib_is_small_whatever_is_written(spill: PositionedFile) -> None:
    tracemalloc.start()
    try:
        grains, _ = make_map(EIGHT_TIB // GRAIN, spill, pages=256)
        for page in range(0, 2_000_000, 1000):
            grains.pin(page * PAGE_GRAINS, 1)
            grains.put_data(page * PAGE_GRAINS, 1, position_of(1, 64))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20  # 8 MiB of slots, twice for a moment, and 2 MiB of pages


def test_a_large_disk_with_a_small_memory_is_right(tmp_path: Path) -> None:
    dice = random.Random(2)
    folder = tmp_path / "overlay"
    places = [dice.randrange(EIGHT_TIB // GRAIN) * GRAIN for _ in range(120)]
    with OverlayDisk(lambda: EmptyDisk(EIGHT_TIB), EIGHT_TIB, folder, SMALL) as disk:
        for number, place in enumerate(places):
            disk.write(place, grain(number))
        for number, place in enumerate(places):
            assert read(disk, place, GRAIN) == grain(number)
        assert (folder / "map.cache").stat().st_size > 0
    assert not (folder / "map.cache").exists()
    with OverlayDisk(lambda: EmptyDisk(EIGHT_TIB), EIGHT_TIB, folder, SMALL) as disk:
        assert disk.written_extents() == [Extent(place, GRAIN) for place in sorted(places)]
        for number, place in reversed(list(enumerate(places))):
            assert read(disk, place, GRAIN) == grain(number)


def test_the_table_of_segments_counts_what_is_alive() -> None:
    table = SegmentTable()
    for number in (1, 2, 5):
        table.add(number, 1000_000)
    table.add_data(2, 100)
    table.add_zeros(5, 500, records=2)
    assert table.ranges() == [(1, 3), (5, 6)]
    assert table.live_bytes == 100 * (GRAIN + 80) + 2 * 80
    assert table.first_dead(below=9, spared=frozenset()) == 1
    assert table.emptiest(below=9, spared=frozenset({1})) == 5
    assert table.emptiest(below=5, spared=frozenset({1})) == 2
    assert table.emptiest(below=2, spared=frozenset({1})) is None
    with pytest.raises(AssertionError):
        table.remove(2)
    table.remove(1)
    assert 1 not in table
    assert table.file_bytes == 2_000_000
    with pytest.raises(KeyError):
        table.add_data(1, 1)
