"""The command ``dev``: what it asks of a machine, and what it does with the answer."""

import ast
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[3]

posix_only = pytest.mark.skipif(os.name != "posix", reason="system packages are Debian's")


def load_dev(path: Path = PROJECT / "dev") -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("dev_command", str(path))
    spec = importlib.util.spec_from_loader("dev_command", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    sys.modules["dev_command"] = module
    exec(code, module.__dict__)
    return module


@pytest.fixture
def dev() -> ModuleType:
    return load_dev()


def run_dev(*arguments: str, folder: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(folder / "dev"), *arguments]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False, timeout=120)


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse((PROJECT / "dev").read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.skipif(os.name != "posix", reason="Windows starts it as: python dev")
def test_it_can_be_started_by_its_name() -> None:
    assert os.access(PROJECT / "dev", os.X_OK)
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)


def test_without_a_command_it_explains_all_of_them(dev: ModuleType) -> None:
    done = run_dev()
    assert done.returncode == 0
    assert [name for name in dev.COMMANDS if f"./dev {name} " not in done.stdout] == []


def test_an_unknown_command_is_an_error() -> None:
    assert run_dev("destroy").returncode == 2


def test_bench_lists_what_can_be_run_and_leaves_out_helpers(dev: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "transport.py").write_text('"""How fast.\n\nMore."""\nif __name__ == "__main__":\n    pass\n')
    (tmp_path / "page.py").write_text('"""A helper."""\n')
    assert dev.benchmarks(tmp_path) == {"transport": "How fast."}


def test_bench_without_a_name_shows_the_list(dev: ModuleType) -> None:
    done = run_dev("bench")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(
        dev.benchmarks(PROJECT / "tests" / "bench")
    )


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    done = run_dev("bench", "speed-of-light")
    assert done.returncode == 1
    assert "there is no benchmark speed-of-light" in done.stderr


# --- the environment ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """Return a project with an environment that is stamped as complete but has no pip: installing would fail."""
    project = tmp_path / "项目 with blanks"
    project.mkdir()
    shutil.copy(PROJECT / "dev", project)
    shutil.copytree(PROJECT / "requirements", project / "requirements")
    (project / "main.py").write_text("import os, sys; print(sys.prefix, os.getcwd(), sys.argv[1:])")
    venv.create(project / ".venv", with_pip=False, symlinks=os.name == "posix")
    module = load_dev(project / "dev")
    for name, locks in {"runtime": [module.RUNTIME_LOCK], "dev": [module.RUNTIME_LOCK, module.DEV_LOCK]}.items():
        (project / ".venv" / f"standfast-{name}.stamp").write_text(module.environment_stamp(locks))
    return project


def test_a_second_start_goes_straight_to_the_program(small_project: Path) -> None:
    done = run_dev("demo", "--keep", folder=small_project)
    assert done.stderr == ""
    assert done.stdout.split("\n")[0] == f"{small_project / '.venv'} {small_project} ['demo', '--keep']"


def test_a_changed_lock_installs_again(small_project: Path) -> None:
    lock = small_project / "requirements" / "runtime.txt"
    lock.write_text(lock.read_text() + "\n# changed\n")
    done = run_dev("demo", folder=small_project)
    assert done.returncode == 1
    assert "installing the packages pinned in runtime.txt" in done.stderr
    assert "pip could not install the pinned packages" in done.stderr


def test_the_status_of_the_program_is_the_status_of_dev(small_project: Path) -> None:
    (small_project / "main.py").write_text("raise SystemExit(7)")
    assert run_dev("run", folder=small_project).returncode == 7


def test_an_environment_of_another_python_is_not_taken_for_complete(dev: ModuleType, small_project: Path) -> None:
    module = load_dev(small_project / "dev")
    before = module.environment_stamp([module.RUNTIME_LOCK])
    config = small_project / ".venv" / "pyvenv.cfg"
    config.write_text(config.read_text().replace("version = 3.", "version = 4."))
    assert module.environment_stamp([module.RUNTIME_LOCK]) != before


