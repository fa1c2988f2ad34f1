"""What goes into every package."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.package import contents
from tools.saying import Refused

THIS_PYTHON = (sys.executable,)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("value = 1\n")
    return folder


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_is_never_loaded_is_left_out_with_the_folders_that_are_empty_then(tmp_path: Path) -> None:
    fill(
        tmp_path, "bin/tool", "numpy/core.py", "numpy/ma/tests/test_ma.py", "numpy/core.pyi", "a.dist-info/RECORD"
    )
    contents.leave_out(tmp_path, ["bin/*", "numpy/*/tests/*", "*.pyi", "*.dist-info/RECORD"])
    assert below(tmp_path) == {"numpy", "numpy/core.py"}


def test_of_a_library_only_what_is_chosen_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, "QtCore.pyd", "QtQml.pyd", "plugins/platforms/qwindows.dll", "plugins/sqldrivers/qsqlite.dll")
    contents.keep_only(tmp_path, ["QtCore.*", "plugins/platforms/qwindows.dll"])
    assert below(tmp_path) == {"QtCore.pyd", "plugins", "plugins/platforms", "plugins/platforms/qwindows.dll"}


def test_the_program_is_copied_without_what_an_interpreter_leaves(tmp_path: Path) -> None:
    contents.copy_sources(tmp_path / "program")
    assert {"app", "etc", "main.py", "resources", "LICENSE"} == {
        path.name for path in (tmp_path / "program").iterdir()
    }
    assert not [name for name in below(tmp_path) if name.endswith(".pyc") or "__pycache__" in name]
    asked = [sys.executable, str(tmp_path / "program" / "main.py"), "--version"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.startswith("Standfast ")


def test_byte_code_is_the_same_wherever_and_whenever_it_is_made(tmp_path: Path) -> None:
    digests = []
    for name, time_s in (("first", 1_700_000_000), ("second", 1_750_000_000)):
        folder = fill(tmp_path / name, "program/main.py", "lib/one/__init__.py")
        os.utime(folder / "program/main.py", (time_s, time_s))
        contents.compile_all(folder, THIS_PYTHON)
        made = sorted(folder.rglob("*.pyc"))
        assert len(made) == 2
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in made])
    assert digests[0] == digests[1]


def test_a_program_that_does_not_compile_is_no_package(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path, "lib/one.py", "program/main.py")
    (folder / "program/main.py").write_text("def broken(:\n")
    with pytest.raises(Refused, match="could not be compiled"):
        contents.compile_all(folder, THIS_PYTHON)
    assert "SyntaxError" in capfd.readouterr().out


def test_a_template_of_a_library_need_not_compile(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path, "lib/one.py", "program/main.py")
    (folder / "lib/template.py").write_text("${name} = 1\n")
    contents.compile_all(folder, THIS_PYTHON)
    capfd.readouterr()
    assert len(list(folder.rglob("*.pyc"))) == 2


def test_everything_in_a_package_has_the_time_of_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "lib/one.py", "program/main.py")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    contents.set_times(tmp_path, contents.commit_time())
    assert {path.stat().st_mtime for path in tmp_path.rglob("*")} == {1_700_000_000}
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert contents.commit_time() > 1_700_000_000
