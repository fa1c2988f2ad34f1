"""The log stays short under any pattern of overwrites, and loses nothing by that."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.positioned import PositionedFile
from app.nfs.overlay import OverlayDamaged, OverlayDisk
from app.nfs.overlay.files import OverlayFiles
from tests.support.leaks import Holdings
from tests.support.waiting import wait_for_threads, wait_until
from tests.unit.nfs.overlay.helpers import (
    BASE,
    GRAIN,
    IN_BACKGROUND,
    SMALL,
    as_killed,
    grain,
    names,
    open_overlay,
    random_write,
    read,
    reopened,
    segments,
)

PATIENT = replace(SMALL, spare_segments=100)
"""Writers let the log grow."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "overlay"


def longest(disk: OverlayDisk, spare: int) -> int:
    """Return how long a log may be that is compacted."""
    return 2 * disk.live_bytes + spare * SMALL.segment_bytes


def compact(disk: OverlayDisk) -> int:
    return sum(1 for _ in iter(disk.compact_once, False))


def test_overwritten_segments_are_deleted(folder: Path) -> None:
    with reopened(folder, PATIENT) as disk:
        for number in range(100):
            disk.write(0, grain(number))
    with reopened(folder) as disk:
        before = disk.log_bytes
        assert compact(disk) >= 4
        assert disk.log_bytes < before
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder))
        assert len(segments(folder)) <= 2
        assert read(disk) == grain(99) + BASE[GRAIN:]
    with reopened(folder) as disk:
        assert read(disk) == grain(99) + BASE[GRAIN:]


def test_what_is_alive_in_a_segment_moves(folder: Path) -> None:
    expected = bytearray(BASE)
    with reopened(folder, PATIENT) as disk:
        for number in range(120):  # one grain of each segment stays
            place = number // 13 if number % 13 == 5 else 30
            disk.write(place * GRAIN, grain(number))
            expected[place * GRAIN : (place + 1) * GRAIN] = grain(number)
        disk.write(12 * GRAIN, bytes(3 * GRAIN))
        disk.write(13 * GRAIN, grain(500))
        expected[12 * GRAIN : 15 * GRAIN] = bytes(GRAIN) + grain(500) + bytes(GRAIN)
        first = segments(folder)[0]
    with reopened(folder) as disk:
        assert compact(disk) > 0
        assert not first.exists()
        assert disk.log_bytes <= longest(disk, SMALL.spare_segments)
        assert read(disk) == expected
        copy = as_killed(folder)
    for left in (folder, copy):
        with reopened(left) as disk:
            assert read(disk) == expected


PATTERNS: dict[str, Callable[[int, random.Random], tuple[int, bytes]]] = {
    "random": lambda _, dice: random_write(dice),
    "one grain": lambda number, _: (5 * GRAIN, grain(number % 7)),
    "sequential": lambda number, dice: (number % 10 * 4 * GRAIN, dice.randbytes(4 * GRAIN)),
    "zeros": lambda _, dice: (dice.randrange(30) * GRAIN, bytes(dice.randrange(1, 10) * GRAIN)),
    "zeros and data": lambda number, dice: (dice.randrange(40) * GRAIN, (grain(1), bytes(GRAIN))[number % 2]),
    "every other": lambda number, _: (number % 20 * 2 * GRAIN, grain(number % 5)),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_log_stays_short(folder: Path, pattern: str) -> None:
    dice = random.Random(pattern)
    expected = bytearray(BASE)
    longest_seen = 0
    with open_overlay(folder) as disk:  # without a thread: writers have to help
        for number in range(3000):
            offset, data = PATTERNS[pattern](number, dice)
            disk.write(offset, data)
            expected[offset : offset + len(data)] = data
            longest_seen = max(longest_seen, disk.log_bytes - longest(disk, 0))
        assert read(disk) == expected
        assert longest_seen <= (2 * SMALL.spare_segments + 2) * SMALL.segment_bytes
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder))
        assert len(names(folder)) == len(segments(folder)) + 3, "and the lock, the map, and one mark"
    with reopened(folder) as disk:
        assert read(disk) == expected


def test_the_thread_compacts_by_itself_and_ends_with_the_disk(folder: Path) -> None:
    before = Holdings.now()
    with open_overlay(folder, IN_BACKGROUND) as disk:
        for number in range(200):
            disk.write(number % 3 * GRAIN, grain(number))
        wait_until(lambda: disk.log_bytes <= longest(disk, SMALL.spare_segments), what="a short log")
        assert read(disk) == grain(198) + grain(199) + grain(197) + BASE[3 * GRAIN :]
    wait_for_threads("overlay-compaction")
    assert Holdings.now().newer_than(before) == []


def test_a_read_whose_segment_was_deleted_looks_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_overlay(folder, PATIENT) as disk:
        for number in range(66):
            disk.write(number % 40 * GRAIN if number % 13 == 5 else 0, grain(number))
        expected = read(disk)
    with open_overlay(folder, replace(SMALL, open_segments=1)) as disk:
        real = OverlayFiles.open
        compactions: list[int] = []

        def compact_first(files: OverlayFiles, number: int) -> PositionedFile:
            if not compactions:
                compactions.append(0)
                compactions[0] = compact(disk)
            return real(files, number)

        monkeypatch.setattr(OverlayFiles, "open", compact_first)
        assert read(disk, 5 * GRAIN, GRAIN) == expected[5 * GRAIN : 6 * GRAIN]
        assert compactions[0] > 0
        assert read(disk) == expected


@contextmanager
def pausing(folder: Path) -> Iterator[OverlayDisk]:
    """Open a disk whose thread pauses for an hour after its first copy."""
    with open_overlay(folder, PATIENT) as disk:
        for number in range(66):
            disk.write(number % 40 * GRAIN if number % 13 == 5 else 0, grain(number))
    count = len(segments(folder))
    with open_overlay(folder, replace(SMALL, compaction_bytes_per_s=1)) as disk:
        wait_until(lambda: len(segments(folder)) > count, what="the first copy")
        yield disk


def test_closing_does_not_wait_for_a_gentle_copy(folder: Path) -> None:
    with pausing(folder) as disk:
        disk.write(0, grain(1))
        disk.sync()
        expected = read(disk)
    with reopened(folder) as disk:
        assert read(disk) == expected


def test_writers_do_not_wait_for_a_gentle_copy(folder: Path) -> None:
    with pausing(folder) as disk:
        for number in range(100):
            disk.write(0, grain(number))
        assert disk.log_bytes <= longest(disk, 2 * SMALL.spare_segments + 2)
        assert read(disk, 0, GRAIN) == grain(99)


def test_opening_again_and_again_makes_no_segments(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(1))
        disk.write(0, grain(2))
    before = segments(folder)
    for _ in range(3):
        with open_overlay(folder, IN_BACKGROUND) as disk:
            assert not disk.compact_once()
    assert segments(folder) == before


def test_a_damaged_record_is_not_copied(folder: Path) -> None:
    with reopened(folder, PATIENT) as disk:
        for number in range(120):
            disk.write((number // 13 if number % 13 == 5 else 30) * GRAIN, grain(number))
        first = segments(folder)[0]
        data = bytearray(first.read_bytes())
        at = data.index(grain(5)[:64])
        data[at] ^= 1
        with first.open("r+b") as file:
            file.write(data)
    with reopened(folder) as disk:
        complaints = []
        for _ in range(20):
            try:
                if not disk.compact_once():
                    break
            except OverlayDamaged as error:
                complaints.append(error)
        assert [(error.path, error.offset) for error in complaints] == [(first, at - 64)]
        assert first.exists()
