"""Which process is meant: identities that no change of the wall clock touches.

A process number is given out again after its process has ended, so it is kept together with the moment at which
its process began, counted by the system since its own start. On Linux that is field 22 of ``/proc/<pid>/stat``
(proc(5), in clock ticks since boot) with the kernel's boot id; elsewhere it is the start time that the system
noted when the process began, which a later step of the clock does not change.
"""

import ctypes
import ctypes.util
import sys
from contextlib import suppress
from pathlib import Path

import psutil

_STATE, _START_TICKS = 0, 19
"""Places in ``/proc/<pid>/stat`` behind the name, which ends in the last closing parenthesis."""
_ENDED_STATES = frozenset({"Z", "X", "x"})
"""A zombie has ended; nobody has asked for its result yet."""


def process_mark(pid: int) -> str | None:
    """Return what tells the process of a number from every other that ever has that number.

    Returns:
        None when that cannot be told, although the process is there.

    Raises:
        ProcessLookupError: there is no such process, or it has ended.
    """
    if Path("/proc/self/stat").exists():
        return _linux_mark(pid)
    try:
        started = _start_time(psutil.Process(pid))
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(pid) from error
    except psutil.Error:
        return None
    return f"{boot_mark()}:{started:.6f}"


def is_same_process(pid: int, mark: str) -> bool | None:
    """Tell whether the process that had a number and a mark still runs; None when that cannot be told."""
    try:
        now = process_mark(pid)
    except ProcessLookupError:
        return False
    return None if now is None else now == mark


def boot_mark() -> str:
    """Return what tells this start of the system from every other; empty where the system has no such mark."""
    if sys.platform == "darwin":
        return _sysctl("kern.bootsessionuuid")
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _linux_mark(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(pid) from error
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if len(fields) <= _START_TICKS:
        return None
    if fields[_STATE] in _ENDED_STATES:
        raise ProcessLookupError(pid)
    return f"{boot_mark()}:{fields[_START_TICKS]}"


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
