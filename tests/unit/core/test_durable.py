"""Small durable files: at every instant a reader finds the old content or the new."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from app.core import durable
from app.core.durable import is_scratch_of, rename_to_new, replace_durably, scratch_path_for
from app.core.privatefiles import create_private
from tests.support.platforms import posix_only, wine_lacks

OLD, NEW = b"old content", b"new content, which is longer"

KILLED_AT_STEP = """
import os, sys
from pathlib import Path
from app.core.durable import replace_durably

path, step, new = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
calls = 0

def dying(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == step:
            os._exit(77)
        return real(*args, **kwargs)
    setattr(os, name, call)

for name in ("open", "fdopen", "fsync", "replace", "close"):
    dying(name)
replace_durably(path, new)
os._exit(0)
"""


def run_killed_at(step: int, path: Path) -> int:
    command = [sys.executable, "-c", KILLED_AT_STEP, str(path), str(step), NEW.decode()]
    return subprocess.run(command, check=False, timeout=60).returncode


def test_a_process_killed_between_any_two_steps_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    seen = []
    for step in range(1, 20):
        path = tmp_path / f"step-{step}"
        path.write_bytes(OLD)
        status = run_killed_at(step, path)
        seen.append(path.read_bytes())
        if status == 0:
            break
    assert status == 0, "the writer has more steps than this test kills"
    assert set(seen) == {OLD, NEW}
    assert seen == sorted(seen, reverse=True), "once the new content is there it stays"


def test_the_content_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_durably(path, NEW)
    replace_durably(path, OLD)
    assert path.read_bytes() == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_the_owners_only_unless_asked(tmp_path: Path) -> None:
    replace_durably(tmp_path / "a", NEW)
    replace_durably(tmp_path / "b", NEW, mode=0o640)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o600, 0o640]


def test_a_failed_write_leaves_the_old_content_and_no_scratch(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(OSError, match="file"):
        replace_durably(path, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- names -------------------------------------------------------------------------------------------------------


def test_two_files_that_are_not_whole_yet_never_have_one_name(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    names = {scratch_path_for(file).name for _ in range(100)}
    assert len(names) == 100
    assert all(is_scratch_of(file, name) for name in names)
    assert not any(is_scratch_of(tmp_path / "list", name) for name in names)
    assert not any(is_scratch_of(file, name) for name in ("list.csv", ".list.csv.tmp", ".list.csv.mine.tmp"))


DEAD_LINK = wine_lacks("links whose target is missing")
on_posix = posix_only("Windows renames without overwriting, and reserves no name")
WAYS = ["hard link", "rename that refuses", "reserved name"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a file system lets a file take a new name."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param != WAYS[0]:
        monkeypatch.setattr(os, "link", refuse)
    if request.param == WAYS[2]:
        monkeypatch.setattr(durable, "_NO_REPLACE", 1 << 20)  # no flag of this system: it refuses with EINVAL
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_a_file_takes_a_name_that_is_free(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(NEW)
    rename_to_new(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert target.read_bytes() == NEW


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "kind",
    ["file", "empty file", "folder", pytest.param("dead link", marks=DEAD_LINK)],
)
def test_a_taken_name_stays_what_it_is(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(NEW)
    if kind == "folder":
        target.mkdir()
    elif kind == "dead link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        target.write_bytes(OLD if kind == "file" else b"")
    before = target.lstat()
    with pytest.raises(FileExistsError):
        rename_to_new(source, target)
    assert (source.read_bytes(), os.path.samestat(target.lstat(), before)) == (NEW, True)


@on_posix
@pytest.mark.parametrize("way", [WAYS[2]], indirect=True)
@pytest.mark.parametrize("written", [b"", b"precious"], ids=["another file", "the reserved one, written to"])
def test_a_file_that_takes_the_place_of_the_reserved_name_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, written: bytes
) -> None:
    assert way
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(NEW)

    def create_and_lose(path: Path) -> BinaryIO:
        made = create_private(path)
        if written:
            path.write_bytes(written)
        else:
            (tmp_path / "other").touch()
            (tmp_path / "other").replace(path)
        return made

    monkeypatch.setattr(durable, "create_private", create_and_lose)
    with pytest.raises(FileExistsError):
        rename_to_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (NEW, written)


@on_posix
@pytest.mark.parametrize("way", [WAYS[2]], indirect=True)
def test_a_reserved_name_is_given_up_when_the_rename_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert way
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(NEW)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "replace", fail)
    with pytest.raises(OSError, match="Input/output"):
        rename_to_new(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
