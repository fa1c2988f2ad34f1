"""Programs that are not ours and check our work: qemu-img, the Go simulator, file system tools."""

import os
import shutil
from functools import cache
from pathlib import Path

import pytest

GOVMOMI_SOURCE = Path("/usr/share/gocode/src/github.com/vmware/govmomi")
_REQUIRED = "STANDFAST_REQUIRE_OUTSIDE_TOOLS"
_SYSTEM_FOLDERS = "/usr/sbin:/sbin"
"""Where Debian keeps mke2fs and fsck, which is not on everyone's path."""


def find_tool(command: str) -> str | None:
    """Return the full path of a command, or None when it is not installed."""
    return shutil.which(command) or shutil.which(command, path=_SYSTEM_FOLDERS)


def are_required() -> bool:
    """Return whether a missing program is a failure; ``./dev test`` says so where it installs them."""
    return os.environ.get(_REQUIRED) == "1"


@cache
def _is_missing(need: str) -> bool:
    return not GOVMOMI_SOURCE.is_dir() if need == str(GOVMOMI_SOURCE) else find_tool(need) is None


def missing_for(item: pytest.Item) -> list[str]:
    """Return what a test needs by its markers and this machine lacks."""
    needs: list[str] = []
    if item.get_closest_marker("qemu"):
        needs.append("qemu-img")
    if item.get_closest_marker("govmomi"):
        needs += ["go", str(GOVMOMI_SOURCE)]
    for mark in item.iter_markers("outside_tools"):
        needs += mark.args
    return [need for need in needs if _is_missing(need)]
