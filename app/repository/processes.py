"""Which process is meant: identities that no change of the wall clock touches.

A process number is given out again after its process has ended, so it is kept together with the moment at which
its process began, counted by the system since its own start: on Linux as :mod:`app.core.processmarks` reads it;
elsewhere it is the start time that the system noted when the process began, which a later step of the clock does
not change.
"""

import ctypes
import ctypes.util
import sys
from contextlib import suppress

import psutil

from app.core.processmarks import boot_id, has_marks, start_ticks


def process_mark(pid: int) -> str | None:
    """Return what distinguishes the process of a number from every other that ever has that number.

    Returns:
        None when that cannot be determined, although the process is there.

    Raises:
        ProcessLookupError: there is no such process, or it has ended.
    """
    if has_marks():
        ticks = start_ticks(pid)
        return None if ticks is None else f"{boot_mark()}:{ticks}"
    try:
        started = _start_time(psutil.Process(pid))
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(pid) from error
    except psutil.Error:
        return None
    return f"{boot_mark()}:{started:.6f}"


def is_same_process(pid: int, mark: str) -> bool | None:
    """Return whether the process that had a number and a mark still runs; None when that cannot be determined."""
    try:
        now = process_mark(pid)
    except ProcessLookupError:
        return False
    return None if now is None else now == mark


def boot_mark() -> str:
    """Return what distinguishes this start of the system from every other; empty where there is no such mark."""
    if sys.platform == "darwin":
        return _sysctl("kern.bootsessionuuid")
    return boot_id()


def _start_time(process: psutil.Process) -> float:
    """Return the start time as the system noted it; psutil's public one follows steps of the clock on macOS."""
    inner = getattr(process, "_proc", None)
    try:
        return float(inner.create_time(monotonic=True))  # type: ignore[union-attr]
    except (AttributeError, TypeError):
        return float(process.create_time())


def _sysctl(name: str) -> str:
    library = ctypes.util.find_library("c")
    if library is None:
        return ""
    size = ctypes.c_size_t(128)
    value = ctypes.create_string_buffer(size.value)
    with suppress(OSError, AttributeError):
        if ctypes.CDLL(library).sysctlbyname(name.encode(), value, ctypes.byref(size), None, 0) == 0:
            return value.value.decode("ascii", "replace")
    return ""
