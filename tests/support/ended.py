"""Tells whether a process has ended as far as any process can."""

from pathlib import Path
from subprocess import Popen

_SIGKILL_BIT = 1 << 8
_EXITING = 0x4
"""PF_EXITING of Linux, in the ninth field of a thread's ``stat``."""


def has_ended(process: Popen[bytes] | Popen[str]) -> bool:
    """Tell whether a process has ended, or does so as soon as the system lets go of what its threads wait for.

    A thread whose request the server of a FUSE file system has taken over, and does not answer, cannot even be
    killed: Linux keeps the process until then. What the process itself can do is done when each of its threads is
    dead, on its way out, or is to be killed.
    """
    if process.poll() is not None:
        return True
    threads = Path(f"/proc/{process.pid}/task")
    try:
        return all(_is_dying(thread) for thread in threads.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return process.poll() is not None


def _is_dying(thread: Path) -> bool:
    state, *others = (thread / "stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in (thread / "status").read_text().splitlines())
    is_exiting = int(others[5]) & _EXITING
    is_to_be_killed = int(status["SigPnd"], 16) & _SIGKILL_BIT
    return state in "ZX" or bool(is_exiting or is_to_be_killed)
