"""Runs commands in the lab, and leaves nothing of them: no mount, no process, no file. Standard library only."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tools.environment import ROOT

DRIVE = "/lab"
"""The root of drive D. Drive Z, the root of the Debian, would have folders named ``tmp`` and ``proc``."""
CHECKOUT = f"{DRIVE}/standfast"
PYTHON = r"D:\python\python.exe"
PREFIX = "/prefix"

# A process namespace ends with its first process, and --kill-child and setpriv end that with ours: a service of
# wine would live on otherwise, and keep the mounts.
_ISOLATED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "XDG_RUNTIME_DIR": "/root",  # wine complains when it cannot look there for a display
    "WINEPREFIX": PREFIX,
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml=",  # wine offers to download these two otherwise
    "PYTHONPYCACHEPREFIX": r"D:\bytecode",
}
_PASSED_ON = ("STANDFAST_", "QT_", "WINE")


class Mount(NamedTuple):
    """Something of the host, by its path there, that a run sees at a path below its root."""

    source: Path
    target: str


def in_debian(
    root: Path, command: Sequence[str], *, mounts: Mapping[str, Path] | None = None, log: Path | None = None
) -> int:
    """Run a command in a Debian and keep what it changes; return its exit status.

    Args:
        root: the Debian's folder.
        command: what to run, by paths inside.
        mounts: folders of the host by their names below the root.
        log: takes the output; None shows it.
    """
    bound = [Mount(source, f"/{name}") for name, source in (mounts or {}).items()]
    script = namespace_script(".", bound, command, _ENVIRONMENT)
    return _run_script(script, root, log)


def in_windows(lab: Path, command: Sequence[str]) -> int:
    """Run a command in a lab, with a new Windows that is forgotten when it ends; return its exit status."""
    for name in ("bytecode", "runs"):
        (lab / name).mkdir(exist_ok=True)
    mounts = [
        Mount(ROOT, CHECKOUT),
        Mount(lab / "python", f"{DRIVE}/python"),
        Mount(lab / "packages", f"{DRIVE}/python/Lib/site-packages"),
        Mount(lab / "bytecode", f"{DRIVE}/bytecode"),
    ]
    with folder_of_run(lab / "runs") as folder:
        overlays = "".join(
            overlay_command(f"../../{name}", name, target) + "\n"
            for name, target in (("debian", "root"), ("prefix", f"root{PREFIX}"))
        )
        names = "echo 127.0.0.1 localhost > root/etc/hosts"  # which a Debian of debootstrap's does not have
        script = namespace_script("root", mounts, command, run_environment(os.environ), before=overlays + names)
        return _run_script(script, folder)


def inside(path: Path) -> str:
    """Return where a run in Windows finds a file of the checkout, as a path of its Debian."""
    return f"{CHECKOUT}/{path.relative_to(ROOT).as_posix()}"


def run_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a run: the lab's, and what the developer has set for the program or its tests."""
    return _ENVIRONMENT | {name: value for name, value in ours.items() if name.startswith(_PASSED_ON)}


def overlay_command(lower: str, name: str, target: str) -> str:
    """Return the commands that show a folder at ``target``, and write what changes next to it."""
    upper, work = f"{name}.upper", f"{name}.work"
    made = shlex.join(["mkdir", "-p", upper, work, target])
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    return f"{made}\n{shlex.join(['mount', '-t', 'overlay', 'overlay', '-o', options, target])}"


def namespace_script(
    root: str, mounts: Sequence[Mount], command: Sequence[str], environment: Mapping[str, str], *, before: str = ""
) -> str:
    """Return the shell script of a run, for a namespace of its own: mount, then run the command below the root."""
    lines = ["set -e", before, f"mount -t proc proc {root}/proc"]
    lines += [f"mount --rbind /{name} {root}/{name}" for name in ("dev", "sys")]  # wine counts processors in sys
    for mount in mounts:
        lines.append(shlex.join(["mkdir", "-p", root + mount.target]))
        lines.append(shlex.join(["mount", "--bind", str(mount.source), root + mount.target]))
    variables = [f"{name}={value}" for name, value in environment.items()]
    folder = next((mount.target for mount in mounts if mount.target == CHECKOUT), "/")
    inside = ["chroot", root, "env", "-i", "-C", folder, *variables, *command]
    # No exec: the shell is the first process of the namespace and takes in orphans, which wine leaves.
    return "\n".join([*filter(None, lines), "set +e", shlex.join(inside), "exit $?"])


@contextmanager
def folder_of_run(runs: Path) -> Iterator[Path]:
    """Make a folder for what this run writes, and remove it afterwards, with those of runs that were killed."""
    for left in runs.iterdir():
        if not _is_alive(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)  # another run may be removing it as well
    folder = runs / str(os.getpid())
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def _run_script(script: str, folder: Path, log: Path | None = None) -> int:
    # Under wine a program's output has to be a pipe, and its input nothing.
    with subprocess.Popen(
        [*_ISOLATED, "sh", "-c", script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            _copy_output(process, log)
        except BaseException:
            process.kill()
            raise
    return process.returncode


def _copy_output(process: subprocess.Popen[bytes], log: Path | None) -> None:
    assert process.stdout is not None
    sys.stdout.flush()
    with log.open("ab") if log else os.fdopen(os.dup(sys.stdout.fileno()), "wb") as sink:
        while data := os.read(process.stdout.fileno(), 1 << 16):
            sink.write(data)
            sink.flush()
