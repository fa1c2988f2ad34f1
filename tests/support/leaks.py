"""Finds threads and file descriptors that outlive their owner."""

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_DESCRIPTORS = Path("/proc/self/fd")
_POLL_S = 0.01
_HARMLESS_TARGETS = ("anon_inode:", "/dev/", "/proc/", "/sys/", "/usr/share/fonts", "/var/cache/fontconfig")
"""What libraries open once and keep: event queues, random numbers, fonts."""

_TIMER_OF_PYTEST_TIMEOUT = "pytest_timeout "
"""Where there is no SIGALRM, a thread per test whose name begins so watches the time."""


class LeakFound(Exception):
    """Something was left behind."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """The threads and open descriptors of this process at one moment.

    Descriptors are known on Linux only; elsewhere Python's own ResourceWarning has to find them.
    """

    threads: frozenset[threading.Thread]
    descriptors: frozenset[tuple[int, str]]

    @classmethod
    def now(cls) -> Self:
        """Look at this process."""
        return cls(frozenset(threading.enumerate()), frozenset(_open_descriptors()))

    def newer_than(self, before: "Holdings") -> list[str]:
        """Return words for what is here but was not before."""
        words = [
            f"thread {thread.name!r}"
            for thread in self.threads - before.threads
            if thread.is_alive()
            and not isinstance(thread, threading._DummyThread)
            and not thread.name.startswith(_TIMER_OF_PYTEST_TIMEOUT)
        ]
        words += [
            f"descriptor {number} ({target})"
            for number, target in self.descriptors - before.descriptors
            if not target.startswith(_HARMLESS_TARGETS)
        ]
        return sorted(words)


def _open_descriptors() -> list[tuple[int, str]]:
    if not _DESCRIPTORS.is_dir():
        return []
    found = []
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - a Path per descriptor would double the cost of each test
        try:
            found.append((int(name), os.readlink(f"/proc/self/fd/{name}")))  # noqa: PTH115 - same
        except FileNotFoundError:  # the descriptor of this very listing, or one closed meanwhile
            continue
    return found


def wait_for_release(before: Holdings, *, deadline_s: float) -> None:
    """Wait until nothing is held that was not held before.

    Raises:
        LeakFound: something still is when the deadline has passed; its message names it.
    """
    if not Holdings.now().newer_than(before):
        return
    # What only the garbage collector would close is a leak too: collecting makes Python warn of it by name.
    gc.collect()
    until = time.monotonic() + deadline_s
    while left := Holdings.now().newer_than(before):
        if time.monotonic() > until:
            raise LeakFound(", ".join(left))
        time.sleep(_POLL_S)
