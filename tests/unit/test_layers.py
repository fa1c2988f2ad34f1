"""The import rules of docs/architecture.md hold, without exceptions, and the rules themselves can fail."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.import_contracts import ROOT

PROJECT = Path(__file__).parents[2]


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Judge the package ``app`` in a folder by the project's contracts."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", str(PROJECT / "pyproject.toml"), "--no-cache", "--no-logo"]
    command = [sys.executable, "-c", code, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    found = settings["tool"]["importlinter"]["contracts"]
    assert isinstance(found, list)
    return found


def test_every_import_keeps_every_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = lint_imports(PROJECT)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]


def test_no_contract_makes_an_exception() -> None:
    assert [contract["name"] for contract in contracts() if "ignore_imports" in contract] == []


def test_every_package_has_its_place_in_the_layers() -> None:
    layers = next(contract for contract in contracts() if contract["type"] == "layers")
    assert layers["exhaustive"] is True
    assert "exhaustive_ignores" not in layers
    named = {word.strip("() ") for layer in layers["layers"] for word in layer.replace(":", "|").split("|")}
    here = {path.stem for path in (PROJECT / ROOT).iterdir() if _is_module(path)}
    assert here <= named


def _is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")


# Each row: files of a small program under app/, and the contract that they break.
BREAKS = [
    ({"domain/x.py": "import app.core"}, "Layers"),
    ({"vsphere/x.py": "from app.transport import x", "transport/x.py": ""}, "Layers"),
    ({"engine/x.py": "import app.workers.x", "workers/x.py": ""}, "Layers"),
    ({"surprise/__init__.py": ""}, "Layers"),
    ({"simulator/x.py": "import app.vsphere.x", "vsphere/x.py": ""}, "The simulator stands beside"),
    (
        {
            "simulator/a.py": "import app.simulator.b",
            "simulator/b.py": "def late():\n    from app.simulator import c",
            "simulator/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import app.simulator.a",
        },
        "No modules import each other",
    ),
    ({"engine/x.py": "import app.simulator.x", "simulator/x.py": ""}, "Nothing in the product knows"),
    ({"views/x.py": "import app.engine.backup", "engine/backup.py": ""}, "Views, models and workers"),
    ({"models/x.py": "import app.catalog.x", "catalog/x.py": ""}, "Views, models and workers"),
    ({"contract/x.py": "import app.core.x", "core/x.py": ""}, "The contract knows"),
    (
        {"console/x.py": "import app.bootstrap.x", "bootstrap/x.py": "import app.engine.x", "engine/x.py": ""},
        "The window's process",
    ),
    ({"views/x.py": "import app.models.x", "models/x.py": "import cryptography"}, "The window's process"),
    ({"cli/ctl/x.py": "import app.bootstrap.x", "bootstrap/x.py": "import sqlalchemy"}, "debugctl"),
    ({"config.py": "import app.engine.x", "engine/x.py": ""}, "Settings, folders and logging"),
    ({"engine/x.py": "import app.repository.packs", "repository/packs.py": ""}, "Outsiders of the repository"),
    ({"core/x.py": "import numpy"}, "Domain and core"),
    ({"engine/x.py": "from PySide6.QtCore import QThread"}, "Qt only"),
    ({"engine/x.py": "def late():\n    import pyqtgraph"}, "Libraries of the window only"),
    ({"engine/x.py": "from pyVmomi import vim"}, "pyVmomi only"),
    ({"engine/x.py": "import sqlalchemy.orm"}, "SQLAlchemy only"),
    ({"vsphere/x.py": "import keyring"}, "The keyring"),
]

KEEPS = {
    "domain/x.py": "import dataclasses",
    "core/x.py": "from app.domain import x",
    "vsphere/x.py": "from pyVmomi import vim\nfrom app.core import x",
    "catalog/x.py": "import sqlalchemy",
    "secretstore/x.py": "import keyring",
    "repository/facade.py": "import app.repository.packs",
    "repository/packs.py": "import lmdb",
    "engine/x.py": "from app.repository.facade import x\nimport app.vsphere.x\nimport app.contract.x",
    "contract/x.py": "import msgspec\nimport app.domain.x",
    "workers/x.py": "import PySide6.QtCore\nimport app.contract.x",
    "views/x.py": "import app.models.x\nimport app.workers.x\nimport app.core.x",
    "models/x.py": "import app",
    "simulator/x.py": "from pyVmomi import vmodl\nimport app.core.x\nimport app.simulator.y, app.simulator.z",
    "simulator/y.py": "from app.simulator import z",
    "simulator/z.py": "",
    "config.py": "import app.domain.x",
    "console/__init__.py": "import app.bootstrap.x, app.config, app.views.x, PySide6.QtWidgets",
    "bootstrap/x.py": "import app.config",
    "cli/__init__.py": "import app.simulator.x, app.bootstrap.x",
}


def broken_contracts(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Judge a small program by our contracts, in a process of its own, and return the broken ones' names."""
    for name, text in {"core/__init__.py": "", "domain/__init__.py": "", "__init__.py": "", **files}.items():
        path = folder / ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        package = path.parent
        while package != folder:
            (package / "__init__.py").touch()
            package = package.parent
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("COLUMNS", "200")
    done = lint_imports(folder)
    assert done.stderr == ""
    return [line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.endswith(" BROKEN")]


@pytest.mark.parametrize(("files", "contract"), BREAKS, ids=[f"{next(iter(f))}: {c}" for f, c in BREAKS])
def test_a_forbidden_import_breaks_its_contract(
    tmp_path: Path, files: dict[str, str], contract: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broken_contracts(tmp_path, files, monkeypatch)
    assert any(name.startswith(contract) for name in broken), broken


def test_a_program_of_the_right_shape_breaks_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken_contracts(tmp_path, KEEPS, monkeypatch) == []


# Anything that a mere import must not do, as the interpreter's audit events see it.
AUDITED_IMPORT = """
import importlib, os, pkgutil, sys, threading

root = sys.argv[1]
offences = []

def audit(event, args):
    if event == "open":
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and not str(path).endswith((".pyc", "__pycache__")) and ".pyc." not in str(path):
            offences.append(f"writes {path}")
        elif isinstance(path, str) and path.endswith(("system.conf", ".sqlite", ".db")):
            offences.append(f"reads {path}")
    elif event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.mkdir", "os.remove",
                   "os.rename", "sqlite3.connect"):
        offences.append(f"{event} {args!r}")

package = importlib.import_module(root)
names = sorted(module.name for module in pkgutil.walk_packages(package.__path__, f"{root}."))
names = [name for name in names if ".migrations." not in name]
sys.addaudithook(audit)
for name in names:
    offences.clear()
    before = threading.active_count()
    importlib.import_module(name)
    if threading.active_count() > before:
        offences.append("starts a thread")
    for offence in offences:
        print(f"{name}: {offence}")
"""


def test_importing_a_module_does_no_io_and_starts_nothing() -> None:
    command = [sys.executable, "-B", "-c", AUDITED_IMPORT, ROOT]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
