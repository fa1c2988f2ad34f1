"""A program that tests compile, once per version of its source, however many processes want it at once."""

import time
from collections.abc import Callable
from pathlib import Path

from app.core.filelocks import try_lock


def built_once(target: Path, build: Callable[[Path], object], *, deadline_s: float = 280) -> Path:
    """Return a file, made first where it is not there; another process that is making it is waited for.

    Args:
        target: the file.
        build: makes it at another path beside that one.
        deadline_s: how long another process may take.

    Raises:
        AssertionError: another process did not end within the deadline.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + deadline_s
    with target.with_name(f"{target.name}.lock").open("ab") as lock:
        while not target.exists():
            if not try_lock(lock.fileno()):
                assert time.monotonic() < until, f"{target} is not made by whoever makes it"
                time.sleep(0.05)
            elif not target.exists():
                fresh = target.with_name(f"{target.name}.building")
                build(fresh)
                fresh.replace(target)
    return target
