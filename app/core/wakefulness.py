"""Keeps this machine from going to sleep by itself, as long as others depend on it."""

import ctypes
import logging
import shutil
import subprocess
import sys
from typing import Final

from app.core.childprocess import child_flags

_log = logging.getLogger(__name__)

_CONTINUOUS: Final = 0x8000_0000
_SYSTEM_REQUIRED: Final = 0x0000_0001
_INHIBITOR: Final = "systemd-inhibit"
_END_S: Final = 5.0


class Wakefulness:
    """Holds sleep off between :meth:`begin` and :meth:`end`. Thread: one, the same for both.

    Linux: an inhibitor lock of logind, held by a child process (``systemd-inhibit``). Windows:
    ``SetThreadExecutionState``. Elsewhere, and where the system refuses, the log says so. A closed lid, or a sleep
    that somebody asks for, may still come through.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        self._holder: subprocess.Popen[bytes] | None = None
        self._is_on = False

    def begin(self) -> None:
        """Hold sleep off; again is fine."""
        if self._is_on:
            return
        self._is_on = True
        if sys.platform == "win32":
            if not ctypes.windll.kernel32.SetThreadExecutionState(_CONTINUOUS | _SYSTEM_REQUIRED):
                _log.warning("Windows does not hold sleep off")
            return
        self._holder = self._inhibitor()

    def end(self) -> None:
        """Let the machine sleep again; again is fine."""
        if not self._is_on:
            return
        self._is_on = False
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetThreadExecutionState(_CONTINUOUS)
            return
        holder, self._holder = self._holder, None
        if holder is None:
            return
        if holder.stdin is not None:
            holder.stdin.close()  # what it reads ends, and so does it
        try:
            holder.wait(_END_S)
        except subprocess.TimeoutExpired:
            holder.kill()
            holder.wait()

    def _inhibitor(self) -> subprocess.Popen[bytes] | None:
        """Start what holds the lock; it ends with this process, whose pipe it reads."""
        program = shutil.which(_INHIBITOR)
        if program is None:
            _log.info("there is no %s: nothing keeps this machine from sleeping", _INHIBITOR)
            return None
        try:
            return subprocess.Popen(  # noqa: S603 - the system's own program
                [program, "--what=sleep:idle", "--who=Standfast", f"--why={self._why}", "--mode=block", "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=child_flags(own_group=True),
            )
        except OSError as error:
            _log.warning("sleep is not held off: %s", error)
            return None
