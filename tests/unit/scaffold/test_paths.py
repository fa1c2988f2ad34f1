"""Where files lie: an override, a portable copy, or the platform's folders."""

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from app.paths import (
    LAUNCHED,
    Folders,
    FolderUnusable,
    HomeUnusable,
    find_folders,
    program_command,
    program_folder,
)

REPOSITORY_ROOT = Path(__file__).parents[3]


def writable(folders: Folders) -> list[Path]:
    return [folders.config, folders.data, folders.local, folders.logs]


def test_the_program_folder_contains_the_shipped_configuration() -> None:
    assert program_folder() == REPOSITORY_ROOT
    assert find_folders({}).shipped_config_file.is_file()


def test_standfast_home_puts_everything_under_one_folder(tmp_path: Path) -> None:
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "家")})
    assert all(folder.parent == tmp_path / "家" for folder in writable(folders))
    assert len(set(writable(folders))) == 4
    assert folders.user_config_file == tmp_path / "家" / "config" / "system.conf"


def test_a_relative_home_is_fixed_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = find_folders({"STANDFAST_HOME": "here"})
    monkeypatch.chdir(tmp_path.parent)
    assert folders.data == tmp_path / "here" / "data"


def test_a_portable_copy_keeps_its_files_next_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "portable").touch()
    folders = find_folders({}, program=tmp_path)
    assert all(folder.parent == tmp_path / "standfast-data" for folder in writable(folders))


def test_the_override_goes_before_the_portable_marker(tmp_path: Path) -> None:
    (tmp_path / "portable").touch()
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "home")}, program=tmp_path)
    assert folders.data == tmp_path / "home" / "data"


def test_without_either_the_platform_decides_for_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    folders = find_folders({}, program=tmp_path)
    assert all("standfast" in str(folder).lower() for folder in writable(folders))
    assert len(set(writable(folders))) == 4 or os.name == "nt"
    if os.name == "posix":
        assert folders.config == tmp_path / "XDG_CONFIG_HOME" / "standfast"


def test_finding_creates_nothing_and_creating_is_for_this_user_only(tmp_path: Path) -> None:
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "home")})
    assert not (tmp_path / "home").exists()
    folders.create()
    folders.create()
    assert all(folder.is_dir() for folder in writable(folders))
    if os.name == "posix":
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in writable(folders)} == {0o700}


def test_a_folder_that_cannot_be_created_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "file")})
    with pytest.raises(FolderUnusable) as caught:
        folders.create()
    assert str(folders.config) in caught.value.message
    assert "STANDFAST_HOME" in caught.value.hint


@pytest.mark.parametrize(
    "home",
    [
        # Windows takes it for a folder next to the user's own.
        *([] if os.name == "nt" else ["~nobody-of-this-name/x"]),
        " ",
        "\t",
        "a\0b",
        "/tmp/\udcff",
    ],
)
def test_a_home_that_names_no_folder_is_refused_with_what_to_do(home: str) -> None:
    with pytest.raises(HomeUnusable) as caught:
        find_folders({"STANDFAST_HOME": home})
    assert "STANDFAST_HOME" in caught.value.hint
    assert caught.value.message.encode()


@pytest.mark.skipif(os.name == "nt", reason="there is no account without a profile")
def test_without_a_home_folder_and_an_account_nothing_lands_in_a_folder_called_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def unknown(_user: int) -> object:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for environment in ({}, {"STANDFAST_HOME": "~/x"}):
        with pytest.raises(HomeUnusable) as caught:
            find_folders(environment, program=tmp_path)
        assert "STANDFAST_HOME" in caught.value.hint


def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = find_folders({"STANDFAST_HOME": str(tmp_path / "home")})

    def refuse(**_: object) -> object:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("app.paths.tempfile.TemporaryFile", refuse)
    with pytest.raises(FolderUnusable, match="Read-only file system"):
        folders.create()


def test_the_folder_of_the_logs_is_not_needed(tmp_path: Path) -> None:
    folders = find_folders({"STANDFAST_HOME": str(tmp_path)})
    folders.logs.write_text("a file in the way")
    folders.create()
    assert folders.data.is_dir()


def test_what_starts_the_program_is_the_launcher_where_one_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(Path("C:/Program Files/Standfast/debugctl.exe")))
    monkeypatch.setitem(sys._xoptions, LAUNCHED, True)
    launcher = str(Path("C:/Program Files/Standfast/Standfast.exe"))
    assert program_command("nfs", "--port", "2049") == [launcher, "nfs", "--port", "2049"]
    monkeypatch.delitem(sys._xoptions, LAUNCHED)
    assert program_command("nfs")[0] == sys.executable
    assert program_command("nfs")[-2:] == [str(program_folder() / "main.py"), "nfs"]
