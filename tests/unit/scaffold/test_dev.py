"""The command ``dev``: what it asks of a machine, and what it does with the answer."""

import ast
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import PySide6
import pytest

from tools import checks, debian, environment
from tools.saying import Refused

PROJECT = Path(__file__).parents[3]
BEFORE_ANYTHING_IS_INSTALLED = [
    PROJECT / "dev",
    *(PROJECT / "tools" / f"{name}.py" for name in ("__init__", "checks", "debian", "environment", "saying")),
    *sorted((PROJECT / "tools" / "windows").glob("*.py")),
    *(file for file in sorted((PROJECT / "tools" / "package").glob("*.py")) if file.name != "drawing.py"),
]

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


def run_dev(*arguments: str, folder: Path = PROJECT, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(folder / "dev"), *arguments]
    return subprocess.run(
        command,
        cwd=folder.parent,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "file", BEFORE_ANYTHING_IS_INSTALLED, ids=lambda file: file.relative_to(PROJECT).as_posix()
)
def test_it_needs_nothing_but_the_standard_library(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names | {"tools"}


def test_it_starts_without_any_installed_package(tmp_path: Path) -> None:
    for file in BEFORE_ANYTHING_IS_INSTALLED:
        (tmp_path / file.relative_to(PROJECT)).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(file, tmp_path / file.relative_to(PROJECT))
    command = [sys.executable, "-S", str(tmp_path / "dev"), "help"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


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
    shutil.copytree(PROJECT / "tools", project / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "requirements", project / "requirements")
    (project / "main.py").write_text("import os, sys; print(sys.prefix, os.getcwd(), sys.argv[1:])")
    venv.create(project / ".venv", with_pip=False, symlinks=os.name == "posix")
    stamp_as_complete(project, "runtime")
    return project


def stamp_as_complete(project: Path, lock: str) -> None:
    venv_folder, lock_file = project / ".venv", project / "requirements" / f"{lock}.txt"
    stamp = environment.environment_stamp(venv_folder, lock_file)
    environment.stamp_file(venv_folder, lock_file).write_text(stamp)


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
    assert "pip could not install the pinned uv" in done.stderr


def test_what_the_tests_need_stays_when_the_program_is_run(small_project: Path) -> None:
    stamp_as_complete(small_project, "dev")
    lock = small_project / "requirements" / "dev.txt"
    lock.write_text(lock.read_text() + "\n# changed\n")
    assert "installing the packages pinned in dev.txt" in run_dev("demo", folder=small_project).stderr


def test_the_status_of_the_program_is_the_status_of_dev(small_project: Path) -> None:
    (small_project / "main.py").write_text("raise SystemExit(7)")
    assert run_dev("run", "--headless", folder=small_project).returncode == 7


def test_an_environment_of_another_python_is_not_taken_for_complete(small_project: Path) -> None:
    venv_folder, lock = small_project / ".venv", small_project / "requirements" / "runtime.txt"
    before = environment.environment_stamp(venv_folder, lock)
    config = venv_folder / "pyvenv.cfg"
    config.write_text(config.read_text().replace("version = 3.", "version = 4."))
    assert environment.environment_stamp(venv_folder, lock) != before


def test_a_file_with_another_hash_is_not_installed(small_project: Path, tmp_path: Path) -> None:
    """The first file that is downloaded is the installer itself: it is not run when it is not the pinned one."""
    forged = tmp_path / "wheels" / f"uv-{pinned_uv()}-py3-none-any.whl"
    forged.parent.mkdir()
    with zipfile.ZipFile(forged, "w") as wheel:
        folder = forged.name.partition("-py3")[0] + ".dist-info"
        wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {pinned_uv()}\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")
    venv.create(small_project / ".venv", with_pip=True, symlinks=os.name == "posix", clear=True)
    done = run_dev(
        "demo",
        folder=small_project,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(forged.parent),
        PIP_CONFIG_FILE=os.devnull,
    )
    assert done.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not list((small_project / ".venv").rglob("uv-*.dist-info"))


def pinned_uv() -> str:
    found = re.search(r"^uv==(\S+)", environment.UV_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


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


@pytest.fixture
def user(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be someone who may not install packages, on a machine with sudo; return the folder of its tools."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (machine / "sudo").write_text("#!/bin/sh\nexit 1\n")
    (machine / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(machine) + os.pathsep + os.environ["PATH"])
    return machine


@posix_only
def test_root_installs_what_is_missing_and_no_more(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian.require_packages([], ["openssl", "qemu-utils", "mtools"], purpose="the tests")
    update, install = apt_calls(machine)
    assert update.startswith("update")
    assert " qemu-utils mtools " in install
    assert "openssl" not in install
    assert "2 system packages for the tests: qemu-utils mtools" in capsys.readouterr().err


@posix_only
def test_root_is_shown_what_will_be_installed_before_it_is(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (machine / "apt-get").write_text('#!/bin/sh\n[ "$1" = update ]\n')
    with pytest.raises(Refused, match="apt-get could not install: mtools"):
        debian.require_packages(["mtools"], purpose="the tests")
    assert "installing 1 system packages for the tests: mtools" in capsys.readouterr().err


@posix_only
def test_nothing_missing_asks_nothing_of_the_network(machine: Path) -> None:
    debian.require_packages(["openssl", "libnew0t64|libold0"], purpose="the tests")
    assert apt_calls(machine) == []


@posix_only
def test_others_are_shown_what_is_missing_and_what_to_type(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    debian.require_packages([], ["openssl", "qemu-utils", "mtools"], purpose="the tests")
    said = capsys.readouterr().err
    assert "missing system packages for the tests: qemu-utils mtools" in said
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends qemu-utils mtools" in said
    assert apt_calls(user) == []


@posix_only
def test_without_sudo_the_command_asks_for_the_password_of_root(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(user))
    (user / "sudo").unlink()
    debian.show_packages(["mtools"], purpose="the tests")
    command = "su -c 'apt-get update && apt-get install -y --no-install-recommends mtools'"
    assert capsys.readouterr().err.splitlines()[-1] == f"dev: install them with: {command}"


@posix_only
def test_others_cannot_go_on_without_an_essential_package(user: Path) -> None:
    with pytest.raises(Refused, match="virtual environment"):
        debian.require_packages(["python3.11-venv"], purpose="making the virtual environment")


@posix_only
def test_one_command_names_what_is_needed_and_what_is_useful(
    user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Refused, match="the window"):
        debian.require_packages(["libegl1"], ["fonts-wqy-zenhei"], purpose="the window")
    commands = [line for line in capsys.readouterr().err.splitlines() if "apt-get install" in line]
    assert len(commands) == 1
    assert commands[0].endswith(" libegl1 fonts-wqy-zenhei")


@posix_only
def test_a_package_is_installed_by_the_name_that_this_release_knows(machine: Path) -> None:
    assert debian.name_here("libnew0t64|libold0") == "libold0"
    assert debian.name_here("libglib2.0-0t64|libglib2.0-0") == "libglib2.0-0t64"


@posix_only
def test_a_machine_without_debians_tools_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    debian.require_packages(["qemu-utils"], purpose="the tests")


def test_a_window_under_wayland_needs_nothing_of_x11() -> None:
    assert set(debian.window_packages({"DISPLAY": ":0"})) >= {*debian.QT_PACKAGES, *debian.X11_PACKAGES}
    assert debian.window_packages({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}) == debian.QT_PACKAGES


@pytest.mark.outside_tools("ldd", "dpkg-query")
def test_every_library_that_the_plugin_for_x11_is_linked_with_is_asked_for() -> None:
    """Qt ends the program when one is missing, and says only that it could not load the plugin."""
    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    linked = subprocess.run(["ldd", str(plugin)], capture_output=True, text=True, check=True, timeout=60).stdout
    names = {line.split()[0] for line in linked.splitlines() if re.match(r"\s+lib(xcb-|xkbcommon|X11-xcb)", line)}
    assert len(names) > 10
    owners = {owner for name in names for owner in packages_with(name)}
    asked = {name for entry in debian.window_packages({}) for name in entry.split("|")}
    assert owners - asked == set()


def packages_with(library: str) -> set[str]:
    query = ["dpkg-query", "--search", f"*/{library}"]
    found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout
    return {line.split(":")[0] for line in found.splitlines() if not line.split(":")[0].endswith("-dev")}


@posix_only
def test_setup_only_shows_when_asked_to(dev: ModuleType, user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.setup(["--show"]) == 0
    said = capsys.readouterr().err
    assert "libxcb-cursor0" in said
    assert "qemu-utils" in said
    assert "requirements/dev.txt" in said
    assert apt_calls(user) == []


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root installs packages")
def test_the_program_without_a_window_needs_none_of_its_libraries(machine: Path, small_project: Path) -> None:
    assert run_dev("run", "--headless", folder=small_project).returncode == 0
    assert apt_calls(machine) == []
    assert run_dev("run", folder=small_project, WAYLAND_DISPLAY="").returncode == 0
    assert "libxcb-cursor0" in apt_calls(machine)[1]


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root installs packages")
def test_the_demo_shows_no_window_where_its_libraries_are_missing(machine: Path, small_project: Path) -> None:
    done = run_dev("demo", folder=small_project, DISPLAY=":0")
    assert "libxcb-cursor0" in apt_calls(machine)[1]
    assert done.stdout.splitlines()[0].endswith("['demo', '--no-window']")


# --- checks ------------------------------------------------------------------------------------------------------


def test_every_check_runs_and_the_summary_shows_each(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "VENV_PYTHON", Path(sys.executable))
    wanted = [
        checks.Check("good", ["-c", "print('silent when all is well')"]),
        checks.Check("bad", ["-c", "print('what went wrong'); raise SystemExit(3)"]),
        checks.Check("long", ["-c", "print('seen as it comes')"], shows_progress=True),
    ]
    assert checks.run_checks(wanted, dict(os.environ)) == 3
    shown = capfd.readouterr().out
    assert "silent when all is well" not in shown
    assert "what went wrong" in shown
    assert "seen as it comes" in shown
    rows = [line.split()[:2] for line in shown.split("=== summary\n")[1].splitlines()]
    assert rows == [["good", "passed"], ["bad", "FAILED"], ["long", "passed"]]


@pytest.mark.parametrize("argument", ["-x", "-n0", "--pdb", "-s", "--collect-only", "-n=3"])
def test_a_developer_who_steers_pytest_is_not_overruled(argument: str) -> None:
    assert checks.parallel_options(["tests/unit", argument]) == []


def test_tests_are_spread_over_the_cores_with_one_worker_to_fill_the_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cores, workers in ((1, None), (2, "3"), (16, "4")):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        options = checks.parallel_options(["tests/unit"])
        assert (options[1] if options else None) == workers
