"""Another folder comes under the path of an overlay that is open: it is neither read nor changed."""

import shutil
from pathlib import Path

import pytest

from app.nfs.overlay import OverlayDisk, OverlayUnavailable, last_sequence
from tests.unit.nfs.overlay.helpers import GRAIN, grain, names, open_overlay, read, reopened

PER_SEGMENT = 16
"""More grains than a segment of the small limits holds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "overlay"


def move_away(folder: Path) -> Path:
    """Take the overlay from its path, where an empty folder is then."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir()
    return away


def write_all(disk: OverlayDisk) -> None:
    """Write more than a segment holds."""
    for number in range(2 * PER_SEGMENT):
        disk.write(number * GRAIN, grain(number))


def write_many_segments(disk: OverlayDisk, first: int) -> None:
    """Write more segments than are kept open; the first grain stays in the first one."""
    later = tuple(range(PER_SEGMENT, 2 * PER_SEGMENT))
    for number in (*range(PER_SEGMENT), *later, *later, *later):
        disk.write(number * GRAIN, grain(first + number))


def compact(disk: OverlayDisk) -> None:
    """Compact until nothing is to be done."""
    while disk.compact_once():
        pass


def bring_back(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.with_name("away").rename(folder)


def test_no_segment_is_begun_in_another_folder(folder: Path) -> None:
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        disk.sync()
        move_away(folder)
        with pytest.raises(OverlayUnavailable, match="begin a segment"):
            write_all(disk)
        assert names(folder) == []
        assert not disk.has_failed, "nothing is unknown"
        bring_back(folder)
        write_all(disk)
        disk.sync()
        assert read(disk, 0, GRAIN) == grain(0)
    with reopened(folder) as disk:
        for number in range(2 * PER_SEGMENT):
            assert read(disk, number * GRAIN, GRAIN) == grain(number)


def test_a_segment_that_is_away_is_not_damaged_and_one_of_another_overlay_is_not_read(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    with open_overlay(other) as disk:
        write_many_segments(disk, 100)
    with open_overlay(folder) as disk:
        write_many_segments(disk, 0)
    with open_overlay(folder) as disk:
        move_away(folder)
        with pytest.raises(OverlayUnavailable):
            read(disk, 0, GRAIN)
        folder.rmdir()
        shutil.copytree(other, folder)
        with pytest.raises(OverlayUnavailable):
            read(disk, 0, GRAIN)
        bring_back(folder)
        assert read(disk, 0, GRAIN) == grain(0)


def test_compaction_deletes_nothing_in_another_folder(folder: Path) -> None:
    with open_overlay(folder) as disk:
        for number in range(6 * PER_SEGMENT):
            disk.write(number % 4 * GRAIN, grain(number))
        disk.sync()
        before = names(folder)
        away = folder.with_name("away")
        folder.rename(away)
        shutil.copytree(away, folder)
        with pytest.raises(OverlayUnavailable):
            compact(disk)
        assert names(folder) == before


def test_how_much_is_durable_is_known_without_opening_it(folder: Path) -> None:
    with open_overlay(folder) as disk:
        for number in range(5):
            disk.write(number * GRAIN, grain(number))
        assert disk.durable_sequence == 0
        disk.sync()
        assert disk.durable_sequence == 5
        assert last_sequence(folder) == 5
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert last_sequence(folder) == 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with open_overlay(folder) as disk:
        assert disk.durable_sequence == 5


def test_trying_out_leaves_nothing(folder: Path) -> None:
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        before = names(folder)
        disk.try_out()
        assert names(folder) == before
        move_away(folder)
        with pytest.raises(OverlayUnavailable):
            disk.try_out()
        with pytest.raises(OverlayUnavailable):
            disk.check_place()
        bring_back(folder)
        disk.check_place()
