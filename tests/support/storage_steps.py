"""Makes every system call that changes the standby a step at which something can happen to the program."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

STEPS = ("writev", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "truncate", "ftruncate")
WRITE_PARTS = "writev" if hasattr(os, "writev") else "write"
"""The call that writes records; Windows has none for several buffers."""
STRIDE = 1 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 3
"""Quick runs try every third step, deep ones each."""


class Steps:
    """Counts steps and calls ``at_step`` with each one's number before it is done. Thread: any."""

    def __init__(self, at_step: Callable[[int, str], None]) -> None:
        self._at_step = at_step
        self.count = 0

    def wrap(self, name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def step(*args: object, **kwargs: object) -> object:
            self.count += 1
            self._at_step(self.count, name)
            return real(*args, **kwargs)

        return step


@contextmanager
def storage_steps(at_step: Callable[[int, str], None]) -> Iterator[Steps]:
    """Watch the steps inside the block."""
    steps = Steps(at_step)
    patches = [patch.object(os, name, steps.wrap(name)) for name in STEPS if hasattr(os, name)]
    for active in patches:
        active.start()
    try:
        yield steps
    finally:
        for active in patches:
            active.stop()


def kill_at(number: int) -> Callable[[int, str], None]:
    """Kill this process before step ``number``, as the power button would."""

    def at_step(count: int, _name: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return at_step


def fail_from(number: int, error: int, *, times: int = 1_000_000) -> Callable[[int, str], None]:
    """Fail step ``number`` and the next ``times`` - 1 with a system error."""

    def at_step(count: int, _name: str) -> None:
        if number <= count < number + times:
            raise OSError(error, os.strerror(error))

    return at_step


def run_and_kill(work: Callable[[], None], number: int) -> bool:
    """Run ``work`` in a forked process that is killed before step ``number``; return whether it got that far."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with storage_steps(kill_at(number)):
                work()
            status = 0
        finally:
            os._exit(status)
    _, result = os.waitpid(child, 0)
    if os.WIFSIGNALED(result):
        return True
    assert os.WEXITSTATUS(result) == 0, f"the work failed by itself before step {number}"
    return False
