"""The folder that every package is made of: libraries, program and byte code, the same bytes each time.

``lib`` holds what ``requirements/runtime.txt`` pins, for the system that the package is for, less what the program
never loads; ``program`` holds our sources. Which interpreter lies beside them is the package's affair.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tools.environment import ROOT, RUNTIME_LOCK, VENV_PYTHON, run_uv
from tools.saying import Refused

WINDOWS = "x86_64-pc-windows-msvc"
LINUX = "x86_64-manylinux_2_28"
"""Names of uv for the systems that libraries are chosen for; 2.28 is the oldest glibc that Qt 6.9 runs with."""

PYTHON = "3.11"
"""The version of the interpreter in every package."""

SOURCES = ("app", "etc", "main.py", "resources", "LICENSE")
"""What of a checkout the program is."""

_NEVER_LOADED = (
    "*.whl",
    "*.lib",
    "*.pyi",
    "*.pxd",
    "py.typed",
    "*/*/include/*",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
    "*.dist-info/direct_url.json",
    "bin/*",
    "numpy/*/tests/*",
    "numpy/tests/*",
    "numpy/f2py/*",
    "numpy/distutils/*",
    "pyqtgraph/examples/*",
    "pyqtgraph/jupyter/*",
    "vsan*.py",
)
_QT_MODULES = ("Core", "Gui", "OpenGL", "OpenGLWidgets", "Svg", "Widgets")
"""The program imports three of them, pyqtgraph the others."""
_QT_KEPT = (
    "__init__.py",
    "_config.py",
    "_git_pyside_version.py",
    *(f"Qt{module}.*" for module in _QT_MODULES),
    *(f"Qt6{module}.dll" for module in _QT_MODULES),
    "pyside6.abi3.dll",
    "msvcp140*.dll",
    "vcruntime140*.dll",
    "concrt140.dll",
    "libpyside6.abi3.so.*",
    *(
        f"Qt/lib/libQt6{library}.so.6"
        for library in (
            *("Core", "Gui", "Widgets", "Svg", "DBus", "XcbQpa", "OpenGL", "OpenGLWidgets"),
            *("WaylandClient", "WaylandEglClientHwIntegration", "WlShellIntegration"),
        )
    ),
    "Qt/lib/libicu*",
    *(
        f"{where}plugins/{plugin}"
        for where in ("", "Qt/")
        for plugin in (
            "platforms/qwindows.dll",
            "platforms/qoffscreen.dll",
            "platforms/libqxcb.so",
            "platforms/libqoffscreen.so",
            "platforms/libqwayland-*.so",
            "styles/*",
            "iconengines/*",
            "imageformats/*qico.*",
            "imageformats/*qsvg.*",
            "imageformats/*qjpeg.*",
            "platforminputcontexts/libcompose*",
            "platforminputcontexts/libibus*",
            "platformthemes/libqxdgdesktopportal.so",
            "wayland-decoration-client/*",
            "wayland-graphics-integration-client/*",
            "wayland-shell-integration/libxdg-shell.so",
            "xcbglintegrations/*",
        )
    ),
    *(f"{where}translations/qtbase_{language}.qm" for where in ("", "Qt/") for language in ("zh_CN", "en")),
)


def lay_out(folder: Path, system: str) -> None:
    """Fill ``lib`` and ``program`` of a folder for a system, without byte code.

    Args:
        folder: new, or empty.
        system: :data:`WINDOWS` or :data:`LINUX`.

    Raises:
        Refused: a library cannot be had with the hash that is pinned.
    """
    install_libraries(folder / "lib", system, RUNTIME_LOCK)
    leave_out(folder / "lib", _NEVER_LOADED)
    keep_only(folder / "lib" / "PySide6", _QT_KEPT)
    copy_sources(folder / "program")


def install_libraries(folder: Path, system: str, lock: Path) -> None:
    """Install what a lock pins for a system into a folder; nothing of it is run.

    Raises:
        Refused: a library cannot be had with the hash that is pinned.
    """
    options = ["--quiet", "--no-build", "--require-hashes", "--link-mode", "copy", "--python", str(VENV_PYTHON)]
    chosen = ["--python-platform", system, "--python-version", PYTHON, "--target", str(folder)]
    if run_uv(["pip", "install", *options, *chosen, "-r", str(lock)]):
        raise Refused(f"the libraries for {system} could not be installed")


def copy_sources(folder: Path) -> None:
    """Copy the program of this checkout into a new folder."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copyfile(source, folder / name)


def leave_out(folder: Path, patterns: Sequence[str]) -> None:
    """Remove the files whose path below a folder matches one of the patterns, or whose name does."""
    for path in _files(folder):
        below = path.relative_to(folder).as_posix()
        if any(fnmatch(below, pattern) or fnmatch(path.name, pattern) for pattern in patterns):
            path.unlink()
    _remove_empty(folder)


def keep_only(folder: Path, patterns: Sequence[str]) -> None:
    """Remove the files whose path below a folder matches none of the patterns."""
    for path in _files(folder):
        below = path.relative_to(folder).as_posix()
        if not any(fnmatch(below, pattern) for pattern in patterns):
            path.unlink()
    _remove_empty(folder)


def compile_all(folder: Path, python: Sequence[str | Path]) -> None:
    """Write byte code beside every module below ``lib`` and ``program``.

    The program's folder is read only for who runs it. The byte code says itself that it belongs to its source,
    without a time: installers change times, and two builds give the same bytes.

    Args:
        folder: what :func:`lay_out` has filled.
        python: what starts an interpreter of the version in the package.

    Raises:
        Refused: a module of the program cannot be compiled.
    """
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    for part, must_succeed in (("program", True), ("lib", False)):  # libraries ship templates that are no modules
        command = [*map(str, python), "-m", "compileall", *options, str(folder / part)]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": ""}
        if subprocess.run(command, env=environment, check=False).returncode and must_succeed:
            raise Refused("the program could not be compiled")


def python_to_compile_with() -> list[str]:
    """Return what starts an interpreter whose byte code that of the packages can read.

    Raises:
        Refused: the environment has another version.
    """
    asked = [str(VENV_PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    found = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if found != PYTHON:
        raise Refused(f"packages hold Python {PYTHON} and need one to be built, .venv has {found}")
    return [str(VENV_PYTHON)]


def version() -> str:
    """Return the version of the program."""
    text = (ROOT / "app" / "__init__.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def later_version() -> str:
    """Return the version of an upgrade, for tests: the next patch."""
    major, minor, patch = version().split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def set_version(folder: Path, wanted: str) -> None:
    """Let a program that was laid out say that it is another version; nothing changes where it is that one."""
    file = folder / "program" / "app" / "__init__.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'__version__ = "{version()}"', f'__version__ = "{wanted}"'), encoding="utf-8")


def commit_time() -> int:
    """Return when what is built was committed, in seconds since 1970: the time of every file in a package.

    Raises:
        Refused: this is no checkout of git, and ``SOURCE_DATE_EPOCH`` does not say it either.
    """
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    asked = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Refused("this is no checkout of git: set SOURCE_DATE_EPOCH to the time of the version")
    return int(done.stdout)


def set_times(folder: Path, time_s: int) -> None:
    """Give everything in a folder the same time."""
    for path in sorted(folder.rglob("*")):
        os.utime(path, (time_s, time_s), follow_symlinks=False)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]


def _remove_empty(folder: Path) -> None:
    folders: Iterable[Path] = (path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
    for path in sorted(folders, reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
