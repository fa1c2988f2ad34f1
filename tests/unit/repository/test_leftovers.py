"""A file that cannot be deleted is named once and stays in place; backup, garbage collection and repair go on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.repository.garbageplan import GarbageCollectionPolicy
from tests.support.held_files import held
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(3_000_000)


@contextmanager
def undeletable(path: Path) -> Iterator[None]:
    """Make a file that no one can delete or change, as a scanner or the server itself may."""
    if os.name == "nt":
        with held(path):
            yield
        return
    tool = shutil.which("chattr")
    if tool is None or subprocess.run([tool, "+i", str(path)], capture_output=True, check=False).returncode:
        pytest.skip("this file system knows no undeletable files")
    try:
        yield
    finally:
        subprocess.run([tool, "-i", str(path)], capture_output=True, check=False)


@contextmanager
def undeletable_below(root: Path, path: Path) -> Iterator[None]:
    """The same for a file that may be moved with its directory."""
    with undeletable(path):
        try:
            yield
        finally:
            for place in root.rglob(path.name) if os.name == "posix" else ():
                subprocess.run(["chattr", "-i", str(place)], capture_output=True, check=False)


@pytest.mark.parametrize("name", ["stuck", "deep/.nfs0001", f"{'c' * 32}.pack"])
def test_a_leftover_in_staging_blocks_nothing_and_does_not_wander(tmp_path: Path, name: str) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
    standby = tmp_path / "standby"
    stuck = standby / "staging" / "dead" / name
    stuck.parent.mkdir(parents=True)
    stuck.write_bytes(b"x")
    (standby / "staging" / "dead" / "other").write_bytes(b"x")
    with undeletable_below(standby, stuck):
        with open_repository(tmp_path) as repository:
            for number in (1, 2, 3):
                point = back_up(repository, MemoryDisk(CONTENT), number=number)
                assert read_back(repository, point.id) == CONTENT
                assert stuck.exists()
            assert list(repository.take_leftovers()) == [stuck]
            assert collect_garbage(repository, GarbageCollectionPolicy()).finished
            assert stuck.exists()
            assert repository.take_leftovers() == {}
        assert [path.name for path in (standby / "staging").iterdir()] == ["dead"]
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT), number=4)
    assert list((standby / "staging").iterdir()) == []


UNFINISHED = [".repository.json.0123456789abcdef.new", ".space.reserve.0123456789abcdef.new"]


@pytest.mark.parametrize("name", ["locks/dead.new", "locks/dead.waiting", "keys/x.new", *UNFINISHED])
def test_a_stray_file_blocks_no_garbage_collection(tmp_path: Path, name: str) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        stray = tmp_path / "standby" / name
        stray.write_bytes(b"x")
        with undeletable(stray):
            assert collect_garbage(repository, GarbageCollectionPolicy()).finished
            assert list(repository.take_leftovers()) == [stray]


def test_what_killed_processes_began_in_the_root_goes_and_files_of_others_stay(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        standby = tmp_path / "standby"
        others = [f"space.reserve.{os.getpid()}.new", "repository.json.new", ".space.reserve.mine.new", "a.new"]
        for name in (*UNFINISHED, *others):
            (standby / name).write_bytes(b"x")
        (standby / "space.reserve").unlink()
        read_back(repository, point.id)
        assert (standby / "space.reserve").exists(), "it is made beside a file of somebody else"
        assert collect_garbage(repository)
        left = {path.name for path in standby.iterdir()} & {*UNFINISHED, *others}
    assert left == set(others)


def test_a_deleted_point_with_an_undeletable_file_blocks_no_garbage_collection(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        kept = back_up(repository, MemoryDisk(random_bytes(1_000_000, seed=5)), number=1)
        repository.delete_point(point.id)
        standby = tmp_path / "standby"
        stuck = next((standby / "trash").rglob("point.json"))
        with undeletable_below(standby, stuck):
            assert collect_garbage(repository).finished
            assert len(repository.take_leftovers()) == 1
            assert collect_garbage(repository).finished
            assert repository.deleted_points() == ()
            assert {point.id for point in repository.points().points} == {kept.id}


def test_a_pack_that_cannot_be_deleted_blocks_no_garbage_collection(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        repository.delete_point(point.id)
        packs = sorted((tmp_path / "standby" / "packs").rglob("*.pack"))
        with undeletable(packs[0]):
            assert collect_garbage(repository).finished
            assert sorted((tmp_path / "standby" / "packs").rglob("*.pack")) == [packs[0]]
            assert list(repository.take_leftovers()) == [packs[0]]
        assert collect_garbage(repository).finished
        assert not packs[0].exists()
