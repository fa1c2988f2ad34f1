"""The checks of ``./dev lint`` and ``./dev test``, run one after the other. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tools.debian import TEST_TOOL_PACKAGES, missing_packages
from tools.environment import ROOT, VENV, VENV_PYTHON


class Check(NamedTuple):
    """One thing to check: a command of the environment's Python, quiet when it passes unless it is a long one."""

    name: str
    arguments: Sequence[str]
    shows_progress: bool = False


def run_checks(checks: Sequence[Check], environment: Mapping[str, str]) -> int:
    """Run every check, whatever the others say, and print a summary; return 0 when all passed."""
    rows = []
    for check in checks:
        started = time.monotonic()
        command = [str(VENV_PYTHON), *check.arguments]
        if check.shows_progress:
            print(f"\n=== {check.name}", flush=True)
            status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        else:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            status = done.returncode
            if status:
                print(f"\n=== {check.name}\n{done.stdout.decode(errors='replace')}", flush=True)
        rows.append((check.name, status, time.monotonic() - started))
    print("\n=== summary")
    for name, status, seconds in rows:
        print(f"{name:<8} {'passed' if status == 0 else f'FAILED ({status})':<12} {seconds:7.1f} s")
    return next((status for _, status, _ in rows if status), 0)


def quick_checks() -> list[Check]:
    """Return the checks that take seconds, quickest first: lint, format and layers."""
    layers = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return [
        Check("lint", ["-m", "ruff", "check", "."]),
        Check("format", ["-m", "ruff", "format", "--check", "."]),
        Check("layers", ["-c", layers, "--no-cache"]),
    ]


def lint_checks() -> list[Check]:
    """Return the checks that need no test run, quickest first."""
    return [*quick_checks(), Check("types", ["-m", "mypy"])]


def test_check(arguments: Sequence[str]) -> Check:
    """Return the run of the tests, with further arguments for pytest."""
    return Check("tests", ["-m", "pytest", *parallel_options(arguments), *arguments], shows_progress=True)


def parallel_options(arguments: Sequence[str]) -> list[str]:
    """Spread the tests over the cores, module by module, unless the developer chose otherwise."""
    steers = ("-n", "--numprocesses", "--dist", "--pdb", "-s", "--capture", "-p", "--collect-only", "--co", "-x")
    if any(argument.split("=")[0] in steers or argument.startswith("-n") for argument in arguments):
        return []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores == 1:
        return []
    # Module by module, because modules share expensive fixtures (a simulator, a Qt application), and in the order
    # of tests/conftest.py, the slow ones first. One worker more than cores, because a third of the time a test
    # waits for a disk, a time limit or another process. A worker that died is not replaced: pytest-xdist 3.8 then
    # waits for ever for the module in which that happened.
    spread = ["--dist", "loadscope", "--no-loadscope-reorder", "--max-worker-restart", "0"]
    return ["-n", str(min(4, cores + 1)), *spread]


def test_environment() -> dict[str, str]:
    """Return the environment of the tests: no display, and on Debian no excuse for a missing external tool.

    Bytecode is kept, beside the packages: hundreds of processes that tests start would compile everything anew.
    """
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(VENV / "bytecode")
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Buffers of megabytes come and go all the time. By default glibc gives each back to the system, which clears
    # the pages again at the next; that is a third of the system's time in the tests that move data.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(128 << 20))
    if shutil.which("dpkg-query") and not missing_packages(TEST_TOOL_PACKAGES):
        environment["STANDFAST_REQUIRE_OUTSIDE_TOOLS"] = "1"
    return environment
