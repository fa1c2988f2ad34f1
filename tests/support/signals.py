"""What a process of Linux does with signals."""

import signal
from pathlib import Path


def catches_sigterm(pid: int) -> bool:
    """Return whether a process has come so far that it ends in order."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
