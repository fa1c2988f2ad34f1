"""What is written is read back, over the base, in this session and the next."""

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.nfs.overlay import OverlayDamaged, OverlayDisk, OverlayInUse, OverlayLimits, OverlayUnavailable
from tests.support.platforms import posix_only
from tests.unit.nfs.overlay.helpers import (
    BASE,
    CAPACITY,
    GRAIN,
    KIB,
    SMALL,
    as_killed,
    grain,
    open_overlay,
    opener,
    random_write,
    read,
    reopened,
    segments,
)
from tests.unit.repository.helpers import MemoryDisk

LAST = CAPACITY // GRAIN * GRAIN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "standby" / "overlay"


def test_without_writes_the_base_is_read(folder: Path) -> None:
    with reopened(folder) as disk:
        assert read(disk) == BASE
        assert read(disk, 5000, 9000) == BASE[5000:14000]
        assert disk.written_extents() == []
    assert segments(folder) == []


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, GRAIN),
        (100, 50),
        (100, 2 * GRAIN),
        (GRAIN - 1, 2),
        (3 * GRAIN, GRAIN + 1),
        (LAST, 777),
        (LAST, 100),
        (LAST + 700, 77),
        (LAST - 10, 787),
        (0, CAPACITY),
    ],
)
@pytest.mark.parametrize("fill", [b"\x00", b"\xa5"])
def test_a_write_changes_its_bytes_and_no_others(folder: Path, offset: int, length: int, fill: bytes) -> None:
    expected = BASE[:offset] + fill * length + BASE[offset + length :]
    with reopened(folder) as disk:
        disk.write(offset, fill * length)
        assert read(disk) == expected
    with reopened(folder) as disk:
        assert read(disk) == expected


def test_partial_writes_of_a_grain_add_up(folder: Path) -> None:
    expected = bytearray(BASE)
    with reopened(folder) as disk:
        for number in range(9):
            disk.write(500 * number, bytes([number]) * 300)
            expected[500 * number : 500 * number + 300] = bytes([number]) * 300
        assert read(disk) == expected


def test_ranges_beyond_the_disk_are_refused(folder: Path) -> None:
    with reopened(folder) as disk:
        for offset, length in ((CAPACITY, 1), (-1, 1), (CAPACITY - 5, 6)):
            with pytest.raises(ValueError, match="beyond the disk"):
                disk.write(offset, bytes(length))
            with pytest.raises(ValueError, match="beyond the disk"):
                read(disk, offset, length)
        disk.write(CAPACITY, b"")
        assert read(disk, CAPACITY, 0) == b""


def test_what_is_written_is_said_in_whole_grains(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(GRAIN + 5, b"x")
        disk.write(2 * GRAIN, bytes(GRAIN))
        disk.write(CAPACITY - 1, b"x")
        expected = [Extent(GRAIN, 2 * GRAIN), Extent(LAST, 777)]
        assert disk.written_extents() == expected
    with reopened(folder) as disk:
        assert disk.written_extents() == expected


def test_zeros_take_no_payload(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(1) * 40)
        disk.write(0, bytes(40 * GRAIN))
        assert disk.live_bytes < GRAIN
        assert read(disk, 0, 40 * GRAIN) == bytes(40 * GRAIN)
    assert read_after(folder)[: 40 * GRAIN] == bytes(40 * GRAIN)


def read_after(folder: Path) -> bytes:
    with reopened(folder) as disk:
        return read(disk)


def test_the_log_says_what_it_takes(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(1))
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder)) == SMALL.segment_bytes
        for _ in range(20):
            disk.write(0, grain(1))
        assert len(segments(folder)) > 1
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder))
        assert GRAIN < disk.live_bytes < GRAIN + 200
    with reopened(folder) as disk:
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder))
        assert GRAIN < disk.live_bytes < GRAIN + 200


@posix_only("what is counted are calls of POSIX")
def test_the_space_of_a_segment_is_taken_when_it_begins(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(1))
        found = segments(folder)[0].stat()
        assert found.st_blocks * 512 >= SMALL.segment_bytes


def test_many_writes_over_many_segments_survive_opening_again_and_again(folder: Path) -> None:
    dice = random.Random(3)
    expected = bytearray(BASE)
    for _ in range(6):
        with reopened(folder) as disk:
            assert read(disk) == expected
            for _ in range(60):
                offset, data = random_write(dice)
                disk.write(offset, data)
                expected[offset : offset + len(data)] = data
            assert read(disk) == expected
    assert read_after(folder) == expected
    assert read_after(as_killed(folder)) == expected


def test_what_was_killed_is_opened_with_all_that_the_system_has(folder: Path) -> None:
    dice = random.Random(4)
    expected = bytearray(BASE)
    with reopened(folder) as disk:
        for _ in range(50):
            offset, data = random_write(dice)
            disk.write(offset, data)
            expected[offset : offset + len(data)] = data
        copy = as_killed(folder)
    assert read_after(copy) == expected
    assert read_after(copy) == expected


class CountingDisk(MemoryDisk):
    def __init__(self, log: list[list[tuple[int, int]]]) -> None:
        super().__init__(BASE)
        self.log = log

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        requests = list(requests)
        self.log.append([(request.offset, len(request.buffer)) for request in requests])
        return super().read_many(requests)


