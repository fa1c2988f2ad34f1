"""Garbage collection where points, pages or packs cannot be read."""

import errno
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import StandbyUnavailable
from app.domain.ids import PointId
from app.repository import GarbageCollectionPolicy, Repository
from app.repository.errors import GarbageCollectionUnsafe
from app.repository.packs import PackEntry
from app.repository.store import RecordLost
from app.repository.values import KIB, MIB
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    damage_record,
    open_repository,
    random_bytes,
    read_back,
)


def stored(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "standby" / "packs").rglob("*.pack"))


def test_nothing_is_collected_while_a_point_cannot_be_read(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        lost = back_up(repository, MemoryDisk(random_bytes(MIB, 1)))
        dead = back_up(repository, MemoryDisk(random_bytes(MIB, 2)), number=1)
        repository.delete_point(dead.id)
        description = tmp_path / "standby" / "points" / lost.id / "point.json"
        description.write_bytes(b"rubbish")
        before = stored(tmp_path)
        with pytest.raises(GarbageCollectionUnsafe, match=r"09-00-00"):
            collect_garbage(repository)
        assert stored(tmp_path) == before
        repository.delete_point(lost.id)
        assert collect_garbage(repository).freed_bytes == before


def test_nothing_is_collected_while_an_index_page_cannot_be_read(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        damage_record(tmp_path, repository, bytes.fromhex(point.disks[0].root))
        with pytest.raises(GarbageCollectionUnsafe, match="index page"):
            collect_garbage(repository)
        with pytest.raises(GarbageCollectionUnsafe, match="index page"):
            repository.maintenance.space(cancel=CancelToken())
        assert point.id in {point.id for point in repository.points().points}


def test_a_pack_with_a_damaged_record_is_set_aside_and_the_rest_kept(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[: 512 * KIB] = random_bytes(512 * KIB, 2)
        second = back_up(repository, disk, number=1)
        shared = _chunks(repository, first.id) & _chunks(repository, second.id)
        repository.delete_point(first.id)
        path = damage_record(tmp_path, repository, min(shared))
        pack, broken = path.stem, path.read_bytes()

        report = collect_garbage(
            repository, GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.0, small_share=1.0)
        )

        assert report.set_aside == (pack,)
        assert (tmp_path / "standby" / "damaged" / f"{pack}.pack").read_bytes() == broken
        with repository.open_point(second.id) as reader:
            (damage,) = reader.verify(progress=Progress(), cancel=CancelToken()).damage
        assert damage.length_bytes == 256 * KIB
        healed = back_up(repository, disk, number=2)
        assert healed.stored_bytes < 300 * KIB
        assert read_back(repository, second.id) == disk.content


def test_a_pack_that_cannot_be_read_for_a_moment_is_not_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = MemoryDisk(random_bytes(MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[: 512 * KIB] = random_bytes(512 * KIB, 2)
        second = back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        read_entry = repository.parts.store.read_entry

        def fail_once(pack_id: str, entry: PackEntry) -> bytes:
            monkeypatch.setattr(repository.parts.store, "read_entry", read_entry)
            error = OSError(errno.ESTALE, "Stale file handle")
            raise RecordLost(entry.digest, pack_id, str(error)) from error

        monkeypatch.setattr(repository.parts.store, "read_entry", fail_once)
        with pytest.raises(StandbyUnavailable, match="Stale"):
            collect_garbage(
                repository, GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.0, small_share=1.0)
            )
        assert list((tmp_path / "standby" / "damaged").iterdir()) == []
        assert read_back(repository, second.id) == disk.content
        assert collect_garbage(repository).finished
        assert read_back(repository, second.id) == disk.content


def _chunks(repository: Repository, point: PointId) -> set[bytes]:
    described = next(listed for listed in repository.points().points if listed.id == point)
    return {digest for _, digest in repository.parts.tree(described.disks[0]).stored()}
