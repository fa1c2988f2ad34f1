"""Lets garbage collection end early when another process waits for it.

A process that cannot have a shared lease puts a file ``<32 digits>.waiting`` into ``locks/`` and rewrites it at
every try. Garbage collection removes all such files when it begins, so that one it meets later is of a living
process; then it stops at the next safe step. The files only ask; exclusion is up to the leases.
"""

import os
import time
import uuid
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.cancel import CancelToken
from app.core.durable import unlink
from app.repository.files import open_regular, write_new
from app.repository.layout import WAITING_SUFFIX, Layout

_LOOK_EVERY_S = 0.25


class WaitingMark:
    """Shows garbage collection that this process waits, until the block is left. Never raises. Thread: one."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.locks / f"{uuid.uuid4().hex}{WAITING_SUFFIX}"
        self._tries = 0

    def show(self) -> None:
        """Ask, or ask again; a refusal of the standby is reported by the lease itself."""
        self._tries += 1
        with suppress(OSError):
            content = b"%012d\n" % self._tries
            try:
                write_new(self._path, content)
            except FileExistsError:
                with os.fdopen(open_regular(self._path, os.O_WRONLY), "wb") as file:
                    file.write(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tries:
            with suppress(OSError):
                unlink(self._path)


class YieldedToWaiting(Exception):
    """Another process waits; garbage collection ends here."""


class WaitingWatch:
    """Looks for processes that wait, during one garbage collection, which removed earlier marks. Thread: one."""

    def __init__(self, layout: Layout, cancel: CancelToken, ignored: Container[Path] = ()) -> None:
        """``ignored`` are marks of dead processes that cannot be deleted."""
        self._ignored = ignored
        self._locks = layout.locks
        self._cancel = cancel
        self._next_look = 0.0

    def check(self) -> None:
        """Go on, or stop here; looks at the standby a few times a second at most.

        Raises:
            YieldedToWaiting: another process waits.
            TaskCancelled: cancelled.
        """
        self._cancel.check()
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_EVERY_S
            if self.is_asked():
                raise YieldedToWaiting

    def is_asked(self) -> bool:
        """Return whether another process waits; False when that cannot be determined."""
        with suppress(OSError):
            return any(
                path.suffix == WAITING_SUFFIX and path not in self._ignored for path in self._locks.iterdir()
            )
        return False