@posix_only("what is counted are calls of POSIX")
def test_neighbours_are_read_with_one_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base_reads: list[list[tuple[int, int]]] = []
    with OverlayDisk(lambda: CountingDisk(base_reads), CAPACITY, folder, SMALL) as disk:
        for number in range(4, 10):
            disk.write(number * GRAIN, grain(number))
        disk.write(10 * GRAIN, grain(10) + grain(11))
        calls: list[int] = []
        real = os.preadv

        def counting(descriptor: int, parts: list[memoryview], offset: int) -> int:
            calls.append(offset)
            return real(descriptor, parts, offset)

        monkeypatch.setattr(os, "preadv", counting)
        found = read(disk, 100, 20 * GRAIN)
        monkeypatch.undo()
    written = b"".join(map(grain, range(4, 12)))
    assert found == (BASE[: 4 * GRAIN] + written + BASE[12 * GRAIN :])[100 : 100 + 20 * GRAIN]
    assert len(calls) == 1
    assert base_reads == [[(100, 20 * GRAIN)]], "what lies between two parts is cheaper to read than to leave out"


def test_whole_grains_are_written_without_reading_the_base(folder: Path) -> None:
    base_reads: list[list[tuple[int, int]]] = []
    with OverlayDisk(lambda: CountingDisk(base_reads), CAPACITY, folder, SMALL) as disk:
        disk.write(GRAIN, grain(1) * 3)
        disk.write(LAST, b"x" * 777)
        disk.write(GRAIN + 5, b"in the log already")
        assert base_reads == []
        disk.write(5, b"x")
        assert base_reads == [[(0, GRAIN)]]


def test_readers_of_the_base_are_closed(folder: Path) -> None:
    opened: list[MemoryDisk] = []

    def open_base() -> MemoryDisk:
        opened.append(MemoryDisk(BASE))
        return opened[-1]

    with OverlayDisk(open_base, CAPACITY, folder, SMALL) as disk:
        read(disk)
        read(disk)
    assert [reader.closed for reader in opened] == [True]


def test_a_base_that_is_too_short_is_refused(folder: Path) -> None:
    with (
        OverlayDisk(opener(BASE[:-1]), CAPACITY, folder, SMALL) as disk,
        pytest.raises(ValueError, match="the base has"),
    ):
        read(disk)


def test_an_overlay_is_open_once(folder: Path) -> None:
    with reopened(folder), pytest.raises(OverlayInUse):
        open_overlay(folder)
    open_overlay(folder).close()


def test_a_closed_disk_refuses(folder: Path) -> None:
    disk = open_overlay(folder)
    disk.close()
    disk.close()
    for act in (lambda: disk.write(0, b"x"), lambda: read(disk, 0, 1), disk.sync, disk.compact_once):
        with pytest.raises(OverlayUnavailable, match="closed"):
            act()


def test_what_is_in_memory_is_read_at_once(folder: Path) -> None:
    with reopened(folder) as disk:
        view = memoryview(bytearray(GRAIN))
        assert not disk.read_now(0, view)
        disk.write(0, grain(1))
        disk.write(GRAIN, bytes(GRAIN))
        assert disk.read_now(GRAIN, view)
        assert view == bytes(GRAIN)
        if disk.read_now(0, view):  # where the file system can say what is in memory
            assert view == grain(1)
        assert not disk.read_now(GRAIN + 5, view)


def test_a_segment_that_was_cut_while_it_is_open_is_named(folder: Path) -> None:
    with reopened(folder) as disk:
        disk.write(0, grain(1))
        with segments(folder)[0].open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(OverlayDamaged, match=r"00000001\.seg, byte 1000"):
            read(disk, 0, GRAIN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"record_bytes": 1000},
        {"record_bytes": 32 << 20},
        {"segment_bytes": 16 * KIB, "record_bytes": GRAIN},
        {"segment_bytes": 64 * KIB, "record_bytes": 64 * KIB},
        {"pages_in_memory": 2},
        {"spare_segments": 0},
    ],
)
def test_limits_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"record|segment|pages"):
        OverlayLimits(**wrong)


def test_a_disk_without_bytes_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="positive capacity"):
        OverlayDisk(opener(), 0, folder)


def test_what_needs_waiting_is_not_written_at_once(folder: Path) -> None:
    with open_overlay(folder) as disk:
        assert not disk.write_now(0, grain(1)), "a segment has to be begun first"
        disk.write(0, grain(1))
        assert disk.write_now(GRAIN, grain(2))
        assert read(disk, 0, 2 * GRAIN) == grain(1) + grain(2)
        assert not disk.write_now(10, b"a part of a grain"), "the rest of it has to be read"
        assert not disk.write_now(0, b"")
        taken = 0
        while disk.write_now(0, grain(3)):
            taken += 1
        assert 0 < taken < SMALL.segment_bytes // GRAIN, "the segment is full"
        disk.write(0, grain(4))
        assert disk.write_now(0, grain(5)), "there is another one"
        with pytest.raises(ValueError, match="beyond the disk"):
            disk.write_now(CAPACITY - 1, b"xy")
