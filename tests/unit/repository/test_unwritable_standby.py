"""Standbys that cannot be written, or are full: points are read all the same, and what frees space works."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import StandbyFull, StandbyUnavailable
from app.domain.restore_point import RestorePoint
from app.repository import Repository
from app.repository.reserve import RESERVE_BYTES, RESERVE_NAME
from app.repository.values import MIB
from tests.support.small_mounts import fill, mounted, read_only
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(3 * MIB)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "standby") as standby:
        yield standby.parent


def free_bytes(place: Path) -> int:
    found = os.statvfs(place / "standby")
    return found.f_bavail * found.f_frsize


def made(place: Path) -> RestorePoint:
    with open_repository(place) as repository:
        return back_up(repository, MemoryDisk(CONTENT))


def reads_well(repository: Repository, point: RestorePoint) -> None:
    assert [point.id for point in repository.points().points] == [point.id]
    assert read_back(repository, point.id) == CONTENT
    with repository.open_point(point.id) as reader:
        assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
    everything = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
    assert not everything.damage
    assert repository.maintenance.space(cancel=CancelToken()).points


def test_a_read_only_standby_is_listed_restored_and_verified_without_a_lease(place: Path) -> None:
    point = made(place)
    with read_only(place / "standby"), open_repository(place, local="another console") as repository:
        reads_well(repository, point)
        with repository.open_point(point.id) as reader:
            assert isinstance(reader.without_lease, StandbyUnavailable)
            with pytest.raises(StandbyUnavailable):
                repository.begin_point(point_draft(1))
    with open_repository(place) as repository, repository.open_point(point.id) as reader:
        assert reader.without_lease is None


def test_a_standby_that_becomes_writable_again_is_backed_up_to_while_a_reader_is_open(place: Path) -> None:
    point = made(place)
    with open_repository(place) as repository:
        with read_only(place / "standby"):
            reader = repository.open_point(point.id)
        with reader:
            back_up(repository, MemoryDisk(CONTENT), number=1)
        assert not list((place / "standby" / "locks").glob("*.lease"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becoming another user needs root")
def test_a_user_who_may_only_read_restores_and_verifies(tmp_path: Path) -> None:
    point = made(tmp_path)
    tmp_path.chmod(0o755)
    for path in (tmp_path / "standby").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "standby").chmod(0o555)
    local = tmp_path / "of-the-other"
    local.mkdir()
    os.chown(local, 65534, 65534)
    parents = [parent for parent in tmp_path.parents if parent.stat().st_mode & 0o001 == 0]
    modes = [parent.stat().st_mode for parent in parents]
    for parent in parents:
        parent.chmod(0o755)
    os.seteuid(65534)
    try:
        with open_repository(tmp_path, local="of-the-other") as repository:
            reads_well(repository, point)
            with repository.open_point(point.id) as reader:
                assert reader.without_lease is not None
    finally:
        os.seteuid(0)
        for parent, mode in zip(parents, modes, strict=True):
            parent.chmod(mode)
        for path in (tmp_path / "standby", *(tmp_path / "standby").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_full_standby_is_restored_and_verified(place: Path) -> None:
    point = made(place)
    fill(place / "standby")
    with open_repository(place) as repository:
        reads_well(repository, point)
    assert free_bytes(place) == 0 or not (place / "standby" / RESERVE_NAME).exists()


def test_a_full_standby_is_read_without_a_reserve_too(place: Path) -> None:
    point = made(place)
    (place / "standby" / RESERVE_NAME).unlink()
    fill(place / "standby")
    with open_repository(place) as repository:
        reads_well(repository, point)
        with repository.open_point(point.id) as reader:
            assert isinstance(reader.without_lease, StandbyFull)


def test_on_a_full_standby_points_are_deleted_and_their_space_comes_back(place: Path) -> None:
    with open_repository(place) as repository:
        kept = back_up(repository, MemoryDisk(CONTENT))
        gone = back_up(repository, MemoryDisk(random_bytes(6 * MIB, 2)), number=1, rule_name="other")
        fill(place / "standby")
        repository.delete_point(gone.id)
        assert [point.id for point in repository.deleted_points()] == [gone.id]
        report = collect_garbage(repository)
        assert report.purged_points == (gone.id,)
        assert free_bytes(place) > 4 * MIB
        assert read_back(repository, kept.id) == CONTENT
        assert (place / "standby" / RESERVE_NAME).stat().st_size == RESERVE_BYTES, "it is made again"


def test_a_point_that_was_deleted_on_a_full_standby_can_be_taken_back(place: Path) -> None:
    point = made(place)
    fill(place / "standby")
    with open_repository(place) as repository:
        repository.delete_point(point.id)
        assert repository.take_back_point(point.id) == point


def test_a_repository_made_earlier_gets_its_reserve_and_an_empty_one_has_none(tmp_path: Path) -> None:
    reserve = tmp_path / "standby" / RESERVE_NAME
    with open_repository(tmp_path) as repository:
        assert not reserve.exists()
        point = back_up(repository, MemoryDisk(CONTENT))
        reserve.unlink()
        read_back(repository, point.id)
        assert reserve.stat().st_size == RESERVE_BYTES
        repository.delete_point(point.id)
        assert reserve.exists(), "its space is still to be freed"
        collect_garbage(repository)
        assert not reserve.exists()
