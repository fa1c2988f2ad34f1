"""All tasks of a list, page by page, for its export."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject

from app.contract.tasks import ListTasks, TaskRow
from app.domain.ids import TaskId
from app.domain.states import TaskKind, TaskState
from app.views.tasks.lines import TaskLine
from app.views.widgets.export import Source
from app.workers.answers import Failure
from app.workers.door import DoorClient

_PAGE_ROWS: Final = 500
_OVERLAP_ROWS: Final = 50
"""Tasks that end or begin meanwhile move the others; so pages overlap, and a task is given once."""


class AllTasks(Source[TaskLine]):
    """Every task of these states and kinds, newest first. Thread: GUI."""

    def __init__(
        self,
        door: DoorClient,
        owner: QObject,
        states: tuple[TaskState, ...] | None,
        kinds: tuple[TaskKind, ...] | None,
        passes: Callable[[TaskLine], bool],
    ) -> None:
        self._door = door
        self._owner = owner
        self._states, self._kinds = states, kinds
        self._passes = passes
        self._offset = 0
        self._is_at_end = False
        self._given: set[TaskId] = set()

    def next_page(
        self,
        on_rows: Callable[[Sequence[TaskLine]], None],
        on_end: Callable[[], None],
        on_failed: Callable[[Failure], None],
    ) -> None:
        """Ask the engine for the next tasks."""
        if self._is_at_end:
            on_end()
            return

        def take(rows: tuple[TaskRow, ...]) -> None:
            self._is_at_end = len(rows) < _PAGE_ROWS
            self._offset += _PAGE_ROWS - _OVERLAP_ROWS
            fresh = [row for row in rows if row.id not in self._given]
            self._given.update(row.id for row in fresh)
            on_rows([line for line in map(TaskLine, fresh) if self._passes(line)])

        query = ListTasks(states=self._states, kinds=self._kinds, limit=_PAGE_ROWS, offset=self._offset)
        self._door.ask(query, owner=self._owner, on_done=take, on_failed=on_failed)
