"""What the processes around the engine load: nothing of the engine, and no library that only the engine needs."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.tasks import ListTasks
from app.engine.door.server import DoorServer
from tests.support.loaded_program import folders_of
from tests.support.scripted_door import ScriptedDoor

ROOT = Path(__file__).parents[2]
OF_THE_ENGINE = {
    *("app.engine", "app.vsphere", "app.transport", "app.repository", "app.catalog", "app.nbd", "app.secretstore"),
    *("sqlalchemy", "alembic", "pyVmomi", "pyVim", "lmdb", "cryptography", "keyring", "zstandard", "blake3"),
}
OF_THE_WINDOW = {
    *(
        "app.console",
        "app.views",
        "app.models",
        "app.workers.door",
        "app.workers.collector",
        "app.workers.answers",
        "app.workers.pump",
        "app.workers.sheets",
    ),
    *("PySide6.QtGui", "PySide6.QtWidgets", "PySide6.QtNetwork", "pyqtgraph", "qasync", "qtawesome", "qtpy"),
}
QT = {"PySide6", "shiboken6", "pyqtgraph", "numpy"}


def loaded_by(work: str, home: Path) -> set[str]:
    """Return the modules that a program of :mod:`tests.support.loaded_program` has loaded."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "tests.support.loaded_program", work, str(home)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "STANDFAST_PASSPHRASE": "a long passphrase"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def within(modules: set[str], packages: set[str]) -> set[str]:
    """Return those of the packages of which a module is loaded."""
    return {
        package
        for package in packages
        for module in modules
        if module == package or module.startswith(f"{package}.")
    }


@pytest.mark.parametrize("name", sorted(OF_THE_ENGINE | OF_THE_WINDOW | QT))
def test_what_may_not_be_loaded_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folders = folders_of(tmp_path)
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    return tmp_path


def test_a_started_window_holds_nothing_of_the_engine(home: Path) -> None:
    loaded = loaded_by("window", home)
    assert within(loaded, OF_THE_ENGINE) == set()
    assert within(loaded, QT | {"app.contract", "app.views"}) == QT | {"app.contract", "app.views"}


def test_debugctl_holds_nothing_of_the_engine_nor_of_qt(home: Path) -> None:
    door = ScriptedDoor()
    door.answer(ListTasks, ())
    with DoorServer.open(door, folders_of(home).data):
        loaded = loaded_by("tasks", home)
    assert within(loaded, OF_THE_ENGINE | QT) == set()
    assert "app.contract.client" in loaded


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself SIGTERM there")
def test_a_running_engine_has_the_core_of_qt_and_nothing_of_the_window(home: Path) -> None:
    loaded = loaded_by("engine", home)
    assert within(loaded, OF_THE_WINDOW) == set()
    assert {"PySide6.QtCore", "app.workers.threads", "app.engine.engine"} <= loaded
