"""The folder ``.venv``: made, filled with what the locks pin, and kept that way. Standard library only.

pip installs uv, and uv installs the rest; both compare every file with the hashes of ``requirements/``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.debian import TLS_PACKAGES, require_packages
from tools.saying import Refused, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ON_WINDOWS = os.name == "nt"
_BIN = VENV / ("Scripts" if ON_WINDOWS else "bin")
VENV_PYTHON = _BIN / ("python.exe" if ON_WINDOWS else "python")
_UV = _BIN / ("uv.exe" if ON_WINDOWS else "uv")

RUNTIME_LOCK = ROOT / "requirements" / "runtime.txt"
DEV_LOCK = ROOT / "requirements" / "dev.txt"
UV_LOCK = ROOT / "requirements" / "uv.txt"

_OLDEST_PYTHON = (3, 11)
_NEWEST_PYTHON = (3, 13)
_KNOWN_PYTHONS = ("python3.11", "python3.12", "python3.13")


def find_python() -> str:
    """Return an interpreter for which all pinned packages have wheels, this one first.

    Raises:
        Refused: there is none.
    """
    if _OLDEST_PYTHON <= sys.version_info[:2] <= _NEWEST_PYTHON:
        # Inside another virtual environment its base interpreter is meant, so that ours does not depend on it.
        return str(getattr(sys, "_base_executable", None) or sys.executable)
    for name in _KNOWN_PYTHONS:
        found = shutil.which(name)
        if found:
            return found
    span = f"{_dotted(_OLDEST_PYTHON)} to {_dotted(_NEWEST_PYTHON)}"
    raise Refused(f"Python {span} is needed, this is {sys.version.split()[0]}")


def packages_for_venv() -> list[str]:
    """Return what Debian has split off from Python and .venv needs to be made; nothing when it is there."""
    if VENV_PYTHON.exists():
        return []
    python = find_python()
    if subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
        return []
    version = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    number = subprocess.run(version, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return [f"python{number}-venv"]


def packages_for_download() -> list[str]:
    """Return what a first download may need (the system's certificates); nothing when .venv is there."""
    return [] if VENV_PYTHON.exists() else list(TLS_PACKAGES)


def require_environment(lock: Path) -> None:
    """Make sure that .venv holds what a lock pins; quick when nothing changed.

    Raises:
        Refused: the packages cannot be installed.
    """
    if not VENV_PYTHON.exists() or not (VENV / "pyvenv.cfg").exists():
        _make_venv()
    if stamp_file(VENV, DEV_LOCK).exists():  # what the tests need stays when the program is run
        lock = DEV_LOCK
    stamp_path, stamp = stamp_file(VENV, lock), environment_stamp(VENV, lock)
    if stamp_path.exists() and stamp_path.read_text() == stamp:
        return
    if not os.access(VENV, os.W_OK):
        raise Refused(f"{VENV} is out of date and belongs to another user; work in a copy of your own")
    say(f"installing the packages pinned in {lock.name}")
    started = time.monotonic()
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"]
    # Only wheels: building from source would run code, and fetch build tools, that no hash vouches for.
    if subprocess.run(
        [*pip, "--only-binary=:all:", "--require-hashes", "-r", str(UV_LOCK)], check=False
    ).returncode:
        raise Refused("pip could not install the pinned uv")
    options = ["--quiet", "--no-build", "--require-hashes", "--python", str(VENV_PYTHON)]
    if run_uv(["pip", "sync", *options, str(lock), str(UV_LOCK)]):
        raise Refused("uv could not install the pinned packages")
    stamp_path.write_text(stamp)
    say(f"installed in {time.monotonic() - started:.0f} s")


def stamp_file(venv: Path, lock: Path) -> Path:
    """Return the file in an environment that holds the stamp of what was installed last."""
    return venv / f"standfast-{lock.stem}.stamp"


def environment_stamp(venv: Path, lock: Path) -> str:
    """Return a digest of what an environment should hold: the lock, its installer and its interpreter."""
    digest = hashlib.sha256()
    for path in (venv / "pyvenv.cfg", lock.with_name(UV_LOCK.name), lock):
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def renew_locks(options: Sequence[str]) -> None:
    """Pin what ``pyproject.toml`` asks for, for every platform and Python; versions stay unless options say so.

    Raises:
        Refused: the resolver found no set of versions, or an option is unknown to it.
    """
    program = "pyproject.toml"
    wanted = {
        RUNTIME_LOCK: [program],
        DEV_LOCK: [program, "--group", "dev", "--constraints", str(RUNTIME_LOCK.relative_to(ROOT))],
        UV_LOCK: ["--group", "uv"],
    }
    for lock, sources in wanted.items():
        # Where a developer's packages come from is their own affair: no address may enter the lock.
        command = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-build"]
        command += ["--no-annotate", "--custom-compile-command", "./dev lock"]
        command += ["--python-version", _dotted(_OLDEST_PYTHON), "--output-file", str(lock.relative_to(ROOT))]
        if run_uv([*command, *sources, *options]):
            raise Refused(f"uv could not renew {lock.name}")
        pins = re.findall(r"^[a-z0-9][a-z0-9.-]*==", lock.read_text(encoding="utf-8"), re.MULTILINE)
        say(f"{lock.relative_to(ROOT)}: {len(set(pins))} packages")


def run_uv(arguments: Sequence[str]) -> int:
    """Run uv with the system's certificates and the package source that pip is told to use; return its status."""
    environment = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", **os.environ}
    index = subprocess.run(
        [str(VENV_PYTHON), "-m", "pip", "config", "get", "global.index-url"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    ).stdout.strip()
    if index := environment.get("PIP_INDEX_URL", index):
        environment.setdefault("UV_DEFAULT_INDEX", index)
    return subprocess.run([str(_UV), *arguments], cwd=ROOT, env=environment, check=False).returncode


def run_in_venv(arguments: Sequence[str]) -> int:
    """Hand over to the environment's Python; on POSIX this process becomes it."""
    command = [str(VENV_PYTHON), *arguments]
    os.chdir(ROOT)
    if not ON_WINDOWS:
        sys.stdout.flush()
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


def _make_venv() -> None:
    require_packages(packages_for_venv(), purpose="making the virtual environment")
    python = find_python()
    if not os.access(ROOT, os.W_OK):
        raise Refused(f"{ROOT} cannot be written to by this user; work in a copy of your own")
    say(f"making {VENV.name} with {python}")
    if subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
        raise Refused(f"{python} -m venv failed")


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))
