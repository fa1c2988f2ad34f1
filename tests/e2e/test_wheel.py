"""The wheel, installed away from the checkout: what is in it, and that everything starts from it."""

import email
import json
import os
import signal
import site
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import psutil
import pytest
from packaging.requirements import Requirement

from app import __version__
from app.core.passphrases import PASSPHRASE_VARIABLE
from app.paths import HOME_VARIABLE
from tests.support.signals import catches_sigterm
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals and processes of Linux")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without a network: what it is built with is in this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    pip("wheel", *options, str(ROOT))
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that borrows its dependencies from this one; return its commands."""
    environment = tmp_path_factory.mktemp("installed") / "程序 with blanks"
    venv.create(environment, with_pip=False, symlinks=True)
    pip("--python", str(environment), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return environment / "bin"


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


class Installed:
    """The installed program with a data folder of its own, started in a folder that is not the checkout."""

    def __init__(self, scripts: Path, folder: Path) -> None:
        self.scripts = scripts
        self.folder = folder
        (folder / "home" / "config").mkdir(parents=True)
        (folder / "home" / "config" / "system.conf").write_text("secret_store=file\n", encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._environment = {
            **kept,
            HOME_VARIABLE: str(folder / "home"),
            PASSPHRASE_VARIABLE: "only for tests",
            "QT_QPA_PLATFORM": "offscreen",
        }

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.scripts / command[0]), *command[1:]],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    @contextmanager
    def running(self, *command: str) -> "Iterator[subprocess.Popen[str]]":
        """Run a command until the end of the block, where it ends in order on SIGTERM with status 0."""
        process = subprocess.Popen(
            [str(self.scripts / command[0]), *command[1:]],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield process
            wait_until(lambda: catches_sigterm(process.pid), deadline_s=PATIENCE_S, what="the program")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0, process.stdout.read()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def has_engine(self) -> bool:
        return self.run("debugctl", "stat").returncode == 0


@pytest.fixture
def installed(scripts: Path, tmp_path: Path) -> Installed:
    return Installed(scripts, tmp_path)


def test_the_only_names_at_the_top_are_the_package_and_its_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert {name.parts[0] for name in names} == {"standfast", f"standfast-{__version__}.dist-info"}
    assert {name.parts[1] for name in names if name.parts[0] == "standfast"} == {
        "__init__.py",
        "__main__.py",
        "app",
        "etc",
        "main.py",
        "resources",
    }


def test_the_wheel_carries_all_of_the_program_and_nothing_that_was_compiled_here(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name.removeprefix("standfast/") for name in archive.namelist()}
    for folder in ("app", "resources", "etc"):
        files = {file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts}
        assert files
        assert {name for name in carried if name.startswith(f"{folder}/")} == {
            file.relative_to(ROOT).as_posix() for file in files
        }


def test_the_metadata_names_license_description_and_what_is_needed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"standfast-{__version__}.dist-info"
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        license_text = archive.read(f"{info}/licenses/LICENSE")
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert license_text == (ROOT / "LICENSE").read_bytes()
    assert metadata["Description-Content-Type"] == "text/markdown"
    needs = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert {need.name.lower() for need in needs} >= {"pyside6-essentials", "pyvmomi", "sqlalchemy", "numpy"}
    assert {need.name.lower() for need in needs}.isdisjoint({"pytest", "ruff", "mypy", "hatchling", "uv"})
    tzdata = next(need for need in needs if need.name == "tzdata")
    assert str(tzdata.marker) == 'sys_platform == "win32"'


@pytest.mark.parametrize("command", ["standfast", "debugctl"])
def test_its_commands_explain_themselves(installed: Installed, command: str) -> None:
    done = installed.run(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: {command}" in done.stdout


def test_the_installed_program_is_what_runs_also_where_another_app_is_in_the_way(installed: Installed) -> None:
    (installed.folder / "app").mkdir()
    (installed.folder / "app" / "__init__.py").write_text("raise RuntimeError('another app')", encoding="utf-8")
    for command in (["standfast"], ["python", "-m", "standfast"]):
        done = installed.run(*command, "--version")
        assert (done.returncode, done.stdout) == (0, f"Standfast {__version__}\n"), done.stderr


def test_an_engine_without_a_window_answers_debugctl(installed: Installed) -> None:
    with installed.running("standfast", "--headless") as engine:
        assert engine.stdout is not None
        assert "runs; data in" in engine.stdout.readline()
        done = installed.run("debugctl", "--json", "stat")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
    assert installed.run("debugctl", "stat").returncode == 3


def test_the_window_starts_an_engine_of_the_installed_program(installed: Installed) -> None:
    with installed.running("standfast", "--no-tray") as window:
        wait_until(installed.has_engine, deadline_s=PATIENCE_S, what="the engine of the window")
        (engine,) = psutil.Process(window.pid).children()
        assert str(installed.scripts.parent) in " ".join(engine.cmdline())
        assert str(ROOT / "main.py") not in engine.cmdline()
    assert not installed.has_engine()


def test_the_demo_platform_starts(installed: Installed) -> None:
    with installed.running("standfast", "simulator", "--dir", str(installed.folder / "vsphere")) as simulator:
        assert simulator.stdout is not None
        assert json.loads(simulator.stdout.readline())["port"]
