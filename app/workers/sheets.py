"""Writing a list into a file for spreadsheets, off the GUI thread."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject

from app.core.sheets import Cell, SheetFile
from app.domain.reasons import reason_of
from app.workers.answers import Failure
from app.workers.door import DoorClient
from app.workers.errors import ListNotWritten

Rows = Sequence[Sequence[Cell]]
OnDone = Callable[[], None]
OnFailed = Callable[[Failure], None]


class SheetWriter:
    """Opens, fills and ends one file, each step on another thread; one step at a time. Thread: GUI.

    Attributes:
        path: Where the file will be.
        written: How many rows were handed over so far, the titles not counted.
    """

    def __init__(self, door: DoorClient, path: Path, owner: QObject) -> None:
        self.path = path
        self.written = 0
        self._door = door
        self._owner = owner
        self._sheet: SheetFile | None = None
        self._is_given_up = False
        self._lock = threading.Lock()

    def begin(self, titles: Sequence[str], on_done: OnDone, on_failed: OnFailed) -> None:
        """Begin the file with its titles; one of the callbacks follows."""

        def work() -> None:
            self._sheet = SheetFile(self.path)
            self._sheet.write([titles])

        self._run(work, on_done, on_failed)

    def add(self, rows: Rows, on_done: OnDone, on_failed: OnFailed) -> None:
        """Add rows; one of the callbacks follows."""
        self.written += len(rows)

        def work() -> None:
            if self._sheet is not None:
                self._sheet.write(rows)

        self._run(work, on_done, on_failed)

    def end(self, on_done: OnDone, on_failed: OnFailed) -> None:
        """Put the file under its name; one of the callbacks follows."""

        def work() -> None:
            if self._sheet is not None:
                self._sheet.keep()

        self._run(work, on_done, on_failed)

    def give_up(self) -> None:
        """Throw the file away, without a callback. A step that is under way does it at its end."""
        self._is_given_up = True
        if self._lock.acquire(blocking=False):
            try:
                self._discard()
            finally:
                self._lock.release()

    def _discard(self) -> None:
        if self._sheet is not None:
            self._sheet.discard()

    def _run(self, work: Callable[[], None], on_done: OnDone, on_failed: OnFailed) -> None:
        def guarded() -> None:
            try:
                with self._lock:
                    if not self._is_given_up:
                        work()
            except (OSError, ValueError) as error:  # a path with a NUL character is a ValueError
                with self._lock:
                    self._discard()
                raise ListNotWritten(path=self.path, detail=reason_of(error)) from error
            # Looked at once the lock is free: who gave up meanwhile found it taken, and left the file to us.
            if self._is_given_up:
                with self._lock:
                    self._discard()

        def done(_answer: None) -> None:
            if not self._is_given_up:
                on_done()

        def failed(failure: Failure) -> None:
            if not self._is_given_up:
                on_failed(failure)

        self._door.run_apart(guarded, owner=self._owner, on_done=done, on_failed=failed)
