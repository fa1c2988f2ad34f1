"""Writing a list into a file for spreadsheets, off the GUI thread."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject

from app.core.sheets import Cell, SheetFile
from app.workers.asker import Failure
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
        """Throw the file away, whatever step is under way; nobody is told."""
        self._is_given_up = True
        sheet = self._sheet
        if sheet is not None:
            sheet.discard()

    def _run(self, work: Callable[[], None], on_done: OnDone, on_failed: OnFailed) -> None:
        def guarded() -> None:
            try:
                work()
            except (OSError, ValueError) as error:
                # A ValueError is a file that was closed by giving up; a path with a NUL character is one, too.
                if self._sheet is not None:
                    self._sheet.discard()
                detail = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise ListNotWritten(path=self.path, detail=detail) from error
            if self._is_given_up and self._sheet is not None:
                self._sheet.discard()

        def done(_answer: None) -> None:
            if not self._is_given_up:
                on_done()

        def failed(failure: Failure) -> None:
            if not self._is_given_up:
                on_failed(failure)

        self._door.run_apart(guarded, owner=self._owner, on_done=done, on_failed=failed)
