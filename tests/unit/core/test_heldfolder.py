"""A folder is known again, and no other one is taken for it."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.heldfolder import HeldFolder
from tests.support.platforms import wine_lacks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def held(folder: Path) -> Iterator[HeldFolder]:
    made = HeldFolder(folder)
    yield made
    made.close()
    made.close()


def refuse(held: HeldFolder) -> None:
    with pytest.raises(OSError, match="folder") as refused:
        held.check()
    assert refused.value.errno == errno.ESTALE
    assert not isinstance(refused.value, FileNotFoundError), "the files in it are not known to be gone"


def test_it_is_there_while_nothing_happens(held: HeldFolder) -> None:
    held.check()


def test_one_that_was_renamed_is_away_until_it_is_back(held: HeldFolder, folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    refuse(held)
    folder.with_name("elsewhere").rename(folder)
    held.check()


@wine_lacks("numbers of files that never come again")
def test_another_of_the_same_name_is_another(held: HeldFolder, folder: Path) -> None:
    folder.rmdir()
    folder.mkdir()
    refuse(held)


@wine_lacks("numbers of files that never come again")
def test_a_file_in_its_place_is_another(held: HeldFolder, folder: Path) -> None:
    folder.rmdir()
    folder.write_bytes(b"")
    refuse(held)


def test_there_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HeldFolder(tmp_path / "missing")
