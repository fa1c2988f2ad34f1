"""Distinguishes a process from all others that ever have its number, by what ``/proc`` says of it (Linux).

A process number is given out again after its process has ended, so it is kept together with the moment at which
its process began: field 22 of ``/proc/<pid>/stat`` (proc(5), in clock ticks since boot), with the kernel's boot
id. No change of the wall clock touches either.
"""

import sys
from contextlib import suppress
from pathlib import Path

_STATE, _START_TICKS = 0, 19
"""Places in ``/proc/<pid>/stat`` behind the name, which ends in the last closing parenthesis."""
_ENDED_STATES = frozenset({"Z", "X", "x"})
"""A zombie has ended; no one has asked for its result yet."""


def has_marks() -> bool:
    """Return whether the kernel shows processes in ``/proc``; on Windows any user may make such a folder."""
    return sys.platform != "win32" and Path("/proc/self/stat").exists()


def boot_id() -> str:
    """Return what distinguishes this start of a Linux system from every other; empty elsewhere."""
    if not has_marks():
        return ""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def start_ticks(pid: int) -> str | None:
    """Return when a process began, in the kernel's ticks since boot.

    Returns:
        None when that cannot be determined, although the process is there.

    Raises:
        ProcessLookupError: there is no such process, or it has ended.
    """
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
    return fields[_START_TICKS]


def process_namespace() -> str:
    """Return which numbers of processes this one sees: containers have their own; empty when that is not known."""
    if not has_marks():
        return ""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""
