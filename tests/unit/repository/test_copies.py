"""What this machine knows of a repository holds for the packs of one root, as they are, and for nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.repository import Repository
from app.repository.layout import Layout
from tests.support.platforms import posix_only
from tests.unit.repository.helpers import MemoryDisk, back_up, open_repository, random_bytes, read_back

CONTENT = random_bytes(3_000_000, seed=7)


def repository_at(root: Path, local: Path) -> Repository:
    return Repository.open(root, local_dir=local, clock=SystemClock())


def copy_with(way: str, standby: Path, copy: Path) -> None:
    if way == "moved aside and copied back":
        standby.rename(standby.with_name("aside"))
        shutil.copytree(standby.with_name("aside"), standby)
        shutil.copytree(standby, copy)
    elif way == "inside of the original":
        shutil.copytree(standby, copy.with_name("scratch"))
        copy.with_name("scratch").rename(standby / "#recycle")
        (standby / "#recycle").rename(copy)
    else:
        shutil.copytree(standby, copy)


@pytest.mark.parametrize("way", ["copied", "moved aside and copied back", "inside of the original"])
def test_a_copy_and_its_original_believe_nothing_of_each_other(tmp_path: Path, way: str) -> None:
    with open_repository(tmp_path):
        pass
    standby, copy, local = tmp_path / "standby", tmp_path / "copy", tmp_path / "local"
    copy_with(way, standby, copy)
    with repository_at(standby, local) as first, repository_at(copy, local) as second:
        assert first.id == second.id
        points = [back_up(each, MemoryDisk(CONTENT), number=number) for number, each in enumerate((first, second))]
        more = back_up(first, MemoryDisk(CONTENT), number=5)
        for each, point in ((first, points[0]), (second, points[1]), (first, more)):
            assert read_back(each, point.id) == CONTENT


@posix_only("making links needs a privilege on Windows")
def test_two_paths_to_one_root_share_what_is_known(tmp_path: Path) -> None:
    with open_repository(tmp_path):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "standby")
    local = tmp_path / "local"
    with repository_at(tmp_path / "standby", local) as first, repository_at(tmp_path / "link", local) as second:
        back_up(first, MemoryDisk(CONTENT), number=1)
        again = back_up(second, MemoryDisk(CONTENT), number=2)
        assert again.stored_bytes == 0
        assert len(list((local / "locators").iterdir())) == 1


def test_a_disk_that_was_exchanged_at_its_place_is_read_as_it_is(tmp_path: Path) -> None:
    with open_repository(tmp_path):
        pass
    standby = tmp_path / "standby"
    shutil.copytree(standby, tmp_path / "other")
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT), number=1)
    standby.rename(tmp_path / "taken out")
    (tmp_path / "other").rename(standby)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT), number=2)
        assert read_back(repository, point.id) == CONTENT


def cut_to(size: int) -> Callable[[Path], None]:
    def damage(pack: Path) -> None:
        with pack.open("r+b") as file:
            file.truncate(size if size >= 0 else pack.stat().st_size + size)

    return damage


def lengthen(pack: Path) -> None:
    with pack.open("ab") as file:
        file.write(b"\0")


def blank_the_end(pack: Path) -> None:
    """As a power cut leaves a file: as long as it was, and its last part never written."""
    size = pack.stat().st_size
    with pack.open("r+b") as file:
        file.truncate(size // 3)
        file.truncate(size + 1)


def replace_by_a_directory(pack: Path) -> None:
    pack.unlink()
    pack.mkdir()


def replace_by_a_link(pack: Path) -> None:
    elsewhere = pack.parents[3] / pack.name
    pack.rename(elsewhere)
    pack.symlink_to(elsewhere)


DAMAGES = {
    "nothing left": cut_to(0),
    "one block left": cut_to(4096),
    "a byte short": cut_to(-1),
    "its footer gone": cut_to(-500),
    "longer": lengthen,
    "the end never written": blank_the_end,
    "a directory": replace_by_a_directory,
    "a link": replace_by_a_link,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("reopened", [True, False])
def test_the_next_full_backup_stores_again_what_damaged_packs_held(
    tmp_path: Path, damage: Callable[[Path], None], reopened: bool
) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT), number=1)
        if not reopened:
            for pack in list(Layout(tmp_path / "standby").packs.glob("*/*.pack")):
                damage(pack)
            point = back_up(repository, MemoryDisk(CONTENT), number=2)
            assert read_back(repository, point.id) == CONTENT
            return
    for pack in list(Layout(tmp_path / "standby").packs.glob("*/*.pack")):
        damage(pack)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT), number=2)
        assert read_back(repository, point.id) == CONTENT
