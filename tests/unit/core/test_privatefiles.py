"""What the program writes is its user's alone, whatever the umask; a standby may be for a group."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalog.database import Database
from app.core.clock import SystemClock
from app.core.durable import replace_durably
from app.core.privatefiles import (
    create_private,
    create_private_text,
    make_folders_on_standby,
    make_private_folders,
    open_on_standby,
    take_from_others,
)
from app.core.sheets import SheetFile
from app.engine.standbys.filesystems import MARK_NAME, adopt_root
from app.logs import ProgramLog
from app.paths import find_folders
from app.repository import Repository
from tests.unit.repository.helpers import SMALL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="access lists there")


@pytest.fixture(params=[0o000, 0o022, 0o077], autouse=True, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_below(root: Path) -> tuple[set[int], set[int]]:
    """Return the modes of all folders and of all files below a folder."""
    found = list(root.rglob("*"))
    return {mode(path) for path in found if path.is_dir()}, {mode(path) for path in found if path.is_file()}


def test_new_files_and_folders_are_private(tmp_path: Path) -> None:
    make_private_folders(tmp_path / "a" / "b")
    create_private(tmp_path / "a" / "bytes").close()
    create_private_text(tmp_path / "a" / "text", encoding="utf-8").close()
    replace_durably(tmp_path / "a" / "small", b"")
    assert modes_below(tmp_path) == ({0o700}, {0o600})


def test_an_existing_file_is_not_opened_again(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_repository_is_private(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    assert adopt_root(root) is not None
    Repository.create(root / "db", SMALL, local_dir=tmp_path / "local", clock=SystemClock()).close()
    assert mode(root) == 0o700
    assert modes_below(tmp_path) == ({0o700}, {0o600})


def test_a_standby_for_a_group_stays_for_that_group_only(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    root.mkdir()
    root.chmod(0o2770)
    assert adopt_root(root) is not None
    make_folders_on_standby(root / "site" / "db")
    Repository.create(root / "site" / "db", SMALL, local_dir=tmp_path / "local", clock=SystemClock()).close()
    folders, files = modes_below(root)
    assert folders == {0o2770}
    assert mode(root / MARK_NAME) == 0o660
    assert files <= {0o660, 0o600}, files
    os.close(open_on_standby(root / "site" / "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    assert mode(root / "site" / "new") == 0o660


@pytest.mark.parametrize("setgid_or_group", [0o2755, 0o0770, 0o2750])
def test_half_a_choice_is_none(tmp_path: Path, setgid_or_group: int) -> None:
    root = tmp_path / "standby"
    root.mkdir()
    root.chmod(setgid_or_group)
    os.close(open_on_standby(root / "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    assert mode(root / "new") == 0o600


def test_tables_are_private(tmp_path: Path) -> None:
    with SheetFile(tmp_path / "list.csv") as sheet:
        sheet.write([["a"]])
    assert mode(tmp_path / "list.csv") == 0o600


def test_the_catalog_is_private_and_an_old_one_becomes_it(tmp_path: Path) -> None:
    file = tmp_path / "data" / "catalog.db"
    Database.open(file).close()
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)
    file.chmod(0o644)
    Database.open(file).close()
    assert mode(file) == 0o600


def test_folders_of_the_program_that_others_could_enter_become_private(tmp_path: Path) -> None:
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "home")})
    folders.data.mkdir(parents=True)
    folders.data.chmod(0o755)
    folders.create()
    assert {mode(folder) for folder in (folders.config, folders.data, folders.local, folders.logs)} == {0o700}


def test_nothing_is_added_where_rights_are_taken(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("")
    file.chmod(0o444)
    link.symlink_to(file)
    take_from_others(link)
    assert mode(file) == 0o444
    take_from_others(file)
    assert mode(file) == 0o400
    take_from_others(tmp_path / "nowhere")


def test_logs_are_private_and_an_old_one_becomes_it(tmp_path: Path) -> None:
    old = tmp_path / "logs" / "standfast.log"
    make_private_folders(old.parent)
    old.write_text("")
    old.chmod(0o644)
    log = ProgramLog(old.parent).start()
    logging.getLogger("app").info("a line")
    log.stop()
    assert modes_below(tmp_path) == ({0o700}, {0o600})
