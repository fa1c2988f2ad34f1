"""Renames and deletions wait while a scanner of Windows holds a file; a file that stays held is an error."""

import ast
import os
from pathlib import Path

import pytest

from app.core import durable
from app.core.durable import (
    long_path,
    plain_path,
    remove_directory,
    remove_directory_tree,
    remove_what_can_be,
    rename,
    replace,
    unlink,
)
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.standbys.filesystems import look_at
from tests.support.held_files import Held, scanned

APP = Path(__file__).parents[3] / "app"
PATIENT = sorted(
    [
        APP / "core" / "sheets.py",
        APP / "engine" / "standbys" / "filesystems.py",
        *(module for layer in ("repository", "catalog", "secretstore") for module in (APP / layer).rglob("*.py")),
        *(APP / "engine" / "export").glob("*.py"),
    ]
)
FORBIDDEN = {"rename", "unlink", "rmdir", "rmtree", "remove", "renames", "removedirs"}


class Scanner:
    """Holds files for a number of attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, winerror: int) -> None:
        self.times, self.winerror = times, winerror
        for name in ("rename", "replace", "unlink", "rmdir"):
            self._guard(monkeypatch, name)
        monkeypatch.setattr(durable, "_PAUSES_S", (0.0,) * 9)

    def _guard(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(Path, name)

        def guarded(*args: object, **kwargs: object) -> object:
            if self.times > 0:
                self.times -= 1
                raise Held(name, self.winerror)
            return real(*args, **kwargs)

        monkeypatch.setattr(Path, name, guarded)


@pytest.mark.parametrize("winerror", [5, 32, 33])
@pytest.mark.parametrize("times", [1, 5, 9])
def test_a_held_file_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winerror: int, times: int
) -> None:
    scanner = Scanner(monkeypatch, 0, winerror)
    (tmp_path / "a").write_bytes(b"x")
    scanner.times = times
    rename(tmp_path / "a", tmp_path / "b")
    scanner.times = times
    replace(tmp_path / "b", tmp_path / "c")
    scanner.times = times
    unlink(tmp_path / "c")
    (tmp_path / "d").mkdir()
    scanner.times = times
    remove_directory(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_stays_held_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scanner(monkeypatch, 1000, 32)
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(PermissionError):
        rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(PermissionError):
        unlink(tmp_path / "a", missing_ok=True)


def test_other_errors_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.durable.time.sleep", lambda _seconds: pytest.fail("it waited"))
    with pytest.raises(FileNotFoundError):
        rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        unlink(tmp_path / "a")
    unlink(tmp_path / "a", missing_ok=True)


def test_a_tree_is_deleted_while_a_scanner_looks_at_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, held = os.unlink, [2]

    def guarded(*args: object, **kwargs: object) -> None:
        if held[0]:
            held[0] -= 1
            raise Held("file")
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "_PAUSES_S", (0.0,) * 9)
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_bytes(b"x")
    monkeypatch.setattr(os, "unlink", guarded)
    remove_directory_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_what_cannot_be_deleted_is_named_the_rest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.unlink

    def guarded(path: str, **kwargs: int) -> None:
        if Path(path).name == "stuck":
            raise PermissionError(1, "Operation not permitted", path)
        real(path, **kwargs)

    (tmp_path / "tree" / "deep").mkdir(parents=True)
    for name in ("a", "deep/stuck", "deep/z", "z"):
        (tmp_path / "tree" / name).write_bytes(b"x")
    monkeypatch.setattr(os, "unlink", guarded)
    assert list(remove_what_can_be(tmp_path / "tree")) == [tmp_path / "tree" / "deep" / "stuck"]
    assert [path.name for path in (tmp_path / "tree").rglob("*")] == ["deep", "stuck"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\backup\\points", "\\\\?\\C:\\backup\\points"),
        ("C:/backup/points", "\\\\?\\C:\\backup\\points"),
        ("\\\\nas\\share\\backup", "\\\\?\\UNC\\nas\\share\\backup"),
        ("//nas/share/backup", "\\\\?\\UNC\\nas\\share\\backup"),
        ("\\\\?\\C:\\backup", "\\\\?\\C:\\backup"),
        ("relative\\path", "relative\\path"),
    ],
)
def test_long_paths_of_windows(path: str, expected: str) -> None:
    assert str(long_path(Path(path), windows=True)) == expected
    assert long_path(Path(path), windows=False) == Path(path)


@pytest.mark.parametrize("path", ["C:\\backup\\points", "\\\\nas\\share\\backup", "relative\\path"])
def test_an_operator_sees_a_long_path_as_they_typed_it(path: str) -> None:
    assert plain_path(long_path(Path(path), windows=True)) == Path(path)


def test_a_scanner_makes_no_standby_unwritable(tmp_path: Path) -> None:
    standby = Standby(id=StandbyId("s"), name="nas", root_path=str(tmp_path))
    with scanned(".standfast-probe-*", attempts=3):
        health = look_at(standby)
    assert (health.writable, health.error) == (True, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", PATIENT, ids=lambda module: str(module.relative_to(APP)))
def test_files_that_scanners_read_are_renamed_and_deleted_in_one_way(module: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called, owner = node.func.attr, node.func.value
        if called == "remove" and not (isinstance(owner, ast.Name) and owner.id in ("os", "shutil")):
            continue  # Leftovers.remove and similar methods
        if called in FORBIDDEN or (called == "replace" and isinstance(owner, ast.Name) and owner.id == "os"):
            found.append(f"{module.name}:{node.lineno}: {ast.unparse(node.func)}")
    assert found == [], "use app.core.durable, which waits while a scanner holds a file"
