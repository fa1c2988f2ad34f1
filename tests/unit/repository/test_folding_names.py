"""File systems that take two names for one: chains stay apart there, and those that were mixed are read whole."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.domain.ids import PointId
from app.domain.restore_point import RestorePoint
from app.repository import Repository
from app.repository.garbageplan import GarbageCollectionPolicy
from tests.support.platforms import posix_only
from tests.support.small_mounts import mounted_exfat
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(600_000)


def back_up_for(repository: Repository, rule: str, number: int) -> RestorePoint:
    return back_up(repository, MemoryDisk(CONTENT), number=number, rule_name=rule)


def check_all(repository: Repository, count: int) -> None:
    """All points are listed, readable, and can be deleted and taken back."""
    listing = repository.points()
    assert listing.damaged == ()
    assert len(listing.points) == count
    for point in listing.points:
        assert read_back(repository, point.id) == CONTENT
        assert point in repository.chain_points(point.chain)
    collect_garbage(repository, GarbageCollectionPolicy())
    first = listing.points[0]
    repository.delete_point(first.id)
    assert [entry.id for entry in repository.deleted_points()] == [first.id]
    assert repository.deleted_points()[0].point is not None
    assert repository.take_back_point(first.id).id == first.id
    collect_garbage(repository, GarbageCollectionPolicy())
    assert {point.id for point in repository.points().points} == {point.id for point in listing.points}


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    """A mounted exFAT file system."""
    with mounted_exfat(tmp_path / "exfat") as mount:
        yield mount.directory


def open_at(place: Path, local: Path, passphrase: str | None = None) -> Repository:
    root = place / "standby"
    if passphrase is None or root.exists():
        return Repository.open_or_create(root, SMALL, local_dir=local, clock=SystemClock())
    return Repository.create(root, SMALL, local_dir=local, clock=SystemClock(), passphrase=passphrase)


def test_rules_that_differ_in_case_stay_apart_on_exfat(exfat: Path, tmp_path: Path) -> None:
    with open_at(exfat, tmp_path / "local") as repository:
        back_up_for(repository, "Web", 0)
        first = back_up_for(repository, "web", 1)
        other = back_up_for(repository, "web", 2)
        back_up_for(repository, "WEB", 3)
        back_up_for(repository, "Web", 4)
        assert first.chain == other.chain
        assert len({point.chain for point in repository.points().points}) == 3
        check_all(repository, 5)


def test_a_mixed_chain_on_exfat_is_read_whole(
    exfat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_at(exfat, tmp_path / "local") as repository:
        with monkeypatch.context() as before:
            before.setattr(Repository, "chain_name", lambda _self, rule, vm, _address: f"{rule}_BAK_{vm}")
            back_up_for(repository, "Web", 0)
            back_up_for(repository, "web", 1)
            back_up_for(repository, "web", 2)
        check_all(repository, 3)


@pytest.mark.parametrize(
    ("left", "right"), [("Web", "web"), ("É", "é"), ("每日A", "每日a"), ("É", "E\u0301"), ("ß", "SS")]
)
@pytest.mark.parametrize("passphrase", [None, "correct horse battery"])
def test_names_that_fold_to_one_get_directories_that_do_not(
    tmp_path: Path, left: str, right: str, passphrase: str | None
) -> None:
    with open_at(tmp_path, tmp_path / "local", passphrase) as repository:
        chains = []
        for number in range(6):
            point = back_up_for(repository, (left, right)[number % 2], number)
            chains.append(unicodedata.normalize("NFKC", point.chain.casefold()))
        assert len(set(chains)) == 2
        assert chains[::2] == [chains[0]] * 3
        assert chains[1::2] == [chains[1]] * 3
        check_all(repository, 6)


@posix_only("Windows itself has one directory for both spellings")
@pytest.mark.parametrize("passphrase", [None, "correct horse battery"])
def test_points_of_another_spelling_in_one_directory_are_read(tmp_path: Path, passphrase: str | None) -> None:
    """What an earlier version left on a file system that folds names."""
    points = tmp_path / "standby" / "points"
    with open_at(tmp_path, tmp_path / "local", passphrase) as repository:
        first = back_up_for(repository, "Web", 0)
        for number in (1, 2):
            point = back_up_for(repository, "every day", number)
            assert point.chain != first.chain
        with pytest.MonkeyPatch.context() as before:
            before.setattr(
                Repository, "chain_name", lambda _self, rule, vm, _address: first.chain.replace("Web", rule)
            )
            other = back_up_for(repository, "web", 3)
        (points / other.id).rename(points / first.chain / other.id.split("/")[1])
        (points / other.chain).rmdir()
        listed = {point.id for point in repository.points().points}
        assert PointId(f"{first.chain}/{other.id.split('/')[1]}") in listed
        check_all(repository, 4)


def test_a_decomposed_directory_name_is_read(tmp_path: Path) -> None:
    """Some file systems and servers of Apple return names decomposed."""
    points = tmp_path / "standby" / "points"
    with open_repository(tmp_path) as repository:
        point = back_up_for(repository, "é", 0)
        (points / point.chain).rename(points / unicodedata.normalize("NFD", point.chain))
        check_all(repository, 1)
        assert repository.chain_name("é", point.facts.vm, point.facts.platform_address) == point.chain
