"""Disks of a point read with many requests in flight, and copied into writers that hold on to what they get."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.core.rawfile import RawFileWriter
from app.domain.errors import OperationalError, StandbyUnavailable
from app.domain.extents import Extent
from app.repository import Repository
from app.repository.errors import DataDamaged
from app.repository.values import KIB, MIB
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    open_repository,
    random_bytes,
    text_bytes,
)

CONTENT = text_bytes(MIB) + bytes(MIB) + random_bytes(2 * MIB) + text_bytes(700 * KIB, 2) + b"end"


def some_requests(count: int, seed: int) -> Iterator[ReadRequest]:
    dice = random.Random(seed)
    for _ in range(count):
        length = dice.choice((1, 512, 4 * KIB, 64 * KIB, 300 * KIB))
        offset = dice.randrange(len(CONTENT) - length)
        yield ReadRequest(offset, memoryview(bytearray(length)))


def test_many_requests_in_flight_each_get_their_own_bytes_in_order(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            asked = list(some_requests(400, 1))
            answered = list(disk.read_many(asked))
            disk.close()
    assert answered == asked
    for request in answered:
        assert request.buffer == CONTENT[request.offset : request.offset + len(request.buffer)]


def create_encrypted(folder: Path) -> Repository:
    return Repository.create(
        folder / "standby", SMALL, local_dir=folder / "local", clock=SystemClock(), passphrase="correct horse"
    )


def small_requests(count: int) -> list[ReadRequest]:
    dice = random.Random(3)
    places = [dice.randrange(len(CONTENT) - 4 * KIB) for _ in range(count)]
    return [
        *(ReadRequest(place, memoryview(bytearray(4 * KIB))) for place in places),
        ReadRequest(len(CONTENT) - 3, memoryview(bytearray(3))),
    ]


@pytest.mark.parametrize("make", [open_repository, create_encrypted], ids=["plain", "encrypted"])
def test_small_requests_are_read_together_and_each_gets_its_bytes(
    tmp_path: Path, make: Callable[[Path], Repository]
) -> None:
    with make(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            asked = small_requests(500)
            assert list(disk.read_many(asked)) == asked
            disk.close()
    for request in asked:
        assert request.buffer == CONTENT[request.offset : request.offset + len(request.buffer)]


def test_frames_beside_a_damaged_one_are_read_all_the_same(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    pack = max((tmp_path / "standby").glob("packs/*/*.pack"), key=lambda file: file.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    with open_repository(tmp_path) as repository, repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        asked = [ReadRequest(at, memoryview(bytearray(16))) for at in range(0, len(CONTENT) - 16, 16 * KIB)]
        lost: list[int] = []
        while asked:
            done = 0
            try:
                for request in disk.read_many(asked):
                    assert request.buffer == CONTENT[request.offset : request.offset + 16]
                    done += 1
            except DataDamaged:
                lost.append(asked[done].offset)
                done += 1
            asked = asked[done:]
        disk.close()
    assert lost
    assert max(lost) - min(lost) < SMALL.chunk_bytes, "only what lies in the damaged frame is missing"


def test_requests_are_pulled_no_further_ahead_than_the_window_says(tmp_path: Path) -> None:
    pulled = 0

    def counted() -> Iterator[ReadRequest]:
        nonlocal pulled
        for request in some_requests(100, 2):
            pulled += 1
            yield request

    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            for done, _ in enumerate(disk.read_many(counted())):
                assert pulled <= done + 1 + disk.window
            disk.close()


def test_nothing_writes_into_buffers_of_a_reader_that_was_left(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            asked = list(some_requests(60, 3))
            reading = disk.read_many(iter(asked))
            next(reading)
            reading.close()  # type: ignore[attr-defined]  # it is a generator
            for request in asked:
                request.buffer[:] = b"\xa5" * len(request.buffer)
            disk.close()
    assert all(bytes(request.buffer).count(0xA5) == len(request.buffer) for request in asked)


def test_damage_under_one_of_many_requests_is_named(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    for pack in (tmp_path / "standby").glob("packs/*/*.pack"):
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.write_bytes(data)
    with open_repository(tmp_path) as repository, repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        step = 64 * KIB
        asked = [ReadRequest(at, memoryview(bytearray(step))) for at in range(0, len(CONTENT) - step, step)]
        with pytest.raises(DataDamaged, match="Hard disk 1"):
            list(disk.read_many(asked))
        disk.close()


def test_a_request_beyond_the_disk_is_refused_among_others(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            disk = reader.open_disk(2000)
            asked = [*some_requests(3, 4), ReadRequest(len(CONTENT) - 1, memoryview(bytearray(2)))]
            with pytest.raises(ValueError, match="beyond"):
                list(disk.read_many(asked))
            disk.close()


class HoldingDisk(MemoryDisk):
    """Takes what it is given only when it is flushed, as the contract of writers allows."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.held: list[tuple[int, bytes | bytearray | memoryview]] = []

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.held.append((offset, data))

    def flush(self) -> None:
        for offset, data in self.held:
            super().write(offset, data)
        self.held.clear()


@pytest.mark.parametrize("write_zeros", [False, True])
def test_a_writer_may_hold_on_to_what_it_gets_until_its_flush(tmp_path: Path, write_zeros: bool) -> None:
    content = b"".join(random_bytes(256 * KIB, seed) if seed % 3 else bytes(256 * KIB) for seed in range(160))
    blank = bytes(len(content)) if not write_zeros else b"\xee" * len(content)
    target = HoldingDisk(blank)
    progress = Progress()
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(content))
        with repository.open_point(point.id) as reader:
            reader.copy_disk(2000, target, write_zeros=write_zeros, progress=progress, cancel=CancelToken())
    assert target.content == content
    assert progress.sample().done_bytes == len(content)


def test_a_disk_restored_to_a_raw_file_is_the_disk(tmp_path: Path) -> None:
    def refused(error: OSError) -> OperationalError:
        return StandbyUnavailable(path="target", detail=error)

    path = tmp_path / "restored.img"
    wanted = [Extent(0, 300 * KIB), Extent(2 * MIB + 17, MIB), Extent(len(CONTENT) - 5, 5)]
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id) as reader:
            for extents in (None, wanted):
                path.unlink(missing_ok=True)
                writer = RawFileWriter(path, len(CONTENT), failure=refused)
                reader.copy_disk(
                    2000, writer, extents=extents, write_zeros=False, progress=Progress(), cancel=CancelToken()
                )
                writer.sync()
                writer.close()
                expected = bytearray(len(CONTENT))
                for extent in extents or [Extent(0, len(CONTENT))]:
                    expected[extent.start : extent.end] = CONTENT[extent.start : extent.end]
                assert path.read_bytes() == expected


def test_an_incremental_keeps_the_frames_of_its_parent_and_takes_the_new_bytes(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        changed = [Extent(64 * KIB, 64 * KIB), Extent(700_001, 5), Extent(2 * MIB - 3, 70_000)]
        for number, extent in enumerate(changed):
            disk.content[extent.start : extent.end] = random_bytes(extent.length_bytes, 50 + number)
        second = back_up(repository, disk, changed, number=1, parent=first.id)
        for point, content in ((first, CONTENT), (second, bytes(disk.content))):
            target = MemoryDisk(bytes(len(CONTENT)))
            with repository.open_point(point.id) as reader:
                reader.copy_disk(2000, target, write_zeros=False, progress=Progress(), cancel=CancelToken())
                assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
            assert target.content == content
