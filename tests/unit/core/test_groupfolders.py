"""A folder is opened to a group: what the group and everyone else may do, and what stays when it is refused."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.groupfolders import is_open_to_group, open_to_group, own_groups

pytestmark = pytest.mark.skipif(os.name == "nt", reason="access lists there")

ROOT = Path(__file__).parents[3]
TRY = r"""
import os, sys
from pathlib import Path
from app.core.groupfolders import open_to_group
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    open_to_group(Path(sys.argv[1]), sys.argv[2])
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(params=[0o000, 0o022, 0o077], autouse=True, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def group() -> str:
    return own_groups()[-1]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_main_group_comes_first() -> None:
    import grp

    assert own_groups()[0] == grp.getgrgid(os.getegid()).gr_name
    assert len(set(own_groups())) == len(own_groups())


@pytest.mark.parametrize("before", [0o700, 0o755, 0o777])
def test_an_empty_folder_is_for_the_group_and_no_one_else(tmp_path: Path, group: str, before: int) -> None:
    folder = tmp_path / "standby"
    folder.mkdir()
    folder.chmod(before)
    assert not is_open_to_group(folder, group)
    open_to_group(folder, group)
    assert mode(folder) == 0o2770
    assert folder.group() == group
    assert is_open_to_group(folder, group)


def test_content_of_others_stays_as_it_is(tmp_path: Path, group: str) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "theirs").write_text("x")
    (folder / "theirs").chmod(0o604)
    open_to_group(folder, group)
    assert mode(folder) == 0o2775, "who could enter still can"
    assert mode(folder / "theirs") == 0o604


def test_a_folder_that_is_prepared_is_not_touched(tmp_path: Path, group: str) -> None:
    folder = tmp_path / "standby"
    folder.mkdir()
    open_to_group(folder, group)
    folder.chmod(0o2775)
    open_to_group(folder, group)
    assert mode(folder) == 0o2775


@pytest.mark.parametrize("name", ["no-such-group-here", "", "a\0b", "a\udc80"])
def test_a_group_that_is_not_there_changes_nothing(tmp_path: Path, name: str) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(LookupError):
        open_to_group(tmp_path, name)
    assert mode(tmp_path) == 0o755


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("is_owner", [True, False])
def test_a_refusal_leaves_the_folder_as_it_was(open_place: Path, is_owner: bool) -> None:
    folder = open_place / "standby"
    folder.mkdir()
    os.chown(folder, 65534 if is_owner else 0, 65534)
    folder.chmod(0o755)
    before = folder.stat()
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(folder), "daemon"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["PermissionError"], done.stderr
    after = folder.stat()
    assert (after.st_gid, after.st_mode) == (before.st_gid, before.st_mode)