# --- system packages ---------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put tools of Debian on the path that only say what they were asked; return their folder."""
    installed = 'grep -qx "$name" "$0.installed" && echo "installed $name"'
    tools = {
        "dpkg-query": f'shift 2; for name in "$@"; do {installed}; done; true',
        "apt-get": 'echo "$@" >> "$0.calls"',
        "apt-cache": '[ "$2" != libnew0t64 ] && echo "Package: $2"',
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in tools.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    (folder / "dpkg-query.installed").write_text("openssl\nlibold0\n")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


def apt_calls(machine: Path) -> list[str]:
    calls = machine / "apt-get.calls"
    return calls.read_text().splitlines() if calls.exists() else []


@posix_only
def test_root_installs_what_is_missing_and_no_more(
    dev: ModuleType, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    dev.require_packages(["openssl", "qemu-utils", "mtools"], purpose="the tests", essential=False)
    update, install = apt_calls(machine)
    assert update.startswith("update")
    assert " qemu-utils mtools " in install
    assert "openssl" not in install


@posix_only
def test_nothing_missing_asks_nothing_of_the_network(dev: ModuleType, machine: Path) -> None:
    dev.require_packages(["openssl", "libnew0t64|libold0"], purpose="the tests", essential=True)
    assert apt_calls(machine) == []


@posix_only
def test_others_are_told_what_is_missing_and_what_to_type(
    dev: ModuleType, machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    dev.require_packages(["openssl", "qemu-utils", "mtools"], purpose="the tests", essential=False)
    said = capsys.readouterr().err
    assert "missing system packages for the tests: qemu-utils mtools" in said
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends qemu-utils mtools" in said
    assert apt_calls(machine) == []


@posix_only
def test_others_cannot_go_on_without_an_essential_package(
    dev: ModuleType, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(dev.Refused, match="virtual environment"):
        dev.require_packages(["python3.11-venv"], purpose="making the virtual environment", essential=True)


@posix_only
def test_a_package_is_installed_by_the_name_that_this_release_knows(dev: ModuleType, machine: Path) -> None:
    assert dev.name_here("libnew0t64|libold0") == "libold0"
    assert dev.name_here("libglib2.0-0t64|libglib2.0-0") == "libglib2.0-0t64"


@posix_only
def test_a_machine_without_debians_tools_is_left_alone(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    dev.require_packages(["qemu-utils"], purpose="the tests", essential=True)


# --- checks ------------------------------------------------------------------------------------------------------


def test_every_check_runs_and_the_summary_shows_each(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    checks = [
        dev.Check("good", ["-c", "print('silent when all is well')"]),
        dev.Check("bad", ["-c", "print('what went wrong'); raise SystemExit(3)"]),
        dev.Check("long", ["-c", "print('seen as it comes')"], shows_progress=True),
    ]
    assert dev.run_checks(checks, dict(os.environ)) == 3
    shown = capfd.readouterr().out
    assert "silent when all is well" not in shown
    assert "what went wrong" in shown
    assert "seen as it comes" in shown
    rows = [line.split()[:2] for line in shown.split("=== summary\n")[1].splitlines()]
    assert rows == [["good", "passed"], ["bad", "FAILED"], ["long", "passed"]]


@pytest.mark.parametrize("argument", ["-x", "-n0", "--pdb", "-s", "--collect-only", "-n=3"])
def test_a_developer_who_steers_pytest_is_not_overruled(dev: ModuleType, argument: str) -> None:
    assert dev.parallel_options(["tests/unit", argument]) == []


# --- the lock ----------------------------------------------------------------------------------------------------

ROWS = [("jeepney==0.9.0", "00"), ("numpy==2.4.6", "11"), ("tzdata==2026.6", "22")]
DRAFT = "".join(f"{pin} \\\n    --hash=sha256:{digest}\n" for pin, digest in ROWS)


def test_packages_of_one_platform_or_python_are_marked_and_the_marks_can_be_undone(dev: ModuleType) -> None:
    marked = dev.with_markers(DRAFT)
    assert 'jeepney==0.9.0 ; sys_platform == "linux" \\\n' in marked
    assert 'tzdata==2026.6 ; sys_platform == "win32" \\\n' in marked
    assert 'numpy==2.4.6 ; python_version < "3.13" \\\n' in marked
    later = 'numpy==2.5.0 ; python_version >= "3.13" \\\n    --hash=sha256:33\n'
    assert dev.without_markers(marked + later) == DRAFT
