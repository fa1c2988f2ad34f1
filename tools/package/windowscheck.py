"""Proves the installer of Windows in the lab: builds it twice, as two versions, and runs its tests there."""

from __future__ import annotations

import shutil

from tools.package import contents
from tools.package.windows import WORK, build_folder, build_installer
from tools.windows import runs, steps

SETUPS = WORK / "setups"
"""Where the tests of ``tests/windows`` look for the installers."""


def check_windows(arguments: list[str]) -> int:
    """Run the tests of the installer; arguments go to pytest. Return the exit status.

    Raises:
        Refused: an installer cannot be built, or there is no lab.
    """
    shutil.rmtree(SETUPS, ignore_errors=True)
    for version in (contents.version(), contents.later_version()):
        folder = build_folder(version)
        build_installer(SETUPS, folder, is_for_tests=True)
        shutil.rmtree(folder)
    steps.require_lab()
    screen = ("xvfb-run", "--auto-servernum")  # message boxes need one
    tests = ("wine", runs.PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "tests/windows", *arguments)
    return runs.in_windows(steps.LAB, [*screen, *tests])
