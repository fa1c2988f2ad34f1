"""Says why a test does not run on this system: each skip names what is missing there."""

import ctypes
import os
import sys
from functools import cache

import pytest


@cache
def is_wine() -> bool:
    """Return whether the Windows that this process runs on is wine's."""
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def posix_only(reason: str) -> pytest.MarkDecorator:
    """Skip a test, or a module's, on Windows, where what it is about does not exist."""
    return pytest.mark.skipif(os.name != "posix", reason=f"POSIX only: {reason}")


def windows_only(reason: str) -> pytest.MarkDecorator:
    """Skip a test everywhere but on Windows."""
    return pytest.mark.skipif(os.name != "nt", reason=f"Windows only: {reason}")


def wine_lacks(what: str) -> pytest.MarkDecorator:
    """Skip a test under wine, which does not do what Windows does; on Windows itself the test runs."""
    return pytest.mark.skipif(is_wine(), reason=f"wine lacks: {what}")
