"""All lines of the log that fit, page by page, for the download."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject

from app.contract.log import LogEntryRow, LogFilter, LogPage, ReadLog
from app.views.widgets.export import Source
from app.workers.answers import Failure
from app.workers.door import DoorClient

_PAGE_LINES: Final = 1000


class AllLines(Source[LogEntryRow]):
    """Every line that fits a filter, newest first; lines that are written meanwhile are left out. Thread: GUI."""

    def __init__(self, door: DoorClient, owner: QObject, chosen: LogFilter) -> None:
        self._door = door
        self._owner = owner
        self._chosen = chosen
        self._before: int | None = None
        self._is_at_end = False

    def next_page(
        self,
        on_rows: Callable[[Sequence[LogEntryRow]], None],
        on_end: Callable[[], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Ask the engine for the next lines."""
        if self._is_at_end:
            on_end()
            return

        def take(page: LogPage) -> None:
            self._before, self._is_at_end = page.older, page.older is None
            on_rows(page.rows)

        query = ReadLog(filter=self._chosen, before=self._before, limit=_PAGE_LINES)
        self._door.ask(query, owner=self._owner, on_done=take, on_failed=on_failed)
