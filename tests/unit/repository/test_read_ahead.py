"""Reading ahead of one who reads piece by piece: the same bytes, whatever is asked, no damage before its turn."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.disks import DiskReader, ReadRequest
from app.domain.restore_point import RestorePoint
from app.repository import Repository
from app.repository.errors import DataDamaged
from app.repository.values import KIB, MIB
from tests.support.waiting import wait_for_threads
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    damage_record,
    open_repository,
    random_bytes,
    text_bytes,
)

CONTENT = random_bytes(2 * MIB) + bytes(MIB) + text_bytes(4 * MIB + 4096, 3)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[tuple[Repository, RestorePoint]]:
    with open_repository(tmp_path) as repository:
        yield repository, back_up(repository, MemoryDisk(CONTENT))
    wait_for_threads("disk-reader")


def read(disk: DiskReader, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    (_,) = disk.read_many([ReadRequest(offset, memoryview(buffer))])
    return bytes(buffer)


@pytest.mark.parametrize("step", [4096, 50_000, 128 * KIB, 300_000, MIB])
def test_a_disk_is_read_from_end_to_end(stored: tuple[Repository, RestorePoint], step: int) -> None:
    repository, point = stored
    with repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        found = [read(disk, at, min(step, len(CONTENT) - at)) for at in range(0, len(CONTENT), step)]
        disk.close()
    assert b"".join(found) == CONTENT


def test_jumps_between_runs_read_the_same(stored: tuple[Repository, RestorePoint]) -> None:
    repository, point = stored
    dice = random.Random(2)
    with repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        for _ in range(60):
            at, length = dice.randrange(len(CONTENT)), dice.choice([512, 4096, 65536, 200_001])
            for _ in range(dice.randrange(12)):
                length = min(length, len(CONTENT) - at)
                assert read(disk, at, length) == CONTENT[at : at + length]
                at += length
            if dice.random() < 0.2:
                many = [ReadRequest(at * 4096, memoryview(bytearray(4096))) for at in range(20)]
                assert b"".join(bytes(done.buffer) for done in disk.read_many(many)) == CONTENT[: 20 * 4096]
        with pytest.raises(ValueError, match="beyond the disk"):
            read(disk, len(CONTENT) - 10, 11)
        disk.close()


def test_a_run_is_decoded_ahead_on_other_threads(stored: tuple[Repository, RestorePoint]) -> None:
    repository, point = stored
    with repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        read(disk, 0, 65536)
        assert not any(thread.name.startswith("disk-reader") for thread in threading.enumerate())
        for at in range(65536, MIB, 65536):
            read(disk, at, 65536)
        assert any(thread.name.startswith("disk-reader") for thread in threading.enumerate())
        disk.close()


def test_damage_ahead_is_told_to_who_asks_for_it(tmp_path: Path, stored: tuple[Repository, RestorePoint]) -> None:
    repository, point = stored
    bad = 1_500_000 // (256 * KIB)
    damage_record(tmp_path, repository, repository.parts.tree(point.disks[0]).digest(bad))
    last_frame = (bad + 1) * 256 * KIB - 64 * KIB
    with repository.open_point(point.id) as reader:
        disk = reader.open_disk(2000)
        for at in range(0, last_frame, 65536):
            assert read(disk, at, 65536) == CONTENT[at : at + 65536]
        with pytest.raises(DataDamaged, match="Hard disk 1"):
            read(disk, last_frame, 65536)
        after = last_frame + 65536
        assert read(disk, after, 65536) == CONTENT[after : after + 65536]
        disk.close()
